"""What is taken out of an archive that nobody vouches for."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from scripts.collect.archive import extract_file

MEMBER = "package/leanspec"


def archive(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for info, data in entries:
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def entry(
    name: str, data: bytes = b"content", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info, data if kind == tarfile.REGTYPE else b""


def pack(*entries: tuple[tarfile.TarInfo, bytes]) -> Callable[[Path], Path]:
    return lambda path: archive(path, *entries)


def write_claim(path: Path, header: tarfile.TarInfo, byte: bytes) -> None:
    """Write a package whose only header claims 2 GB, in 2 MB."""
    header.size = 2_000_000_000
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.tobuf())
        for _ in range(300):
            file.write(byte * 1_000_000)


def zeros(path: Path) -> None:
    write_claim(path, tarfile.TarInfo(MEMBER), b"\0")


def many_zeros(path: Path) -> None:
    """Write a package of many entries, each of which would pass."""
    header = tarfile.TarInfo("package/zeros")
    header.size = 50 * 512 * 2000
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(8):
            file.write(header.tobuf())
            file.write(bytes(header.size))


def long_name(path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type = tarfile.GNUTYPE_LONGNAME
    write_claim(path, header, b"a")


def test_extract_file_writes_that_file_alone(tmp_path: Path) -> None:
    source = archive(
        tmp_path / "a.tgz",
        entry("package/other"),
        entry(MEMBER, b"the one"),
        entry("package/more"),
    )
    extract_file(source, MEMBER, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"the one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz", "out"]


def cut_after_the_file(path: Path) -> None:
    """Write a package whose wanted file is whole, and which ends in the next one."""
    noise = random.Random(0).randbytes(100_000)  # noqa: S311 - incompressible, and the same each time
    data = archive(path, entry(MEMBER), entry("package/more", noise)).read_bytes()
    path.write_bytes(data[:50_000])


def cut_in_the_file(path: Path) -> None:
    path.write_bytes(archive(path, entry(MEMBER)).read_bytes()[:60])


MANY = [f"package/{number}" for number in range(4_000)]


@pytest.mark.long
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (pack(entry(MEMBER), entry("package/../../escape")), "leads out of it"),
        (pack(entry("/etc/passwd"), entry(MEMBER)), "leads out of it"),
        (pack(entry(MEMBER, kind=tarfile.SYMTYPE, link="/etc/passwd")), "is a link to"),
        (pack(entry(MEMBER, kind=tarfile.LNKTYPE, link="package/x")), "is a link to"),
        (pack(entry(MEMBER, kind=tarfile.FIFOTYPE)), "neither a file nor a folder"),
        (pack(entry(MEMBER), entry(MEMBER)), "twice"),
        (pack(entry("package/other")), f"it contains no `{MEMBER}`"),
        (zeros, "more than the 134217728 bytes"),
        (many_zeros, "unpacks to more than"),
        (pack(entry(MEMBER), *map(entry, MANY)), "has more than 4000 members"),
        (long_name, "has a header of more than"),
        (cut_after_the_file, "is not a whole archive"),
        (lambda path: path.write_bytes(b"no archive"), "is not a whole archive"),
        (cut_in_the_file, "is not a whole archive"),
    ],
)
def test_a_bad_archive_is_refused_and_leaves_no_file(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    source = tmp_path / "a.tgz"
    make(source)
    with pytest.raises(CommandError) as error:
        extract_file(source, MEMBER, tmp_path / "out")
    assert "`a.tgz`" in error.value.message
    assert words in error.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["a.tgz"]

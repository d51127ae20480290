"""Files of the stand-in release, and ways to change them."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.model.files import File, read_files
from scripts.model.finding import Finding
from tests.support.versions import RELEASED
from tests.support.wheel_files import content, rewrite

STUB = f"leanspec_cli_bin-{RELEASED}-py3-none-any.whl"
CLI = f"leanspec_cli_bin-{RELEASED}-py3-none-manylinux_2_34_x86_64.whl"
MCP = f"leanspec_mcp_bin-{RELEASED}-py3-none-manylinux_2_34_x86_64.whl"
MAIN = f"lean_spec-{RELEASED}-py3-none-any.whl"
PINNED = b"Requires-Dist: leanspec-cli-bin==" + RELEASED.encode()
PROGRAM = "leanspec_cli_bin/bin/leanspec"
RECORD = "leanspec_cli_bin/bin/binary.json"
INFO = f"leanspec_cli_bin-{RELEASED}.dist-info"
MAIN_INFO = f"lean_spec-{RELEASED}.dist-info"
SDIST = f"lean_spec-{RELEASED}.tar.gz"


Attack = Callable[[Path], object]


def release_files(dist: Path) -> list[File]:
    return read_files(dist)[0]


def failures(findings: Iterator[Finding]) -> list[str]:
    """Return a line for each finding that failed."""
    return [
        f"{finding.subject}: expected {finding.expected}, found {finding.actual}"
        for finding in findings
        if not finding.passed
    ]


def rewrite_bytes(wheel: Path, change: Callable[[bytes], bytes]) -> None:
    wheel.write_bytes(change(wheel.read_bytes()))


def resave(
    wheel: Path,
    change: Callable[[zipfile.ZipInfo], object],
    method: int = zipfile.ZIP_DEFLATED,
) -> None:
    """Write an archive again with its entries changed."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [(entry, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for entry, data in entries:
            new = zipfile.ZipInfo(entry.filename, entry.date_time)
            new.external_attr, new.compress_type = entry.external_attr, method
            change(new)
            archive.writestr(new, data)


def stream(wheel: Path) -> None:
    """Write an archive to a pipe, which needs data descriptors."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    with wheel.open("wb") as file, zipfile.ZipFile(Unseekable(file), "w") as archive:  # type: ignore[call-overload]
        for name, data in entries:
            archive.writestr(name, data)


class Unseekable:
    """A file that can only be written on and on."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self.write, self.flush = file.write, file.flush


def add_comment(wheel: Path) -> None:
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.comment = b"hidden"


def add_prefix(wheel: Path) -> None:
    """Put something before an archive, which zip readers look past."""
    rewrite_bytes(wheel, lambda data: b"#!/bin/sh\n" + data)


def add_duplicate(wheel: Path) -> None:
    with (
        zipfile.ZipFile(wheel, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr("leanspec_cli_bin/__init__.py", b"print('changed')\n")


def comment_entry(entry: zipfile.ZipInfo) -> None:
    entry.comment = b"hidden"


def rename(wheel: Path, old: str, new: str) -> None:
    wheel.rename(wheel.with_name(wheel.name.replace(old, new)))


def read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def add_to_sdist(dist: Path, name: str, data: bytes = b"print()\n") -> None:
    """Add a file to the sdist."""
    path = dist / SDIST
    with tarfile.open(path) as archive:
        members = [
            (member, read_member(archive, member)) for member in archive.getmembers()
        ]
    with tarfile.open(path, "w:gz") as archive:
        for member, old in members:
            archive.addfile(member, io.BytesIO(old))
        extra = tarfile.TarInfo(name)
        extra.size = len(data)
        archive.addfile(extra, io.BytesIO(data))


def change_entry(wheel: Path, name: str, old: bytes, new: bytes) -> None:
    """Replace bytes in an entry, with a RECORD that is true of the outcome."""
    before = content(wheel, name)
    assert old in before
    rewrite(wheel, {name: before.replace(old, new)})


def replace_in_record(wheel: Path, old: bytes, new: bytes) -> None:
    """Replace bytes in RECORD itself."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [(entry, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for entry, data in entries:
            is_record = entry.filename.endswith("/RECORD")
            assert not is_record or old in data
            archive.writestr(entry, data.replace(old, new) if is_record else data)


def change_record(wheel: Path, **changes: object) -> None:
    """Change facts in the record of a platform wheel's binary."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    (name,) = [name for name in names if name.endswith("bin/binary.json")]
    record = json.loads(content(wheel, name)) | changes
    rewrite(wheel, {name: json.dumps(record).encode()})


# How an archive is put together: the index refuses these, and a rebuild finds them before.
FRAMING: dict[str, Attack] = {
    "no WHEEL": lambda dist: rewrite(dist / CLI, {f"{INFO}/WHEEL": None}),
    "a comment": lambda dist: add_comment(dist / CLI),
    "a comment of an entry": lambda dist: resave(dist / CLI, comment_entry),
    "data before the archive": lambda dist: add_prefix(dist / CLI),
    "data after the archive": lambda dist: rewrite_bytes(
        dist / CLI, lambda data: data + b"hidden"
    ),
    "two archives in one": lambda dist: rewrite_bytes(dist / CLI, lambda data: data + data),
    "an entry twice": lambda dist: add_duplicate(dist / CLI),
    "data descriptors": lambda dist: stream(dist / CLI),
    "a compression that few know": lambda dist: resave(
        dist / CLI, lambda _: None, zipfile.ZIP_LZMA
    ),
    "an entry of another name in its own header": lambda dist: rewrite_bytes(
        dist / CLI,
        lambda data: data.replace(b"cli_bin/__init__.py", b"cli_bin/__evil__.py", 1),
    ),
    "an entry that is damaged": lambda dist: rewrite_bytes(
        dist / CLI, lambda data: data[:4000] + bytes(8) + data[4008:]
    ),
    "a wheel that is no archive": lambda dist: rewrite_bytes(dist / CLI, lambda _: b"PK"),
    "an sdist that is no archive": lambda dist: rewrite_bytes(
        dist / SDIST, lambda _: b"\x1f\x8b"
    ),
    "an sdist with a file outside": lambda dist: add_to_sdist(dist, "../evil.py"),
    "an sdist with a second folder": lambda dist: add_to_sdist(dist, "other/x.py"),
}

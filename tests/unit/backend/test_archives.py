"""Archives as builds and services leave them: understood, or named with the reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import sys
import tarfile
import types
import zipfile
from pathlib import Path

import leanspec_build
import pytest
from leanspec_build.archives import Bounds, read_members
from leanspec_build.errors import BuildError
from leanspec_build.formats.view import load_bytes
from leanspec_build.wheel import WheelEntry

from scripts.tools.processes import clean_environment
from tests.support import headers
from tests.support.inside import call
from tests.support.preconditions import needs
from tests.support.surroundings import run
from tests.support.tool import Tool

LINUX = headers.elf(versions={"libc.so.6": ["GLIBC_2.17"]})
ARM = headers.elf("aarch64", loader="/lib/ld-linux-aarch64.so.1")
WINDOWS, MACOS = headers.pe(), headers.mach_o()
FOLDER = "a_tool-1.2.3.data/scripts/"


def tarred(*files: tuple[str, bytes], **links: str) -> bytes:
    """Return a tar with files, and links that lead somewhere; a name with `hard` is a hard link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, target in links.items():
            member = tarfile.TarInfo(name.removesuffix("_hard"))
            member.type = tarfile.LNKTYPE if name.endswith("_hard") else tarfile.SYMTYPE
            member.linkname = target
            archive.addfile(member)
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


# In the second header.
DAMAGED = tarred(("x", b""), ("y", b"")).replace(b"y\0", b"z\0")


def zipped(*files: tuple[str, bytes], mode: int = 0) -> bytes:
    """Return a zip with files whose names are taken as they are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return out.getvalue()


def zstandard(data: bytes) -> bytes:
    """Return a frame with one block that is not compressed (RFC 8878, section 3.1.1)."""
    single_segment = b"\xa0" + len(data).to_bytes(4, "little")
    last_block = (1 | len(data) << 3).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd" + single_segment + last_block + data


def special(kind: bytes) -> bytes:
    """Return a tar with a pipe or a device in place of the program."""
    member = tarfile.TarInfo("tool")
    member.type = kind
    return member.tobuf() + bytes(1024)


def sparse() -> bytes:
    """Return a tar whose one file is of no size, and has a list of its parts all the same."""
    member = tarfile.TarInfo("tool")
    numbers = {"major": "1", "minor": "0", "realsize": "0"}
    member.pax_headers = {f"GNU.sparse.{key}": value for key, value in numbers.items()}
    return member.tobuf(tarfile.PAX_FORMAT) + b"1\n0\n0\n".ljust(2048, b"\0")


def huge() -> bytes:
    """Return an archive whose program claims to have a terabyte."""
    member = tarfile.TarInfo("tool")
    member.size = 1 << 40
    return member.tobuf() + bytes(1024)


def deflate64() -> bytes:
    """Return a zip archive with a method that Python does not have, in both of its headers."""
    data = bytearray(zipped(("tool", LINUX)))
    data[8] = data[data.rindex(b"PK\1\2") + 10] = 9
    return bytes(data)


HUGE, DEFLATE64 = huge(), deflate64()


def contents(tool: Tool) -> set[bytes]:
    """Make all wheels; return the programs in them."""
    programs = set()
    for wheel in tool.all():
        with zipfile.ZipFile(tool.root / "out" / wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(FOLDER)]
            programs |= {archive.read(name) for name in names}
    return programs


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("backslashes.zip", zipped(("bin\\tool.exe", WINDOWS))),
        ("link.tar", tarred(("lib/tool-1.2", LINUX), tool="now", now="lib/tool-1.2")),
        ("hard.tar", tarred(("./lib/tool-1.2", LINUX), tool_hard="lib/tool-1.2")),
        ("machine.tar", tarred(("tool-v1.2-x86_64-unknown-linux-gnu", LINUX))),
        ("absolute.tar", tarred(("/usr/bin/tool", LINUX))),
        ("twice.tar", tarred(("tool", LINUX), ("tool", LINUX))),
        (
            "artifact.zip",
            zipped(("tool.tar.gz", gzip.compress(tarred(("tool", LINUX)), mtime=0))),
        ),
        ("artifact.tar", tarred(("tool.zip", zipped(("tool.exe", WINDOWS))))),
        ("inner.zip", zipped(("x/tool-linux-amd64.gz", gzip.compress(LINUX, mtime=0)))),
        ("tool.gz", gzip.compress(LINUX, mtime=0)),
        ("tool-linux-amd64.xz", lzma.compress(LINUX)),
        ("named.tar.gz", zipped(("tool", LINUX))),
        ("x.taz", gzip.compress(tarred(("tool", LINUX)), mtime=0)),
        ("x.TB2", bz2.compress(tarred(("tool", LINUX)))),
        ("x.tz2", bz2.compress(tarred(("tool", LINUX)))),
    ],
)
def test_all_understands_an_archive(tool: Tool, file: str, data: bytes) -> None:
    tool.put("", **{file: data})
    (program,) = contents(tool)
    assert program in (LINUX, WINDOWS)


def test_all_follows_a_link_in_a_zip(tool: Tool) -> None:
    out = io.BytesIO(zipped(("bin/tool", b"../lib/real"), mode=stat.S_IFLNK | 0o777))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("lib/real", LINUX)
    tool.put("", **{"a.zip": out.getvalue()})
    assert contents(tool) == {LINUX}


def test_all_takes_one_compressed_file_of_any_name(tool: Tool) -> None:
    tool.put(
        "",
        **{
            "other.gz": gzip.compress(LINUX, mtime=0),
            "other_exe.gz": gzip.compress(WINDOWS, mtime=0),
        },
    )
    tool.edit('from = "dist"', 'from = "dist/*.gz"')
    assert contents(tool) == {LINUX, WINDOWS}


def test_all_finds_a_program_with_the_ending_of_windows_in_capitals(tool: Tool) -> None:
    tool.put("", **{"tool.EXE": headers.pe()})
    assert contents(tool) == {headers.pe()}
    tool.edit('["tool"]', '["tool.EXE"]')
    message = tool.build("all", code=1).stderr
    assert "names the program `tool.EXE`\nhint: leave the ending out" in message


def test_all_finds_programs_with_their_machines_in_their_names(tool: Tool) -> None:
    tool.edit('["tool"]', '["tool", "tool-x"]')
    for ending, data in {"-linux_amd64": LINUX, "_1.2.3_Darwin_arm64": MACOS}.items():
        tool.put("", **{f"tool{ending}": data, f"tool-x{ending}": data})
    tool.put(
        "", **{"tool-1.2.3": ARM, "tool-helper-linux": ARM, "tool-linux_amd64.sha256": b"0"}
    )
    assert contents(tool) == {LINUX, MACOS}


@pytest.mark.parametrize(
    ("file", "data", "words"),
    [
        (
            "x.tar",
            tarred(tool="/nowhere"),
            "is a link to `/nowhere`, which the archive does not have",
        ),
        (
            "x.tar",
            tarred(tool="b", b="c", c="d", d="e", e="f", f="g", g="h"),
            "`tool` in `dist/x.tar` is a link to a link to a link",
        ),
        (
            "x.tar",
            tarred(("y.zip", zipped(("z.tar", tarred(("tool", LINUX)))))),
            "`y.zip/z.tar` in `dist/x.tar` lies in more than 2 archives",
        ),
        ("x.zip", b"not a zip", "is not a whole archive"),
        (
            "x.tar.gz",
            gzip.compress(tarred(("x", bytes(9999))), mtime=0)[:-20],
            "is not a whole archive",
        ),
        ("x.tar", DAMAGED, "it has a damaged header"),
        ("x.7z", b"7z", "is of a kind that is not read"),
        ("x.tlz", b"LZIP", "is of a kind that is not read"),
        ("x.tZ", b"\x1f\x9d", "is of a kind that is not read"),
        (
            "x.tzst",
            b"\x28\xb5",
            "is not a whole archive: truncated header (it starts with the bytes `28 b5`)",
        ),
        (
            "x.tar",
            special(tarfile.FIFOTYPE),
            "`tool` in `dist/x.tar` is neither a file nor a",
        ),
        (
            "x.tar",
            special(tarfile.CHRTYPE),
            "`tool` in `dist/x.tar` is neither a file nor a",
        ),
        (
            "x.zip",
            zipped(("bin/tool", b""), mode=stat.S_IFIFO),
            "`bin/tool` in `dist/x.zip` is neither a file nor a folder",
        ),
        ("tool-linux-arm64.tar.lzma", b"", "is of a kind that is not read"),
        ("tool-linux-arm64.lrz", b"", "is of a kind that is not read"),
        ("tool_1.2.3.AppImage", b"", "is of a kind that is not read"),
        ("x.zip", zipped(("tool.DEB", b"")), "`tool.DEB` in `dist/x.zip` is of a kind"),
        (
            "x.zip",
            zipped(("x.tar", b"damaged")),
            "`dist/x.zip/x.tar` is not a whole archive",
        ),
    ],
)
def test_all_names_each_archive_that_it_passes_by(
    tool: Tool, file: str, data: bytes, words: str
) -> None:
    tool.put("", **{file: data})
    assert words in tool.build("all", code=1).stderr.replace(os.sep, "/")
    tool.put("good", tool=LINUX)
    result = tool.build("all", "--out", "out").stderr
    assert words in result.replace(os.sep, "/")
    *_, line, _ = result.splitlines()
    assert line.endswith(": passed by")


@pytest.mark.parametrize(
    "file", ["tool.1", "tool-linux.sig", "tool-linux-x64.zip.sha256", "toolbox.deb.d"]
)
def test_all_passes_by_files_about_a_program_without_a_note(tool: Tool, file: str) -> None:
    tool.put("", tool=LINUX, **{file: b"0"})
    assert "note:" not in tool.build("all", "--dry-run").stderr


def test_all_prints_a_bounded_number_of_notes(tool: Tool) -> None:
    others = [(f"{number}.7z", b"") for number in range(60)]
    tool.put("", **{"x.zip": zipped(("tool", LINUX), *others)})
    notes = tool.build("all", "--dry-run").stderr.splitlines()
    assert "note: 10 more files and folders like these: passed by" in notes
    assert len(notes) == 52


@pytest.mark.posix
def test_all_passes_by_a_link_that_leads_nowhere(tool: Tool) -> None:
    tool.put("a", tool=LINUX)
    (tool.dist / "tool").symlink_to("nowhere")
    link = Path("dist/tool")
    words = f"`{link}` is a link to `nowhere`, which does not exist"
    assert f"note: {words}: passed by" in tool.build("all", "--dry-run").stderr
    (tool.dist / "a/tool").unlink()
    assert f"\n  {words}\n" in tool.build("all", code=1).stderr


@pytest.mark.parametrize("file", ["TOOL.ZIP", "tool-linux.Zip", "x.TAR", "tool-linux.GZ"])
def test_all_reads_an_archive_with_an_ending_in_capitals(tool: Tool, file: str) -> None:
    data = {"ZIP": zipped(("tool", LINUX)), "TAR": tarred(("tool", LINUX))}
    tool.put("", **{file: data.get(file[-3:].upper(), gzip.compress(LINUX, mtime=0))})
    assert contents(tool) == {LINUX}


@pytest.mark.parametrize(
    ("file", "data", "words"),
    [
        ("tool-linux.tar", tarred(("x", bytes(9999)))[:5000], "is not a whole archive"),
        (
            "x.tar",
            tarred(("tool", ARM), ("x", bytes(9999)))[:9000],
            "is not a whole archive",
        ),
        ("x.tar", tarred(("tool", ARM), ("tool", LINUX)), "two different files `tool`"),
        ("tool.tar", sparse(), "archive: its parts are not in order"),
        ("x.tar", HUGE, "`tool` in `dist/x.tar` is more than the 536870912 bytes"),
        ("tool.zip", DEFLATE64, "has a file that Python cannot unpack: That compression"),
    ],
)
def test_all_refuses_a_damaged_archive_of_the_program(
    tool: Tool, file: str, data: bytes, words: str
) -> None:
    tool.put("good", tool=LINUX)
    tool.put("", **{file: data})
    assert words in tool.build("all", code=1).stderr.replace(os.sep, "/")


@pytest.mark.parametrize("size", [3, 1 << 21])
def test_fewer_bytes_than_stated_are_an_error(size: int) -> None:
    with pytest.raises(EOFError, match=f"it ends after 2 of {size} bytes"):
        load_bytes(io.BytesIO(b"12"), size)


@pytest.mark.posix
def test_all_passes_by_pipes_and_devices(tool: Tool) -> None:
    tool.put("good", tool=LINUX)
    if sys.platform != "win32":
        os.mkfifo(tool.dist / "x.tar.gz")
    (tool.dist / "x.zip").symlink_to("/dev/zero")
    result = tool.build("all", "--out", "out").stderr
    assert result.count("is not a regular file: passed by") == 2


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME]
)
def test_archives_have_headers_of_a_bounded_size(tmp_path: Path, kind: bytes) -> None:
    """1 GiB of attributes fits into 4.7 MB, and into 3.2 GB of memory."""
    member = tarfile.TarInfo("x")
    member.size, member.type = 1 << 30, kind
    (tmp_path / "x.tar").write_bytes(tarred(("tool", LINUX))[:512] + bytes(len(LINUX)))
    (tmp_path / "x.tar").write_bytes(member.tobuf() + bytes(1 << 21))
    with pytest.raises(BuildError, match="has a header of more than 1048576 bytes"):
        list(read_members(tmp_path / "x.tar", lambda _: True))


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(members=8), "more than 8 members"),
        (Bounds(members=1), "has a directory of"),
        (Bounds(unpacked=8), "unpacks to more than 8 bytes"),
        (Bounds(content=8), "is more than the 8 bytes"),
    ],
)
def test_archives_are_read_up_to_bounds(tmp_path: Path, bounds: Bounds, words: str) -> None:
    files = [(str(number), b"1") for number in range(9)]
    (tmp_path / "x.zip").write_bytes(zipped(*files))
    with pytest.raises(BuildError, match=words):
        list(read_members(tmp_path / "x.zip", lambda _: True, bounds=bounds))


def test_all_says_how_to_read_zstandard(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.put("", **{"tool.tar.zst": zstandard(tarred(("tool", LINUX)))})
    if sys.version_info < (3, 14):
        for name in ("compression.zstd", "backports.zstd"):
            monkeypatch.setitem(sys.modules, name, None)
        result = tool.build("all", code=1).stderr
        assert "is compressed by Zstandard, which this Python cannot read" in result
        assert "`pip install backports.zstd`" in result
        hook = call(lambda: leanspec_build.build_wheel(str(tool.root)), tool.root).stderr
        assert 'others with `requires = ["leanspec-build", "backports.zstd"]`' in hook
        (tool.dist / "tool.tar.zst").rename(tool.dist / "x.tar.zst")
        assert "`pip install backports.zstd`" in tool.build("all", code=1).stderr
        monkeypatch.setitem(sys.modules, "backports.zstd", ZstandardModule())
    assert contents(tool) == {LINUX}


class ZstandardModule(types.ModuleType):
    """Stands for the module that newer Pythons have."""

    def __init__(self) -> None:
        super().__init__("backports.zstd")

    @staticmethod
    def ZstdFile(path: Path) -> io.BytesIO:  # noqa: N802 - its name there
        return io.BytesIO(path.read_bytes()[len(zstandard(b"")) :])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (tarred(("tool", LINUX[:-1] + b"x")), "` changed while its wheel was made"),
        (tarred(), "x.tar` changed while it was read"),
    ],
)
def test_all_refuses_an_archive_that_changes(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, changed: bytes, words: str
) -> None:
    tool.put("", **{"x.tar": tarred(("tool", LINUX))})

    def change(*_: object, **__: object) -> list[WheelEntry]:
        tool.put("", **{"x.tar": changed})
        return []

    monkeypatch.setattr("leanspec_build.any_program.programs.project_entries", change)
    result = tool.build("all", "--out", "out", code=1)
    assert words in result.stderr
    assert not (tool.root / "out").exists()


PEAK = """
import sys
from pathlib import Path
from leanspec_build.__main__ import main
code = main(["all", "--out", "out"])
lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(lines["VmHWM"].split()[0], file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.long
@needs("Linux")
def test_all_has_no_program_in_memory_as_a_whole(tool: Tool) -> None:
    large = b"code" * (12 << 20)
    names = {
        "x86_64": headers.elf(code=large),
        "aarch64": headers.elf("aarch64", loader="/lib/ld-linux-aarch64.so.1", code=large),
    }
    packed = tarred(*((f"{name}/tool", data) for name, data in names.items()))
    tool.put("", **{"x.tar.gz": gzip.compress(packed, 1)})
    result = run([sys.executable, "-c", PEAK], clean_environment(), cwd=tool.root)
    assert len(list((tool.root / "out").iterdir())) == 2
    kilobytes = int(result.stderr.splitlines()[-1])
    assert kilobytes < len(large) * 1.5 / 1024


def test_the_library_of_the_bill_of_materials_is_loaded_behind_the_programs() -> None:
    """It takes 5 MiB: in memory at the same time as a program that is compressed, it would cost so much more."""
    code = "import leanspec_build.hooks, leanspec_build.any_program.all, sys; print(*sys.modules)"
    result = run([sys.executable, "-c", code], clean_environment())
    assert "leanspec_build.wheel" in result.stdout.split()
    assert "cyclonedx" not in result.stdout


def test_an_encrypted_program_in_an_archive_is_named(tool: Tool) -> None:
    data = bytearray(zipped(("tool", LINUX)))
    for magic, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + flags] |= 1
    tool.put("", **{"tool.zip": bytes(data)})
    message = tool.build("all", code=1).stderr
    words = f"`tool` in `{Path('dist/tool.zip')}` is encrypted\nhint: make it again, or unpack it"
    assert words in message


def test_a_member_of_an_archive_cannot_be_excluded_or_named(tool: Tool) -> None:
    tool.put("", **{"x.zip": zipped(("debug/tool", LINUX), ("tool", ARM))})
    tool.edit(
        '"dist"',
        '"dist"\nexclude = ["dist/x.zip/debug", "dist/*.zip/**", "x/y", "dist/*/y"]',
    )
    errors = tool.build("all", "--dry-run").stderr.replace(os.sep, "/")
    for name in ("debug", "**"):
        assert f"{name}`, which lies in `dist/x.zip`: only the whole file can be" in errors
    for name in ("x", "dist/*"):
        assert f"note: `exclude` names `{name}/y`, which does not exist" in errors
    message = tool.build("all", "--from", "dist/x.zip/debug", code=1).stderr
    hint = f"hint: name `{Path('dist/x.zip')}` as a whole: `--from PLACE`, or `from`"
    assert hint in message

"""Libraries that data files put where a program looks for them, and what helps where they are missing."""

from __future__ import annotations

import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support import headers
from tests.support.preconditions import needs
from tests.support.tool import Tool

DYLIB, ADDRESS = 6, 0x1000
# Where a PE header of `headers.pe` has its imports.
IMPORT_DIRECTORY = 64 + 24 + 112 + 8
LC_LOAD_DYLIB, LC_RPATH = 0xC, 0x8000001C


def pe(*needed: str, cpu: str = "x86_64", dll: bool = False) -> bytes:
    """Return a PE file that imports libraries."""
    table, names = b"", b""
    start = ADDRESS + 16 + 20 * (len(needed) + 1)
    for name in needed:
        table += struct.pack("<5I", 1, 0, 0, start + len(names), 1)
        names += name.encode() + b"\0"
    code = headers.CODE.ljust(16, b"\0") + table + bytes(20) + names
    data = bytearray(headers.pe(cpu, code=code, dll=dll))
    struct.pack_into("<II", data, IMPORT_DIRECTORY, ADDRESS + 16, len(table) + 20)
    return bytes(data)


def mach_o(*needed: str, run_path: str = "", kind: int = 2, **fields: object) -> bytes:
    """Return a Mach-O file that loads libraries."""
    commands = [headers.load_command(LC_LOAD_DYLIB, name) for name in needed]
    commands += [headers.load_command(LC_RPATH, run_path)] * bool(run_path)
    return headers.mach_o(kind=kind, commands=commands, **fields)  # type: ignore[arg-type]


def elf(*needed: str, run_path: str | None = None, soname: str | None = None) -> bytes:
    loader = None if soname else headers.GLIBC_LOADER
    names = (*needed, "libc.so.6")
    return headers.elf(loader=loader, needed=names, run_path=run_path, soname=soname)


def bring(tool: Tool, files: dict[str, bytes], folder: str = "bin") -> None:
    """Have data files brought into a folder of the environment."""
    if files:
        tool.edit('"dist"', f'"dist"\ndata-files."{folder}" = ["libraries"]')
    for name, data in files.items():
        path = tool.root / "libraries" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


DLL, DYLIB_FILE = pe(dll=True), mach_o(kind=DYLIB)
LIBRARY = elf(soname="liba.so.1")


@pytest.mark.parametrize(
    ("program", "files", "folder"),
    [
        (pe("FOO32.dll"), {"foo32.DLL": DLL}, "bin"),
        (pe("FOO32.dll"), {"foo32.dll": DLL}, "Scripts"),
        # Windows maps a file without the mark of a library, too.
        (pe("FOO32.dll"), {"FOO32.dll": pe("FOO32.dll")}, "bin"),
        (
            pe("a.dll"),
            {"a.dll": pe("b.dll", "KERNEL32.dll", dll=True), "b.dll": DLL},
            "bin",
        ),
        (mach_o("@loader_path/liba.dylib"), {"liba.dylib": DYLIB_FILE}, "bin"),
        (mach_o("@executable_path/liba.dylib"), {"liba.dylib": DYLIB_FILE}, "bin"),
        (mach_o("@loader_path/../lib/x/liba.dylib"), {"liba.dylib": DYLIB_FILE}, "lib/x"),
        (
            mach_o("@rpath/liba.dylib", run_path="@executable_path/../lib"),
            {"liba.dylib": DYLIB_FILE},
            "lib",
        ),
        (
            mach_o("@loader_path/../lib/liba.dylib"),
            {
                "liba.dylib": mach_o("@loader_path/libb.dylib", kind=DYLIB),
                "libb.dylib": DYLIB_FILE,
            },
            "lib",
        ),
        (elf("liba.so.1", run_path="$ORIGIN"), {"liba.so.1": LIBRARY}, "bin"),
        (elf("liba.so.1", run_path="${ORIGIN}/../lib"), {"liba.so.1": LIBRARY}, "lib"),
    ],
)
def test_a_library_beside_a_program_counts_as_present(
    tool: Tool, program: bytes, files: dict[str, bytes], folder: str
) -> None:
    tool.put("x", tool=program)
    bring(tool, files, folder)
    (wheel,) = tool.all()
    assert "its tags are true" in tool.build("inspect", f"out/{wheel}").stdout
    with zipfile.ZipFile(tool.root / "out" / wheel) as archive:
        names = {Path(name).name for name in archive.namelist()}
    assert names >= {*files}


@pytest.mark.parametrize(
    ("program", "files", "folder", "missing"),
    [
        (pe("FOO32.dll"), {}, "", "FOO32.dll"),
        (pe("FOO32.dll"), {"foo32.dll": DLL}, "share", "FOO32.dll"),
        (pe("FOO32.dll"), {"foo32.dll": pe(cpu="aarch64", dll=True)}, "bin", "FOO32.dll"),
        (pe("FOO32.dll"), {"foo32.dll": b"text"}, "bin", "FOO32.dll"),
        (pe("a.dll"), {"a.dll": pe("b.dll", dll=True)}, "bin", "b.dll"),
        (
            mach_o("@loader_path/a.dylib"),
            {"a.dylib": DYLIB_FILE},
            "lib",
            "@loader_path/a.dylib",
        ),
        (
            mach_o("@loader_path/a.dylib"),
            {"a.dylib": headers.mach_o("x86_64", kind=DYLIB)},
            "bin",
            "@loader_path/a.dylib",
        ),
        (
            mach_o("@loader_path/a.dylib"),
            {"a.dylib": mach_o("@loader_path/../b.dylib", kind=DYLIB)},
            "bin",
            "@loader_path/../b.dylib",
        ),
        (mach_o("@rpath/a.dylib"), {"a.dylib": DYLIB_FILE}, "bin", "@rpath/a.dylib"),
    ],
)
def test_a_library_elsewhere_is_missing(
    tool: Tool, program: bytes, files: dict[str, bytes], folder: str, missing: str
) -> None:
    tool.put("x", tool=program)
    bring(tool, files, folder)
    message = tool.build("all", code=1).stderr
    assert f"it needs `{missing}`, which a " in message
    name = missing.rpartition("/")[2]
    hint = f'hint: put it next to the program: `data-files.bin = ["FOLDER/{name}"]`'
    assert f"{hint}, or link it statically\n" in message


@pytest.mark.parametrize("name", ["libssl-3-x64.dll", "libcrypto.dll", "SSLEAY32.dll"])
def test_a_missing_openssl_is_linked_in_by_a_feature(tool: Tool, name: str) -> None:
    tool.put("x", tool=pe(name))
    words = ", or link it statically: for OpenSSL, with the crate's feature `vendored`\n"
    assert words in tool.build("all", code=1).stderr


def test_a_library_of_a_mac_by_its_path_is_referred_to_by_another_one(tool: Tool) -> None:
    path = "/opt/homebrew/opt/xz/lib/liblzma.5.dylib"
    tool.put("x", tool=mach_o(path))
    command = f"install_name_tool -change {path} @loader_path/liblzma.5.dylib PROGRAM"
    words = f'["FOLDER/liblzma.5.dylib"]` and `{command}`, or link it statically\n'
    assert words in tool.build("all", code=1).stderr


@pytest.mark.parametrize("run_path", [None, "/usr/lib", "$ORIGIN/../lib"])
def test_a_library_of_linux_that_is_not_looked_for_there_makes_a_program_local(
    tool: Tool, run_path: str | None
) -> None:
    tool.put("x", tool=elf("liba.so.1", run_path=run_path))
    bring(tool, {"liba.so.1": LIBRARY})
    assert "`liba.so.1` is in no manylinux policy" in tool.build("all", code=1).stderr


def test_a_library_beside_a_program_has_its_own_limits(tool: Tool) -> None:
    """It raises the tags, needs a signature, and is damaged as a program is."""
    tool.put("x", tool=mach_o("@loader_path/a.dylib"))
    bring(tool, {"a.dylib": mach_o(kind=DYLIB, minimum=(13, 0))})
    (wheel,) = tool.all()
    assert "macosx_13_0_arm64" in wheel
    for data, words in {
        mach_o(kind=DYLIB, signed=False): "its arm64 code is not signed",
        DYLIB_FILE.replace(b"libSystem", b"libSistem"): "it was changed after",
        DYLIB_FILE[:-20]: "a.dylib` is truncated",
    }.items():
        (tool.root / "libraries/a.dylib").write_bytes(data)
        assert words in tool.build("all", "--out", "more", code=1).stderr


@needs("Linux", "gcc")
def test_a_program_finds_the_library_beside_it(tool: Tool) -> None:
    for name in ("bin", "dist"):
        (tool.root / name).mkdir()
    sources = {
        "a.c": "int a(void) { return 7; }",
        "m.c": "int a(void); int main(void) { return a(); }",
    }
    for name, text in sources.items():
        (tool.root / name).write_text(text)
    library, program = tool.root / "bin/liba.so.1", tool.root / "dist/tool"
    commands: list[list[str | Path]] = [
        ["gcc", "-shared", "-fPIC", "-Wl,-soname,liba.so.1", "a.c", "-o", library],
        ["gcc", "m.c", library, "-Wl,-rpath,$ORIGIN", "-o", program],
    ]
    for command in commands:
        subprocess.run(command, cwd=tool.root, check=True)
    tool.edit('"dist"', '"dist"\ndata-files.bin = ["bin/*"]')
    (wheel,) = tool.all()
    assert "manylinux_" in wheel
    with zipfile.ZipFile(tool.root / "out" / wheel) as archive:
        archive.extractall(tool.root / "installed")
    installed = tool.root / "installed/a_tool-1.2.3.data/scripts/tool"
    installed.chmod(0o755)
    assert subprocess.run([installed], check=False).returncode == 7

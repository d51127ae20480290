"""Programs of platforms that nobody asked for: what is wrong with them stops no build for another one."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import zipfile
from pathlib import Path

import leanspec_build
import pytest
from leanspec_build.any_program import packed

from tests.support import headers
from tests.support.inside import call
from tests.support.preconditions import needs
from tests.support.tool import Tool

STATIC = headers.elf(loader=None, needed=())
INTEL_MAC = headers.mach_o("x86_64", minimum=(10, 12))
NEWER_MAC = headers.mach_o("x86_64", minimum=(13, 0))
BROKEN_MAC = headers.mach_o().replace(b"libSystem", b"libSistem")
UNSIGNED_MAC = headers.mach_o(signed=False)
TRUNCATED = "is truncated: "


def zipped(**files: bytes) -> bytes:
    """Return an archive of programs, a folder each."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for folder, data in files.items():
            archive.writestr(f"{folder}/tool", data)
    return buffer.getvalue()


def both_hooks(tool: Tool, **settings: str) -> str:
    """Return the notes of the metadata and of the wheel, which a frontend asks for."""
    folder = tool.root / "built"
    folder.mkdir(exist_ok=True)

    def build() -> None:
        leanspec_build.prepare_metadata_for_build_wheel(str(folder), settings)
        leanspec_build.build_wheel(str(folder), settings)

    result = call(build, tool.root)
    return result.stderr if result.returncode == 0 else f"failed: {result.stderr}"


@pytest.mark.parametrize(
    ("files", "platform", "words"),
    [
        ({"m": INTEL_MAC, "n": NEWER_MAC}, "darwin-x64", "have different programs"),
        ({"m": BROKEN_MAC}, "darwin-arm64", "it was changed after it was signed"),
        ({"m": UNSIGNED_MAC}, "darwin-arm64", "its arm64 code is not signed"),
        ({"m": headers.universal(INTEL_MAC, UNSIGNED_MAC)}, "darwin-x64", "not signed"),
        ({"m": headers.mach_o()[:-200]}, "darwin-arm64", TRUNCATED),
        ({"m": headers.universal(INTEL_MAC, NEWER_MAC)}, "darwin-x64", "several slices"),
        ({"m": headers.universal(INTEL_MAC)[:-200]}, "darwin-x64", TRUNCATED),
        ({"w": headers.pe()[:-100]}, "windows-x64", TRUNCATED),
        ({"w": headers.pe("aarch64")[:-100]}, "windows-arm64", TRUNCATED),
        ({"w": headers.pe(), "x": headers.pe(code=b"x")}, "windows-x64", "different"),
        ({"l": headers.elf("aarch64")[:-20]}, "linux-arm64", TRUNCATED),
        ({"l": headers.elf("s390x")[:-20]}, "linux-s390x", TRUNCATED),
    ],
)
def test_a_wrong_program_stops_its_own_platform_alone(
    tool: Tool, files: dict[str, bytes], platform: str, words: str
) -> None:
    tool.put("here", tool=STATIC)
    for folder, data in files.items():
        tool.put(folder, tool=data)
    result = tool.build("all", "--platform", "linux-x64", "--out", "out")
    (line,) = [line for line in result.stderr.splitlines() if words in line]
    assert line.startswith("note: ")
    assert line.endswith(": passed by")
    assert words in both_hooks(tool, platform="linux-x64")
    for arguments in (
        (),
        ("--platform", platform),
        ("--platform", "linux-x64", "--platform", platform),
    ):
        error = tool.build("all", *arguments, code=1).stderr
        assert f"{words}" in error.partition("hint: ")[0]
        assert error.startswith("error: ")
    assert both_hooks(tool, platform=platform).startswith("failed: error: ")


STARTS = [b"\x7fELF\2\1\1", b"MZ", b"\xca\xfe\xba\xbe\0\0\0\2"]
REQUEST = ("all", "--platform", "linux-x64")


@pytest.mark.parametrize("name", ["tool", "tool.exe", "tool-windows.zip", "all.zip"])
@pytest.mark.parametrize("start", STARTS)
def test_a_file_without_a_machine_stops_a_build_that_nothing_else_serves(
    tool: Tool, name: str, start: bytes
) -> None:
    data = zipped(one=start, two=headers.pe()) if name == "all.zip" else start
    tool.put("other", **{name: data})
    tool.put("w", tool=headers.pe())
    assert tool.build(*REQUEST, code=1).stderr.startswith("error: `")
    tool.put("here", tool=STATIC)
    result = tool.build(*REQUEST)
    assert ": passed by\n" in result.stderr


@pytest.mark.parametrize(
    ("name", "is_passed_by"),
    [
        ("tool-x86_64-unknown-linux-gnu.zip", False),
        ("tool-linux.zip", False),
        ("tool-amd64.zip", False),
        ("tool.zip", False),
        ("tool.gz", False),
        ("tool-x86_64-unknown-linux-musl.zip", True),
        ("tool-linux-arm64.tar.gz", True),
        ("tool-x86_64-pc-windows-gnu.zip", True),
        ("tool-macos.zip", True),
    ],
)
def test_a_damaged_archive_is_passed_by_for_another_platform_in_its_name(
    tool: Tool, name: str, *, is_passed_by: bool
) -> None:
    tool.put("here", tool=STATIC)
    (tool.dist / name).write_bytes(zipped(x=STATIC)[:-40])
    assert tool.build("all", code=1).stderr.startswith(f"error: `{Path('dist', name)}` ")
    start = "note" if is_passed_by else "error"
    result = tool.build(*REQUEST, code=not is_passed_by)
    assert result.stderr.startswith(f"{start}: `{Path('dist', name)}` ")


@pytest.mark.parametrize("name", ["tool-windows.zip", "any.zip", "outer.zip"])
def test_a_full_disk_is_always_an_error(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tool.put("here", tool=STATIC)
    data = zipped(x=STATIC)
    if name == "outer.zip":
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            archive.writestr("inner.zip", data)
        data = inner.getvalue()
    (tool.dist / name).write_bytes(data)

    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(packed, "load_bytes", fill)
    error = tool.build(*REQUEST, code=1).stderr
    words = f"cannot unpack `{Path('dist', name)}`: {os.strerror(errno.ENOSPC)}"
    assert error.startswith(f"error: {words}\nhint: free space there, ")


def test_two_programs_of_one_name_in_an_archive_stop_no_other_one(tool: Tool) -> None:
    tool.dist.mkdir()
    with zipfile.ZipFile(tool.dist / "all.zip", "w") as archive:
        for name, data in (("w", headers.pe()), ("w", b"MZ"), ("l", STATIC)):
            with pytest.warns() if data == b"MZ" else contextlib.nullcontext():
                archive.writestr(f"{name}/tool", data)
    words = f"`{Path('dist/all.zip')}` has two different files `w/tool`"
    assert f"note: {words}: passed by" in tool.build(*REQUEST).stderr
    assert f"error: {words}\nhint: make it again" in tool.build("all", code=1).stderr


def test_two_parts_for_another_platform_stop_no_build(tool: Tool) -> None:
    tool.edit('["tool"]', '["tool", "server"]')
    tool.put("here", tool=STATIC, server=STATIC)
    for folder, data in {"m": INTEL_MAC, "n": NEWER_MAC}.items():
        tool.put(folder, tool=data)
    tool.put("o", server=INTEL_MAC)
    words = "both have `tool` for darwin-x64"
    assert words in tool.build(*REQUEST).stderr
    assert words in tool.build("all", code=1).stderr


def test_a_missing_mac_stops_no_build_for_linux(tool: Tool) -> None:
    tool.edit('"dist"', '"dist"\nuniversal2 = true')
    tool.put("here", tool=STATIC)
    tool.put("m", tool=INTEL_MAC)
    words = "`universal2` wants programs for darwin-x64 and darwin-arm64"
    assert f"note: {words}" in tool.build(*REQUEST).stderr
    for platform in ("darwin-x64", "darwin-arm64"):
        assert f"error: {words}" in tool.build("all", "--platform", platform, code=1).stderr


def test_a_place_with_programs_of_others_alone_is_no_error(tool: Tool) -> None:
    tool.edit('"dist"', '["dist/w", "dist/here"]')
    tool.put("w", tool=headers.pe()[:-100])
    tool.put("here", tool=STATIC)
    assert TRUNCATED in tool.build(*REQUEST).stderr
    tool.edit('["dist/w", "dist/here"]', '"dist/w"')
    message = tool.build(*REQUEST, code=1).stderr
    assert TRUNCATED in message
    assert "hint: build for `linux-x64`, or name another place" in message


@needs("Linux")
def test_a_frontend_asks_for_this_machine(tool: Tool) -> None:
    tool.put("m", tool=BROKEN_MAC)
    tool.put("w", tool=headers.pe()[:-100])
    for cpu in headers.ELF_MACHINES:
        tool.put(cpu, tool=headers.elf(cpu, loader=None, needed=()))
    assert not both_hooks(tool).startswith("failed")

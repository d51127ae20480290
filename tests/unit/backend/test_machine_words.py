"""File names of programs that say a machine: which one `all` names, and when their bytes say another one."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from leanspec_build.any_program.names import program_of, wrong_version, wrong_word
from leanspec_build.formats.executable import parse_executable
from packaging.version import Version

from tests.support import headers
from tests.support.tool import Tool

LINUX = headers.elf()
STATIC = headers.elf(kind=2, loader=None, needed=[])
MUSL = headers.elf(loader="/lib/ld-musl-x86_64.so.1", needed=["libc.musl-x86_64.so.1"])
ARM_MAC = headers.mach_o()
BOTH_MACS = headers.universal(headers.mach_o("x86_64"), headers.mach_o())


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("tool-linux-arm64", LINUX, "arm64"),
        ("tool-windows-amd64.exe", LINUX, "windows"),
        ("tool-x86_64-apple-darwin", LINUX, "apple"),
        ("tool-x86_64-unknown-linux-musl", LINUX, "musl"),
        ("tool-x86_64-unknown-linux-gnu", MUSL, "gnu"),
        ("tool-linux-i386", LINUX, "i386"),
        ("tool_darwin_amd64", ARM_MAC, "amd64"),
        ("tool-win64.exe", headers.pe("aarch64"), None),
        ("tool-v1.2.3-linux-x86_64", LINUX, None),
        ("tool-x86_64-unknown-linux-musl", STATIC, None),
        ("tool-x86_64-unknown-linux-gnu", STATIC, None),
        ("tool-macos-x64-arm64", BOTH_MACS, None),
        ("tool-macos-universal", BOTH_MACS, None),
        ("tool-macos-arm", ARM_MAC, None),
        ("tool-win32-x64.exe", headers.pe(), None),
        ("tool-linux-x86", LINUX, None),
        ("tool-arm64ec-pc-windows-msvc", headers.pe(), None),
        ("tool-ubuntu-22.04-arm64", LINUX, "arm64"),
        ("tool-alpine-amd64", LINUX, "alpine"),
        ("tool-alpine-amd64", MUSL, None),
        ("tool-linux-gnu2.17-amd64", MUSL, "gnu"),
        ("tool", LINUX, None),
        ("another-windows", LINUX, None),
    ],
)
def test_a_word_in_a_name_is_wrong_if_no_code_is_for_it(
    name: str, data: bytes, word: str | None
) -> None:
    assert wrong_word(name, ["tool"], parse_executable(data, "it")) == word


@pytest.mark.parametrize(
    "ending",
    [
        *("ubuntu-22.04-amd64", "ubuntu-latest", "windows-11-arm", "macos-14-large"),
        *("alpine-amd64", "debian12-amd64", "arm32v7", "linux-arm64v8", "linux-arm-v7"),
        *("x86_64-unknown-linux-gnu2.17", "linux-musl1.2-arm64", "manylinux_2_28_x86_64"),
        *("linux_amd64v3", "linux_386_sse2", "darwin_all", "linux-aarch_64", "linux-arm7"),
        *("win32-ia32-msvc", "linuxmusl-x64", "x86_64-w64-mingw32", "darwin20-arm64"),
        *("armv5te-unknown-linux-gnueabi", "mips64el-unknown-linux-gnuabi64", "rhel8-x64"),
        *("sparcv9-sun-solaris", "thumbv7neon-unknown-linux-gnueabihf", "linux-armv6hf"),
    ],
)
def test_names_of_runners_images_and_builds_say_a_machine(ending: str) -> None:
    for name in (f"tool-{ending}", f"tool_{ending.upper()}.exe"):
        assert program_of(name, ["tool"]) == ("tool", name.removeprefix("tool"))


@pytest.mark.parametrize(
    "ending",
    [
        *("latest", "all", "fips-linux", "linux-dynamic", "gnu2-server", "box-linux"),
        *("debian", "ios", "ubuntu-server-amd64"),
    ],
)
def test_names_with_any_other_word_do_not_say_a_machine(ending: str) -> None:
    assert program_of(f"tool-{ending}", ["tool"]) is None


def test_all_names_the_file_whose_name_says_the_machine(tool: Tool) -> None:
    tool.put("", **{"tool-linux": LINUX, "tool-macos": ARM_MAC, "tool": headers.pe()})
    places = {Path(str(wheel["from"])) for wheel in tool.all().values()}
    names = ("tool", "tool-linux", "tool-macos")
    assert places == {Path("dist", name) for name in names}


def test_all_names_each_file_of_several_programs(tool: Tool) -> None:
    tool.edit('["tool"]', '["tool", "more"]')
    tool.put("", **{"more-linux": LINUX, "tool-linux": LINUX})
    (wheel,) = tool.all().values()
    first, second = Path("dist/tool-linux"), Path("dist/more-linux")
    assert wheel["from"] == f"{first} and {second}"


def test_all_notes_a_file_that_is_called_by_another_machine(tool: Tool) -> None:
    tool.put("", **{"tool-linux-arm64": LINUX})
    path = Path("dist/tool-linux-arm64")
    words = f"note: `{path}` is called `arm64`, and is for linux-x64\n"
    assert words in tool.build("all", "--dry-run").stderr


def test_all_notes_an_archive_that_is_called_by_another_machine(tool: Tool) -> None:
    tool.dist.mkdir()
    with tarfile.open(tool.dist / "tool_windows_amd64.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("tool")
        member.size = len(LINUX)
        archive.addfile(member, io.BytesIO(LINUX))
    path = Path("dist/tool_windows_amd64.tar.gz/tool")
    words = f"note: `{path}` is called `windows`, and is for linux-x64\n"
    assert words in tool.build("all", "--dry-run").stderr


def test_all_notes_nothing_of_a_folder_above_the_project(tool: Tool) -> None:
    root = tool.root.rename(tool.root.with_name("tool-windows"))
    moved = Tool(root)
    moved.put("", tool=LINUX)
    stderr = moved.build("all", "--dry-run", "--from", moved.dist).stderr
    assert "is called" not in stderr


@pytest.mark.parametrize(
    ("name", "version", "other"),
    [
        ("tool-v0.9.0-linux-arm64", "1.0.0", "v0.9.0"),
        ("tool_0.9.0_linux_amd64", "1.0.0", "0.9.0"),
        ("Tool-1.0.0-RC.1", "1.0.0", "1.0.0-rc.1"),
        ("tool-1.0.0-rc.1-linux", "1.0.0rc2", "1.0.0-rc.1"),
        ("tool-1.0.0", "1.0.0rc1", "1.0.0"),
        ("tool-1.0-linux-arm64", "1.1.0", "1.0"),
        ("tool@0.9.0", "1.0.0", "0.9.0"),
        ("tool-1.0.0.post1", "1.0.0.post2", "1.0.0.post1"),
        ("tool-0.9.0", "1.0.0.post1", "0.9.0"),
        ("tool-1.0.0-linux-amd64", "1.0.0.post1", None),
        ("tool-1.0.0-1-linux-amd64", "1.0.0.post1", None),
        ("tool-linux-amd64-0.9.0", "1.0.0", None),
        ("tool-deps-3.2.1", "1.0.0", None),
        ("tool-amd64-rhel-8.10.1", "1.0.0", None),
        ("tool-centos-7.9.2009-x86_64", "1.0.0", None),
        ("tool-v1.0.0-linux-arm64", "1.0.0", None),
        ("tool-1.0-linux-arm64", "1.0.3", None),
        ("tool-1.0.0-rc.1.linux", "1.0.0rc1", None),
        ("tool-1.0.0-beta2-linux-arm64", "1.0.0b2", None),
        ("tool_1.0.0~rc1_amd64", "1.0.0rc1", None),
        ("tool-1.0.0-linux", "1.0.0+local", None),
        ("tool-1.0.0.post1-arm64", "1!1.0.0", "1.0.0.post1"),
        ("tool-1.0.0-a1b2c3d-linux", "1.0.0", None),
        ("tool-linux_arm64_v8.0", "1.0.0", None),
        ("tool-ubuntu-22.04-amd64", "1.0.0", None),
        ("tool-macos-10.15.7-x64", "1.0.0", None),
        ("tool-x86_64-unknown-linux-gnu.2.17", "1.0.0", None),
        ("tool-2-linux", "1.0.0", None),
        ("too-ubuntu-22.04", "1.0.0", None),
        ("more-0.9.0", "1.0.0", None),
        ("toolbox-0.9.0", "1.0.0", None),
        ("tool", "1.0.0", None),
        ("0.9.0", "1.0.0", None),
    ],
)
def test_a_version_in_a_name_is_wrong_if_it_is_another_one(
    name: str, version: str, other: str | None
) -> None:
    assert wrong_version(name, ["tool", "too"], Version(version)) == other


def test_all_notes_a_file_or_an_archive_that_is_called_by_another_version(
    tool: Tool,
) -> None:
    tool.put("", **{"tool-v1.2.2-linux": LINUX, "tool-1.2.3-macos": ARM_MAC})
    with tarfile.open(tool.dist / "a-tool_1.2.4_windows.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("tool-1.2.3/tool.exe")
        member.size = len(headers.pe())
        archive.addfile(member, io.BytesIO(headers.pe()))
    errors = tool.build("all", "--dry-run").stderr.replace(os.sep, "/")
    words = "and the project has version 1.2.3\n"
    assert f"note: `dist/tool-v1.2.2-linux` is called `v1.2.2`, {words}" in errors
    place = "dist/a-tool_1.2.4_windows.tar.gz/tool-1.2.3/tool.exe"
    assert f"note: `{place}` is called `1.2.4`, {words}" in errors
    assert errors.count("is called") == 2


def test_all_notes_another_version_in_the_name_of_a_renamed_file(tool: Tool) -> None:
    tool.put("", **{"more-0.9.0-linux": LINUX, "more-ubuntu-24.04.exe": headers.pe()})
    errors = tool.build("all", "--dry-run", "--from", "dist/more*").stderr
    assert "is called `0.9.0`, and the project has version 1.2.3" in errors
    assert errors.count("the project has version") == 1
    tool.put("", **{"tool-nix-22.04-amd64": LINUX, "ubuntu-22.04": ARM_MAC})
    places = ("--from", "dist/tool-nix-22.04-amd64", "--from", "dist/ubuntu-22.04")
    errors = tool.build("all", "--dry-run", *places).stderr
    assert "the project has version" not in errors

"""Programs that lie in a folder each, as `goreleaser build` leaves several builds."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from tests.support import headers
from tests.support.tool import Tool

OLD = headers.elf(versions={"libc.so.6": ["GLIBC_2.17"]})
NEW = headers.elf(versions={"libc.so.6": ["GLIBC_2.34"]})
STATIC = headers.elf(loader=None, needed=())
MUSL = headers.elf(loader="/lib/ld-musl-x86_64.so.1", needed=("libc.musl-x86_64.so.1",))
FREEBSD = headers.elf(osabi=9)
MACOS = headers.mach_o()
IOS = headers.mach_o("x86_64", signed=False).replace(
    struct.pack("<III", 0x32, 24, 1), struct.pack("<III", 0x32, 24, 2)
)


@pytest.fixture
def pair(tool: Tool) -> Tool:
    """Return a project of two programs."""
    tool.edit('["tool"]', '["tool", "server"]')
    return tool


def put(pair: Tool, machine: str, tool: bytes, server: bytes) -> None:
    pair.put(f"tool_{machine}", tool=tool)
    pair.put(f"server_{machine}", server=server)


def places(pair: Tool) -> set[str]:
    """Return where the programs of each wheel are from, without the folder around."""
    wheels = json.loads(pair.build("all", "--dry-run", "--json").stdout)
    return {
        str(wheel["from"]).replace(str(Path("dist/x")).removesuffix("x"), "")
        for wheel in wheels
    }


def test_all_joins_programs_for_the_same_machine(pair: Tool) -> None:
    put(pair, "linux_amd64_v1", OLD, STATIC)
    put(pair, "darwin_arm64", MACOS, MACOS)
    assert places(pair) == {
        "tool_linux_amd64_v1 and server_linux_amd64_v1",
        "tool_darwin_arm64 and server_darwin_arm64",
    }


@pytest.mark.parametrize("pattern", ["dist", "dist/*"])
def test_all_names_a_program_without_the_others(pair: Tool, pattern: str) -> None:
    pair.edit('"dist"', f'"{pattern}"')
    put(pair, "linux", OLD, OLD)
    pair.put("alone", tool_exe=headers.pe())
    pair.put("script", server=b"#!/bin/sh\n")
    errors = pair.build("all", "--dry-run").stderr.splitlines()
    alone, script = (Path("dist", name) for name in ("alone", "script"))
    assert f"note: `{alone}` has `tool.exe`, but not `server.exe`: passed by" in errors
    assert any(
        line.startswith(f"note: `{script / 'server'}` is a script") for line in errors
    )
    assert len(errors) == 3


def test_all_refuses_two_programs_of_one_name_for_a_machine(pair: Tool) -> None:
    put(pair, "linux_amd64_v1", OLD, STATIC)
    pair.put("server_linux_amd64_v3", server=OLD)
    errors = pair.build("all", code=1).stderr
    assert "both have `server` for linux-x64\n" in errors
    assert "hint: leave one of them out by `exclude` under" in errors
    pair.edit('"dist"', '"dist"\nexclude = ["dist/*_v3"]')
    assert places(pair) == {"tool_linux_amd64_v1 and server_linux_amd64_v1"}


def test_all_joins_programs_of_one_c_library(pair: Tool) -> None:
    put(pair, "gnu", OLD, OLD)
    put(pair, "musl", MUSL, MUSL)
    put(pair, "static", STATIC, STATIC)
    put(pair, "bsd", FREEBSD, FREEBSD)
    kinds = ("gnu", "musl", "static")
    assert places(pair) == {f"tool_{kind} and server_{kind}" for kind in kinds}


def test_all_passes_by_parts_beside_a_folder_for_their_machine(pair: Tool) -> None:
    put(pair, "old", NEW, NEW)
    pair.put("whole", tool=OLD, server=OLD)
    assert places(pair) == {"whole"}


@pytest.mark.parametrize("pattern", ['"dist"', '["dist/server_*", "dist/tool_*"]'])
def test_a_damaged_part_stops_its_own_platform_alone(pair: Tool, pattern: str) -> None:
    pair.edit('"dist"', pattern)
    put(pair, "linux", OLD, STATIC)
    put(pair, "windows", headers.pe(), headers.pe()[:-100])
    damaged = Path("dist/server_windows/server")
    for request in ((), ("--platform", "windows-x64")):
        error = pair.build("all", *request, code=1).stderr
        assert error.startswith(f"error: `{damaged}` is truncated: ")
    result = pair.build("all", "--platform", "linux-x64")
    assert f"note: `{damaged}` is truncated: " in result.stderr


@pytest.mark.parametrize("program", [FREEBSD, IOS])
def test_parts_for_no_machine_that_has_a_tag_are_programs_all_the_same(
    pair: Tool, program: bytes
) -> None:
    pair.edit('"dist"', '["dist/one", "dist/two"]')
    put(pair, "bsd", program, program)
    pair.dist.joinpath("two").mkdir()
    for name in ("tool_bsd", "server_bsd"):
        (pair.dist / name).rename(pair.dist / "two" / name)
    pair.put("one", tool=OLD, server=OLD)
    assert places(pair) == {"one"}


def test_a_hint_names_all_folders_of_joined_programs(pair: Tool) -> None:
    pair.edit('"dist"', '["dist/debug/*", "dist/other"]')
    pair.put("debug/a", tool=OLD)
    pair.put("debug/b", server=OLD)
    pair.put("other", tool=NEW, server=NEW)
    errors = pair.build("all", code=1).stderr
    assert "have different programs for the same machines (linux-x64)" in errors
    assert 'as `exclude = ["dist/debug/a", "dist/debug/b"]` does' in errors


def test_all_joins_programs_of_two_places(pair: Tool) -> None:
    pair.edit('"dist"', '["dist/one", "dist/two"]')
    pair.put("one", tool=OLD, tool_exe=headers.pe())
    pair.put("two", server=STATIC, server_exe=headers.pe())
    tags = [wheel["platform_tags"] for wheel in pair.all().values()]
    assert tags == [["manylinux_2_17_x86_64", "manylinux2014_x86_64"], ["win_amd64"]]
    assert places(pair) == {
        f"{Path('one/tool')} and {Path('two/server')}",
        f"{Path('one/tool.exe')} and {Path('two/server.exe')}",
    }


def test_all_names_both_places_of_programs_for_different_machines(pair: Tool) -> None:
    pair.edit('"dist"', '["dist/one", "dist/two"]')
    pair.put("one", tool=OLD)
    pair.put("two", server_exe=headers.pe())
    errors = pair.build("all", code=1).stderr
    one, two = Path("dist/one"), Path("dist/two")
    assert errors.startswith("error: no folder or archive in `dist/one`, `dist/two` has")
    assert f"\n  `{one}` has `tool`, but not `server`\n" in errors
    assert f"\n  `{two}` has `server.exe`, but not `tool.exe`\n" in errors


def test_all_names_a_place_beside_one_with_all_programs(pair: Tool) -> None:
    pair.edit('"dist"', '["dist/one", "dist/two"]')
    pair.put("one", tool=OLD)
    pair.put("two", tool=OLD, server=OLD)
    errors = pair.build("all", code=1).stderr
    assert errors.startswith("error: no folder or archive in `dist/one` has `tool`")


def test_all_refuses_two_places_with_one_program_for_a_machine(pair: Tool) -> None:
    pair.edit('"dist"', '["dist/one", "dist/two", "dist/three"]')
    pair.put("one", tool=OLD)
    pair.put("two", tool=NEW)
    pair.put("three", server=OLD)
    errors = pair.build("all", code=1).stderr
    one, two = Path("dist/one"), Path("dist/two")
    assert f"`{one}` and `{two}` both have `tool` for linux-x64\n" in errors

"""`inspect`: what it says of executables and wheels, and whether a wheel's name is true."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from scripts.build.inspection import LOOSE, STRICT, TRUE, inspect_file
from tests.support import headers

Scripts = Callable[..., CompletedProcess[str]]
KEYS = {
    "format",
    "platform",
    "cpus",
    "libc",
    "libc_floor",
    "macos_minimum",
    "needed",
    "platform_tags",
    "publishable",
    "reasons",
}
GLIBC = headers.elf(versions={"libc.so.6": ["GLIBC_2.17"]})
STATIC = headers.elf(kind=2, loader=None, needed=[])
MUSL = headers.elf(loader="/lib/ld-musl-x86_64.so.1", needed=["libc.musl-x86_64.so.1"])
UNIVERSAL = headers.universal(headers.mach_o("x86_64", minimum=(10, 12)), headers.mach_o())


def wheel(folder: Path, tags: str, *programs: bytes) -> Path:
    path = folder / f"tool-1.0-py3-none-{tags}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tool/__init__.py", "")
        for number, data in enumerate(programs):
            archive.writestr(f"tool-1.0.data/scripts/tool{number}", data)
    return path


@pytest.mark.parametrize(
    ("tags", "programs", "verdict"),
    [
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", [GLIBC], TRUE),
        ("manylinux2014_x86_64", [GLIBC], TRUE),
        ("manylinux_2_28_x86_64", [GLIBC], STRICT),
        ("manylinux_2_12_x86_64", [GLIBC], LOOSE),
        ("manylinux_2_17_aarch64", [GLIBC], LOOSE),
        ("musllinux_1_2_x86_64", [GLIBC], LOOSE),
        ("manylinux_2_5_x86_64", [STATIC], STRICT),
        ("manylinux_2_5_x86_64.musllinux_1_1_x86_64", [STATIC], TRUE),
        ("musllinux_1_2_x86_64", [MUSL], TRUE),
        ("any", [GLIBC], LOOSE),
        ("any", [], TRUE),
        ("manylinux_2_17_x86_64", [GLIBC, STATIC], TRUE),
        ("manylinux_2_5_x86_64", [GLIBC, STATIC], LOOSE),
        ("macosx_11_0_arm64", [headers.mach_o(minimum=(13, 0))], LOOSE),
        ("macosx_10_12_universal2", [UNIVERSAL], TRUE),
        ("macosx_10_9_universal2", [UNIVERSAL], LOOSE),
        ("win_amd64", [headers.pe()], TRUE),
        ("win_amd64", [headers.pe("aarch64")], LOOSE),
        ("linux_x86_64", [headers.elf(needed=["libssl.so.3"])], TRUE),
        ("manylinux_2_34_x86_64", [headers.elf(needed=["libssl.so.3"])], LOOSE),
    ],
)
def test_the_verdict_on_a_name(tmp_path: Path, tags: str, programs: list[bytes], verdict: str) -> None:
    assert inspect_file(wheel(tmp_path, tags, *programs)).facts["verdict"] == verdict


def test_the_real_programs_and_wheels(scripts: Scripts, binaries: Path, dist: Path) -> None:
    program = binaries / "cli/binaries/linux-x64/leanspec"
    found = json.loads(scripts("inspect", program, *sorted(dist.glob("*linux*.whl")), "--json").stdout)
    assert set(found[0]) == KEYS | {"file"}
    assert found[0]["platform"] == "linux-x64"
    assert (found[0]["libc"], found[0]["libc_floor"]) == ("glibc", "2.34")
    assert (found[0]["platform_tags"], found[0]["publishable"]) == (["linux_x86_64"], False)
    assert [each["verdict"] for each in found[1:]] == [TRUE] * 3


def test_a_bomb_is_not_unpacked(scripts: Scripts, tmp_path: Path) -> None:
    path = tmp_path / "tool-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("tool/zeros", "w") as entry:
        for _ in range(600):
            entry.write(bytes(1_000_000))
    assert "unpacks to 600000000 bytes" in scripts("inspect", path, code=1).stderr


def test_people_see_the_reason(scripts: Scripts, tmp_path: Path) -> None:
    loose = wheel(tmp_path, "manylinux_2_12_x86_64", GLIBC)
    done = scripts("inspect", loose, code=1)
    assert "too loose" in done.stdout
    assert "it promises manylinux 2.12 x86_64, its content needs manylinux 2.17 x86_64" in done.stdout


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("script", b"#!/bin/sh\n", "is a script"),
        ("tool-1.0-py3-none-any.whl", b"no zip", "is not a readable wheel"),
        ("nonsense.whl", b"", "is not the name of a wheel"),
    ],
)
def test_what_is_neither_is_named(scripts: Scripts, tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert words in scripts("inspect", tmp_path / name, code=1).stderr


def test_a_rebuild_gives_the_same_bytes_and_one_changed_byte_is_seen(
    scripts: Scripts, dist: Path, binaries: Path, tmp_path: Path
) -> None:
    shutil.copytree(dist, tmp_path / "dist")
    changed = next((tmp_path / "dist").glob("leanspec_mcp_bin-*linux*.whl"))
    changed.write_bytes(changed.read_bytes() + b"\0")
    done = scripts("rebuild-check", tmp_path / "dist", "--binaries", binaries, "--json", code=1)
    found = {each["name"]: each["same"] for each in json.loads(done.stdout)}
    assert found == {path.name: path.name != changed.name for path in dist.iterdir()}

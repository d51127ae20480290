"""`inspect`: what it says of executables and wheels, and whether a wheel's name is true."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from leanspec_build.inspection import Verdict, WheelFacts

from leanspec_launcher.commands import CommandError
from scripts.wheels.inspection import MAKE, MAKE_AGAIN, inspect_file
from tests.support import headers
from tests.support.releases import Scripts
from tests.support.wheel_files import rewrite

KEYS = {
    *("format", "platform", "cpus", "libc", "libc_floor", "macos_minimum", "needed"),
    *("signatures", "platform_tags", "publishable", "reasons"),
}
ANOTHER = "name a compiled program, or a wheel"
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
        for name in ("METADATA", "WHEEL", "RECORD"):
            archive.writestr(f"tool-1.0.dist-info/{name}", "")
    rewrite(path, {})
    return path


@pytest.mark.parametrize(
    ("tags", "programs", "verdict"),
    [
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", [GLIBC], Verdict.TRUE),
        ("manylinux2014_x86_64", [GLIBC], Verdict.TRUE),
        ("manylinux_2_28_x86_64", [GLIBC], Verdict.STRICT),
        ("manylinux_2_12_x86_64", [GLIBC], Verdict.LOOSE),
        ("manylinux_2_17_aarch64", [GLIBC], Verdict.LOOSE),
        ("musllinux_1_2_x86_64", [GLIBC], Verdict.LOOSE),
        ("manylinux_2_5_x86_64", [STATIC], Verdict.STRICT),
        ("manylinux_2_5_x86_64.musllinux_1_1_x86_64", [STATIC], Verdict.TRUE),
        ("musllinux_1_2_x86_64", [MUSL], Verdict.TRUE),
        ("any", [GLIBC], Verdict.LOOSE),
        ("any", [], Verdict.TRUE),
        ("manylinux_2_17_x86_64", [GLIBC, STATIC], Verdict.TRUE),
        ("manylinux_2_5_x86_64", [GLIBC, STATIC], Verdict.LOOSE),
        ("macosx_11_0_arm64", [headers.mach_o(minimum=(13, 0))], Verdict.LOOSE),
        ("macosx_10_12_universal2", [UNIVERSAL], Verdict.TRUE),
        ("macosx_10_9_universal2", [UNIVERSAL], Verdict.LOOSE),
        ("win_amd64", [headers.pe()], Verdict.TRUE),
        ("win_amd64", [headers.pe("aarch64")], Verdict.LOOSE),
        ("linux_x86_64", [headers.elf(needed=["libssl.so.3"])], Verdict.TRUE),
        ("manylinux_2_34_x86_64", [headers.elf(needed=["libssl.so.3"])], Verdict.LOOSE),
    ],
)
def test_inspect_judges_the_tags_of_a_name(
    tmp_path: Path, tags: str, programs: list[bytes], verdict: Verdict
) -> None:
    facts = inspect_file(wheel(tmp_path, tags, *programs)).facts
    assert isinstance(facts, WheelFacts)
    assert facts.verdict is verdict


def test_inspect_describes_a_real_program(scripts: Scripts, binaries: Path) -> None:
    """What it reads is compared with readelf by the backend's tests."""
    program = binaries / "cli/binaries/linux-x64/leanspec"
    (facts,) = json.loads(scripts("inspect", program, "--json").stdout)["files"]
    assert set(facts) == KEYS | {"file"}
    assert facts["platform"] == "linux-x64"
    assert (facts["libc"], facts["libc_floor"]) == ("glibc", "2.34")
    assert (facts["platform_tags"], facts["publishable"]) == (["linux_x86_64"], False)


def test_inspect_agrees_with_the_names_of_our_wheels(
    scripts: Scripts, stand_in: Path
) -> None:
    wheels = [path for path in stand_in.glob("dist/*.whl") if "-any" not in path.name]
    verdicts = json.loads(scripts("inspect", *wheels, "--json").stdout)["files"]
    assert [wheel["verdict"] for wheel in verdicts] == [Verdict.TRUE] * 3


def test_inspect_does_not_unpack_a_bomb(scripts: Scripts, tmp_path: Path) -> None:
    path = tmp_path / "tool-1.0-py3-none-any.whl"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("tool/zeros", "w") as entry,
    ):
        for _ in range(600):
            entry.write(bytes(1_000_000))
    text = "more than the 536870912 bytes that are read"
    assert text in scripts("inspect", path, code=1).stderr


def test_inspect_prints_the_reason_for_a_tag(scripts: Scripts, tmp_path: Path) -> None:
    loose = wheel(tmp_path, "manylinux_2_12_x86_64", GLIBC)
    result = scripts("inspect", loose, code=1)
    assert "too loose" in result.stdout
    text = "it promises manylinux 2.12 x86_64, its content needs manylinux 2.17 x86_64"
    assert text in result.stdout


@pytest.mark.parametrize(
    ("name", "data", "words", "hint"),
    [
        ("script", b"#!/bin/sh\n", "is a script", ANOTHER),
        ("README.md", b"# LeanSpec\n", "is neither ELF", ANOTHER),
        ("tool-1.0-py3-none-any.whl", b"no zip", "is not a whole archive", MAKE_AGAIN),
        ("nonsense.whl", b"", "is not the name of a wheel", MAKE_AGAIN),
        ("*.whl", None, "does not exist", MAKE),
        ("nothing", None, "does not exist", ""),
    ],
)
def test_inspect_names_a_file_that_it_cannot_read_and_says_what_helps(
    scripts: Scripts, tmp_path: Path, name: str, data: bytes | None, words: str, hint: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    error, *rest = scripts("inspect", tmp_path / name, code=1).stderr.splitlines()
    assert words in error
    assert rest == ([f"hint: {hint}"] if hint else [])


def test_same_bytes_sees_one_changed_byte_of_a_rebuild(
    scripts: Scripts, stand_in: Path, tmp_path: Path
) -> None:
    dist, binaries = tmp_path / "dist", stand_in / "binaries"
    shutil.copytree(stand_in / "dist", dist)
    changed = next(dist.glob("leanspec_mcp_bin-*linux*.whl"))
    changed.write_bytes(changed.read_bytes() + b"\0")
    shutil.copy(changed, dist / "other.whl")
    command = ("check", "--bytes", "--dist", dist, "--binaries", binaries, "--json")
    findings = json.loads(scripts(*command, code=1).stdout)["facts"]
    compared = [(finding["subject"], finding["passed"]) for finding in findings]
    names = [path.name for path in dist.iterdir() if path.name != "other.whl"]
    expected = 2 * [(name, name != changed.name) for name in names]
    assert sorted(compared) == sorted([*expected, ("other.whl", False)])


def test_check_refuses_a_wheel_with_a_truncated_program(tmp_path: Path) -> None:
    facts = inspect_file(
        wheel(tmp_path, "manylinux_2_17_x86_64", GLIBC, GLIBC[: len(GLIBC) // 2])
    ).facts
    assert isinstance(facts, WheelFacts)
    assert facts.verdict is Verdict.LOOSE
    assert "is damaged: it starts nowhere" in facts.reasons[0]


def of_wheel(
    tmp_path: Path,
    change: Callable[[bytearray], None],
    compression: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """Return a wheel with one entry, changed in its bytes."""
    path = tmp_path / "x-1-py3-none-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x/program", GLIBC * 20)
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def encrypted(data: bytearray) -> None:
    """Set the flag in both headers (APPNOTE, 4.4.4)."""
    data[6] |= 1
    data[data.find(b"PK\1\2") + 8] |= 1


def unknown_compression(data: bytearray) -> None:
    """Name Zstandard's number, or what Python at hand does not know, in both headers (APPNOTE, 4.4.5)."""
    data[8] = 97
    data[data.find(b"PK\1\2") + 10] = 97


def damaged(data: bytearray) -> None:
    data[60:90] = bytes(30)


def truncated(data: bytearray) -> None:
    del data[len(data) // 2 :]


@pytest.mark.parametrize("change", [encrypted, unknown_compression, damaged, truncated])
@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2],
)
def test_check_names_a_wheel_that_cannot_be_read(
    tmp_path: Path, change: Callable[[bytearray], None], compression: int
) -> None:
    words = r"is not a whole archive|is encrypted|cannot unpack"
    with pytest.raises(CommandError, match=words):
        inspect_file(of_wheel(tmp_path, change, compression))

"""`inspect`: wheels that are not what their RECORD says, and files that are neither wheel nor program."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest
from leanspec_build.inspection import Verdict, WheelFacts, inspect_file

from tests.support import headers
from tests.support.tool import Tool
from tests.support.wheel_files import rewrite

FOLDER = "a_tool-1.2.3.dist-info"
PROGRAM = "a_tool-1.2.3.data/scripts/tool"
AGAIN = "hint: build the wheel again, or fetch it again from its index\n"


@pytest.fixture
def wheel(tool: Tool) -> Path:
    """Return a wheel of a program for Linux."""
    tool.put("x", tool=headers.elf())
    (name,) = tool.all()
    return tool.root / "out" / name


def change(wheel: Path, changes: dict[str, bytes | None]) -> None:
    """Change, add or remove (None) files of a wheel, and leave RECORD as it is."""
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    files = {name: data for name, data in (contents | changes).items() if data is not None}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def message(tool: Tool, wheel: Path) -> str:
    """Return the message with which `inspect` refuses a wheel."""
    return tool.build("inspect", wheel.relative_to(tool.root), code=1).stderr


def test_inspect_accepts_a_wheel_that_its_record_describes(tool: Tool, wheel: Path) -> None:
    assert "verdict        its tags are true\n" in tool.build("inspect", wheel).stdout


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        (f"{FOLDER}/METADATA", b"Name: b\n", "is not the file that its RECORD describes"),
        (PROGRAM, headers.elf("aarch64"), "is not the file that its RECORD describes"),
    ],
)
def test_inspect_refuses_a_wheel_with_a_changed_file(
    tool: Tool, wheel: Path, name: str, data: bytes, problem: str
) -> None:
    change(wheel, {name: data})
    words = f"error: `{Path('out', wheel.name)}` is not a whole wheel: `{name}` {problem}\n"
    assert message(tool, wheel) == words + AGAIN


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({PROGRAM: None}, f"it has no `{PROGRAM}`, which its RECORD names"),
        ({"more.py": b""}, "its RECORD does not name `more.py`"),
        ({f"{FOLDER}/METADATA": None}, f"it has no `{FOLDER}/METADATA`"),
        ({f"{FOLDER}/RECORD": None}, f"it has no `{FOLDER}/RECORD`"),
        ({f"{FOLDER}/RECORD": b"\0\n\n"}, "it has no `\\x00`, which its RECORD names"),
        ({"b.dist-info/WHEEL": b""}, "it has 2 folders `*.dist-info`, not one"),
    ],
)
def test_inspect_refuses_a_wheel_with_other_files_than_its_record_names(
    tool: Tool, wheel: Path, changes: dict[str, bytes | None], problem: str
) -> None:
    change(wheel, changes)
    assert problem in message(tool, wheel)


def test_inspect_refuses_a_wheel_without_metadata(tool: Tool, wheel: Path) -> None:
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(PROGRAM, headers.elf())
    assert "it has 0 folders `*.dist-info`, not one" in message(tool, wheel)


def test_inspect_refuses_a_wheel_with_two_files_of_a_name(tool: Tool, wheel: Path) -> None:
    with (
        zipfile.ZipFile(wheel, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr(PROGRAM, headers.elf("aarch64"))
    words = f"`{Path('out', wheel.name)}` has two files `{PROGRAM}`\nhint: "
    assert words in message(tool, wheel)


def state_digests(wheel: Path, algorithm: str) -> None:
    """Write a RECORD with digests of an algorithm."""
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    lines = [f"{FOLDER}/RECORD,,"]
    for name, data in contents.items():
        if name != f"{FOLDER}/RECORD":
            digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest())
            lines.append(f"{name},{algorithm}={digest.decode().rstrip('=')},{len(data)}")
    change(wheel, {f"{FOLDER}/RECORD": "\n".join(lines).encode()})


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_inspect_accepts_the_algorithms_of_the_standard(
    tool: Tool, wheel: Path, algorithm: str
) -> None:
    state_digests(wheel, algorithm)
    tool.build("inspect", wheel)


def test_inspect_refuses_another_algorithm(tool: Tool, wheel: Path) -> None:
    state_digests(wheel, "md5")
    assert "is not the file that its RECORD describes" in message(tool, wheel)


def test_inspect_accepts_a_signature_that_record_does_not_name(
    tool: Tool, wheel: Path
) -> None:
    change(wheel, {f"{FOLDER}/RECORD.jws": b"{}"})
    tool.build("inspect", wheel)


@pytest.mark.parametrize("cpu", ["riscv64", "x86_64"])
def test_inspect_takes_a_newer_tag_for_a_static_program_only(wheel: Path, cpu: str) -> None:
    """The oldest policy for riscv64 is newer than the first glibc of it, which a static program does not need."""
    static = headers.elf(cpu, kind=2, loader=None, needed=[])
    rewrite(wheel, {PROGRAM: static})
    name = f"a_tool-1.2.3-py3-none-manylinux_2_28_{cpu}.musllinux_1_1_{cpu}.whl"
    facts = inspect_file(wheel.rename(wheel.with_name(name))).facts
    assert isinstance(facts, WheelFacts)
    expected = {"riscv64": Verdict.TRUE, "x86_64": Verdict.STRICT}[cpu]
    assert facts.verdict is expected


FETCH = "build or fetch it again"


@pytest.mark.parametrize(
    ("data", "words", "hint"),
    [
        (b"", "is empty, not an executable", FETCH),
        (headers.elf()[:200], "is truncated: ", FETCH),
        (b"hello", "is neither ELF, Mach-O nor PE", "name a compiled program, or a wheel"),
        (b"#!/bin/sh\n", "is a script", "name a compiled program, or a wheel"),
    ],
)
def test_inspect_says_what_helps_about_a_file_that_it_cannot_read(
    tool: Tool, data: bytes, words: str, hint: str
) -> None:
    (tool.root / "file").write_bytes(data)
    text = tool.build("inspect", "file", code=1).stderr
    assert text.startswith(f"error: `file` {words}")
    assert text.endswith(f"\nhint: {hint}\n")


def test_inspect_says_what_helps_about_a_file_that_is_too_large(tool: Tool) -> None:
    with (tool.root / "file").open("wb") as file:
        file.truncate(600_000_000)
    text = tool.build("inspect", "file", code=1).stderr
    words = "error: `file` has 600000000 bytes, more than the 536870912 that are read\n"
    assert text == f"{words}hint: take its debug information out: `strip PROGRAM`\n"


@pytest.mark.parametrize(
    ("data", "platform", "libc"),
    [
        (
            headers.elf(
                loader="/lib/ld-musl-x86_64.so.1", needed=["libc.musl-x86_64.so.1"]
            ),
            "linux-x64-musl",
            "musl",
        ),
        (headers.elf(), "linux-x64", "glibc"),
        (headers.elf(osabi=9, needed=["libc.so.7"]), "freebsd-x64", None),
    ],
)
def test_inspect_names_the_platform_with_its_libc(
    tmp_path: Path, data: bytes, platform: str, libc: str | None
) -> None:
    file = tmp_path / "tool"
    file.write_bytes(data)
    (facts,) = inspect_file(file).executables
    assert (facts.platform, facts.libc) == (platform, libc)

"""The gate of the same bytes: what the tree does not build is not published."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from scripts.gates import same_bytes
from tests.support.framing import framing_problems
from tests.support.release_files import (
    CLI,
    FRAMING,
    INFO,
    MAIN,
    MAIN_INFO,
    MCP,
    PINNED,
    PROGRAM,
    RECORD,
    SDIST,
    STUB,
    Attack,
    add_to_sdist,
    change_entry,
    failures,
    release_files,
    replace_in_record,
    resave,
    rewrite_bytes,
)
from tests.support.rules import must_hold
from tests.support.versions import RELEASED
from tests.support.wheel_files import rewrite


def same_bytes_failures(dist: Path) -> list[str]:
    return failures(same_bytes.same_bytes(release_files(dist), Path("unused")))


COMMAND = b"leanspec-mcp=leanspec_launcher:mcp\n"


Case = tuple[Attack, str]


def with_entry(wheel: str, name: str, data: bytes | None, verdict: str = "differs") -> Case:
    return lambda dist: rewrite(dist / wheel, {name: data}), f"`{name}` {verdict}"


def with_change(wheel: str, name: str, old: bytes, new: bytes) -> Case:
    return lambda dist: change_entry(dist / wheel, name, old, new), f"`{name}` differs"


def with_mode(mode: int) -> Case:
    return (
        lambda dist: rewrite(dist / CLI, {}, modes={PROGRAM: mode}),
        f"`{PROGRAM}` differs",
    )


def truncated(name: str, end: int) -> Case:
    return (
        lambda dist: rewrite_bytes(dist / name, lambda data: data[:end]),
        "not a complete archive",
    )


def flip_bit(data: bytes) -> bytes:
    return data[:200] + bytes([data[200] ^ 1]) + data[201:]


SBOM = f"{INFO}/sboms/leanspec-build.cdx.json"
METADATA = f"{MAIN_INFO}/METADATA"
COMMANDS = f"{MAIN_INFO}/entry_points.txt"
PINS = "leanspec_launcher/_pins.py"
# What a rebuild finds: files that this tree does not build. Each with a RECORD that is true of it,
# where it has one.
NOT_BUILT: dict[str, Case] = {
    "code in a platform wheel": with_entry(
        CLI, "leanspec_cli_bin/__init__.py", b"import os\n"
    ),
    "a program beside the program": with_entry(
        CLI, "leanspec_cli_bin/bin/other", b"\x7fELF", "is not built"
    ),
    "another program": with_entry(CLI, PROGRAM, b"\x7fELF"),
    "a program without its run bit": with_mode(0o100644),
    "a program for all to write": with_mode(0o100777),
    "a program that becomes root": with_mode(0o104755),
    "another record of the binary": with_change(CLI, RECORD, b"{", b"{ "),
    "no bill of materials": with_entry(CLI, SBOM, None, "is missing"),
    "another bill of materials": with_entry(CLI, SBOM, b"{}"),
    "another licence text": with_entry(CLI, f"{INFO}/licenses/LICENSE", b"All reserved.\n"),
    "tags that promise more": with_change(
        CLI, f"{INFO}/WHEEL", b"manylinux_2_34", b"manylinux_2_17"
    ),
    "a wheel that is not pure": with_change(
        MAIN, f"{MAIN_INFO}/WHEEL", b"Purelib: true", b"Purelib: false"
    ),
    "a RECORD that lies": (
        lambda dist: replace_in_record(
            dist / CLI, b"leanspec_cli_bin/__init__.py,sha256=", b"x,sha256="
        ),
        "RECORD` differs",
    ),
    "a requirement of a stranger": with_change(
        MAIN, METADATA, PINNED, PINNED + b"\nRequires-Dist: evil"
    ),
    "a marker": with_change(MAIN, METADATA, PINNED, PINNED + b"; os_name == 'nt'"),
    "a looser pin": with_change(MAIN, METADATA, PINNED, PINNED.replace(b"==", b">=")),
    "a Python that is too new": with_change(MAIN, METADATA, b": >=3.9", b": >=3.99"),
    "a command less": with_change(MAIN, COMMANDS, COMMAND, b""),
    "a command more": with_entry(
        CLI,
        f"{INFO}/entry_points.txt",
        b"[console_scripts]\npip=evil:main\n",
        "is not built",
    ),
    "a launcher of before the last commit": with_change(
        MAIN, "leanspec_launcher/_search.py", b"lstat", b"stat"
    ),
    "other checksums in the launcher": with_change(
        MAIN, PINS, b'"linux-x64": "', b'"linux-x64": "0'
    ),
    "a program in the launcher": with_entry(
        MAIN, "leanspec_launcher/leanspec", b"\x7fELF", "is not built"
    ),
    "a startup file": with_entry(MAIN, "lean_spec.pth", b"import os\n", "is not built"),
    "a stub that speaks of other builds": with_change(
        STUB, "leanspec_cli_bin/stub.json", b"linux-x64", b"darwin-x64"
    ),
    "other times": (
        lambda dist: resave(dist / CLI, lambda _: None),
        "an archive of other bytes",
    ),
    "one byte in a compressed entry": (
        lambda dist: rewrite_bytes(dist / CLI, flip_bit),
        "the same entries, in an archive of other bytes",
    ),
    "a file more in the sdist": (
        lambda dist: add_to_sdist(dist, f"lean_spec-{RELEASED}/setup.py"),
        "setup.py` is not built",
    ),
    "a file that nobody builds": (
        lambda dist: shutil.copy(dist / STUB, dist / STUB.replace("py3", "py2.py3")),
        "a file that this tree builds, found not built",
    ),
    "a file that is missing": (
        lambda dist: (dist / MCP).unlink(),
        "as this tree builds it, found missing",
    ),
    "a truncated wheel": truncated(CLI, -100),
    "an empty wheel": truncated(CLI, 0),
    "a truncated sdist": truncated(SDIST, -100),
}


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(("attack", "words"), NOT_BUILT.values(), ids=NOT_BUILT)
def test_same_bytes_refuses_a_file_that_the_tree_does_not_build(
    attack: Attack, words: str, dist: Path
) -> None:
    attack(dist)
    errors = same_bytes_failures(dist)
    assert any(words in line for line in errors), errors


def test_same_bytes_names_the_folder_that_has_no_binaries(
    dist: Path, tmp_path: Path
) -> None:
    """And the message names the folder that was asked for, not a copy of it."""
    (tmp_path / "nothing").mkdir()
    with pytest.raises(CommandError) as error:
        list(same_bytes.same_bytes(release_files(dist), tmp_path / "nothing"))
    expected = f"the build failed: no binary is collected in `{tmp_path / 'nothing'}`"
    assert error.value.message == expected
    assert error.value.hint
    assert error.value.hint.startswith("collect it first")


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("attack", FRAMING)
def test_same_bytes_refuses_an_archive_of_another_writer(attack: str, dist: Path) -> None:
    """The index would refuse it; the rebuild finds it first."""
    before = {path.name: path.read_bytes() for path in dist.iterdir()}
    FRAMING[attack](dist)
    (changed,) = [path for path in dist.iterdir() if path.read_bytes() != before[path.name]]
    assert framing_problems(changed)
    assert any(line.startswith(changed.name) for line in same_bytes_failures(dist))


def test_our_archives_follow_the_framing_rules_of_the_index(dist: Path) -> None:
    must_hold(
        f"{path.name}: {problem}"
        for path in dist.iterdir()
        for problem in framing_problems(path)
    )

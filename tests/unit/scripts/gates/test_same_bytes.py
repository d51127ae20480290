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
from tests.support.wheel_files import content, rewrite


def same_bytes_failures(dist: Path) -> list[str]:
    return failures(same_bytes.same_bytes(release_files(dist), Path("unused")))


COMMAND = b"leanspec-mcp=leanspec_launcher:mcp\n"


# What a rebuild finds: files that this tree does not build. Each with a RECORD that is true of it,
# where it has one.
NOT_BUILT: dict[str, tuple[Attack, str]] = {
    "code in a platform wheel": (
        lambda dist: rewrite(dist / CLI, {"leanspec_cli_bin/__init__.py": b"import os\n"}),
        "`leanspec_cli_bin/__init__.py` differs",
    ),
    "a program beside the program": (
        lambda dist: rewrite(dist / CLI, {"leanspec_cli_bin/bin/other": b"\x7fELF"}),
        "`leanspec_cli_bin/bin/other` is not built",
    ),
    "another program": (
        lambda dist: rewrite(dist / CLI, {PROGRAM: b"\x7fELF"}),
        f"`{PROGRAM}` differs",
    ),
    "a program without its run bit": (
        lambda dist: rewrite(dist / CLI, {}, modes={PROGRAM: 0o100644}),
        f"`{PROGRAM}` differs",
    ),
    "a program for all to write": (
        lambda dist: rewrite(dist / CLI, {}, modes={PROGRAM: 0o100777}),
        f"`{PROGRAM}` differs",
    ),
    "a program that becomes root": (
        lambda dist: rewrite(dist / CLI, {}, modes={PROGRAM: 0o104755}),
        f"`{PROGRAM}` differs",
    ),
    "another record of the binary": (
        lambda dist: rewrite(dist / CLI, {RECORD: content(dist / CLI, RECORD) + b"\n"}),
        f"`{RECORD}` differs",
    ),
    "no bill of materials": (
        lambda dist: rewrite(dist / CLI, {f"{INFO}/sboms/leanspec-build.cdx.json": None}),
        "leanspec-build.cdx.json` is missing",
    ),
    "another bill of materials": (
        lambda dist: rewrite(dist / CLI, {f"{INFO}/sboms/leanspec-build.cdx.json": b"{}"}),
        "leanspec-build.cdx.json` differs",
    ),
    "another licence text": (
        lambda dist: rewrite(
            dist / CLI, {f"{INFO}/licenses/LICENSE": b"All rights reserved.\n"}
        ),
        "LICENSE` differs",
    ),
    "tags that promise more": (
        lambda dist: change_entry(
            dist / CLI, f"{INFO}/WHEEL", b"manylinux_2_34", b"manylinux_2_17"
        ),
        "WHEEL` differs",
    ),
    "a wheel that is not pure": (
        lambda dist: change_entry(
            dist / MAIN, f"{MAIN_INFO}/WHEEL", b"Purelib: true", b"Purelib: false"
        ),
        "WHEEL` differs",
    ),
    "a RECORD that lies": (
        lambda dist: replace_in_record(
            dist / CLI, b"leanspec_cli_bin/__init__.py,sha256=", b"x,sha256="
        ),
        "RECORD` differs",
    ),
    "a requirement of a stranger": (
        lambda dist: change_entry(
            dist / MAIN, f"{MAIN_INFO}/METADATA", PINNED, PINNED + b"\nRequires-Dist: evil"
        ),
        "METADATA` differs",
    ),
    "a marker": (
        lambda dist: change_entry(
            dist / MAIN, f"{MAIN_INFO}/METADATA", PINNED, PINNED + b"; os_name == 'nt'"
        ),
        "METADATA` differs",
    ),
    "a looser pin": (
        lambda dist: change_entry(
            dist / MAIN, f"{MAIN_INFO}/METADATA", PINNED, PINNED.replace(b"==", b">=")
        ),
        "METADATA` differs",
    ),
    "a Python that is too new": (
        lambda dist: change_entry(
            dist / MAIN, f"{MAIN_INFO}/METADATA", b"Python: >=3.9", b"Python: >=3.99"
        ),
        "METADATA` differs",
    ),
    "a command less": (
        lambda dist: change_entry(
            dist / MAIN, f"{MAIN_INFO}/entry_points.txt", COMMAND, b""
        ),
        "entry_points.txt` differs",
    ),
    "a command more": (
        lambda dist: rewrite(
            dist / CLI, {f"{INFO}/entry_points.txt": b"[console_scripts]\npip=evil:main\n"}
        ),
        "entry_points.txt` is not built",
    ),
    "a launcher of before the last commit": (
        lambda dist: change_entry(
            dist / MAIN, "leanspec_launcher/_search.py", b"lstat", b"stat"
        ),
        "`leanspec_launcher/_search.py` differs",
    ),
    "other checksums in the launcher": (
        lambda dist: change_entry(
            dist / MAIN,
            "leanspec_launcher/_pins.py",
            b'"linux-x64": "',
            b'"linux-x64": "0',
        ),
        "`leanspec_launcher/_pins.py` differs",
    ),
    "a program in the launcher": (
        lambda dist: rewrite(dist / MAIN, {"leanspec_launcher/leanspec": b"\x7fELF"}),
        "`leanspec_launcher/leanspec` is not built",
    ),
    "a startup file": (
        lambda dist: rewrite(dist / MAIN, {"lean_spec.pth": b"import os\n"}),
        "`lean_spec.pth` is not built",
    ),
    "a stub that speaks of other builds": (
        lambda dist: change_entry(
            dist / STUB, "leanspec_cli_bin/stub.json", b"linux-x64", b"darwin-x64"
        ),
        "stub.json` differs",
    ),
    "other times": (
        lambda dist: resave(dist / CLI, lambda _: None),
        "an archive of other bytes",
    ),
    "one byte in a compressed entry": (
        lambda dist: rewrite_bytes(
            dist / CLI, lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:]
        ),
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
    "a truncated wheel": (
        lambda dist: rewrite_bytes(dist / CLI, lambda data: data[:-100]),
        "not a complete archive",
    ),
    "an empty wheel": (
        lambda dist: rewrite_bytes(dist / CLI, lambda _: b""),
        "not a complete archive",
    ),
    "a truncated sdist": (
        lambda dist: rewrite_bytes(dist / SDIST, lambda data: data[:-100]),
        "not a complete archive",
    ),
}


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("attack", NOT_BUILT)
def test_same_bytes_refuses_a_file_that_the_tree_does_not_build(
    attack: str, dist: Path
) -> None:
    break_it, words = NOT_BUILT[attack]
    break_it(dist)
    errors = same_bytes_failures(dist)
    assert any(words in line for line in errors), errors


def test_same_bytes_names_the_folder_that_has_no_binaries(
    dist: Path, tmp_path: Path
) -> None:
    """And the message names the folder that was asked for, not a copy of it."""
    (tmp_path / "nothing").mkdir()
    with pytest.raises(CommandError) as error:
        list(same_bytes.same_bytes(release_files(dist), tmp_path / "nothing"))
    assert (
        error.value.message
        == f"the build failed: no binary is collected in `{tmp_path / 'nothing'}`"
    )
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

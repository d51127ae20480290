"""The gate of the index's rules: files that the index would refuse, though the tree builds them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.gates import index_rules
from scripts.model.finding import confirm
from scripts.tools.processes import capture, own_program
from tests.support.release_files import (
    CLI,
    FRAMING,
    INFO,
    Attack,
    change_entry,
    failures,
    release_files,
    rename,
)
from tests.support.versions import RELEASED
from tests.support.wheel_files import content, rewrite


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave twine's rendering out: a second for each of a hundred attacks."""
    monkeypatch.setattr(index_rules, "_rendered", lambda _: confirm("twine", "", ""))


def index_failures(dist: Path) -> list[str]:
    return failures(index_rules.index_rules(release_files(dist)))


META = f"{INFO}/METADATA"


Case = tuple[Attack, str]


def metadata(old: str, new: str, words: str) -> Case:
    """Return an attack on the metadata of the CLI's wheel: as if the tree itself were wrong."""
    return (
        lambda dist: change_entry(dist / CLI, META, old.encode(), new.encode()),
        words,
    )


def field(text: str, words: str) -> Case:
    """Return an attack that adds a field to the metadata."""
    before = "License-Expression: MIT"
    return metadata(before, f"{text}\n{before}", words)


def entry(name: str, data: bytes | None, words: str) -> Case:
    """Return an attack that replaces, adds or removes an entry of the CLI's wheel."""
    return lambda dist: rewrite(dist / CLI, {name: data}), words


def description(text: bytes, words: str) -> Case:
    """Return an attack that adds text to the description."""
    return (
        lambda dist: rewrite(dist / CLI, {META: content(dist / CLI, META) + text}),
        words,
    )


def file_name(old: str, new: str, words: str) -> Case:
    return lambda dist: rename(dist / CLI, old, new), words


# What the index refuses though the tree builds it: a field in the metadata, then the archives.
COMMANDS = f"{INFO}/entry_points.txt"
REFUSED: dict[str, Case] = {
    "an unknown classifier": field(
        "Classifier: Environment :: Consoles",
        "one of the index's classifiers, found Environment :: Consoles",
    ),
    "a deprecated classifier": field(
        "Classifier: Natural Language :: Ukranian",
        "the one that replaces it: Natural Language :: Ukrainian",
    ),
    "a licence beside a licence expression": field(
        "License: MIT", "none in addition to License-Expression"
    ),
    "a licence that is none": metadata("Expression: MIT", "Expression: MTI", "MTI"),
    "a summary that is too long": metadata(
        "Summary: ", "Summary: " + "x" * 600, "at most 512 characters"
    ),
    "a summary of two lines": metadata(
        "Summary: ", "Summary: one\n        two ", "must be a single line"
    ),
    "an address that is none": field(
        "Author-email: someone", "an address, found 'someone'"
    ),
    "a URL that is none": metadata("Homepage, https://", "Homepage, ", "an http(s) URL"),
    "a URL of another kind": metadata(
        "Homepage, https://", "Homepage, ftp://", "an http(s) URL"
    ),
    "a label that is too long": metadata(
        "URL: Homepage,", f"URL: {'x' * 33},", "at most 32 characters"
    ),
    "a licence file that is not there": metadata(
        "License-File: LICENSE",
        "License-File: LICENCE",
        f"`{INFO}/licenses/LICENCE`, found missing",
    ),
    "a local version": metadata(
        f"Version: {RELEASED}", f"Version: {RELEASED}+local", "no local version"
    ),
    "another version than the file's": metadata(
        f"Version: {RELEASED}", "Version: 9.9.9", "as in the file name"
    ),
    "another name than the file's": metadata(
        "Name: leanspec-cli-bin", "Name: leanspec-mcp-bin", "as in the file"
    ),
    "a name that is none": metadata(
        "Name: leanspec-cli-bin", "Name: -leanspec-", "-leanspec-"
    ),
    "a version that is none": metadata(f"Version: {RELEASED}", "Version: latest", "latest"),
    "a metadata version to come": metadata(
        "Metadata-Version: 2.", "Metadata-Version: 9.", "metadata"
    ),
    "a direct reference": field(
        "Requires-Dist: x @ https://example.org/x.whl", "no direct reference"
    ),
    "a requirement that is none": field("Requires-Dist: x ==", "requires-dist"),
    "a Python that is none": metadata(
        "Requires-Python: ", "Requires-Python: python", "requires-python"
    ),
    "a field twice": field("Summary: a", "summary"),
    "a field that nobody knows": field("Summry: a", "summry"),
    "a description of an unknown kind": metadata("text/markdown", "text/html", "text/html"),
    "no description": (
        lambda dist: rewrite(
            dist / CLI, {META: content(dist / CLI, META).split(b"\n\n", 1)[0] + b"\n\n"}
        ),
        "a long description, found none",
    ),
    "a link that leads nowhere": description(
        b"\n[docs](docs/x.md)\n",
        "links that work on the index's page, found docs/x.md",
    ),
    "an image that leads nowhere": description(
        b'\n<img src="docs/x.svg">\n', "found docs/x.svg"
    ),
    "metadata that is not UTF-8": (
        lambda dist: change_entry(dist / CLI, META, b"Summary: ", b"Summary: \xff"),
        "metadata",
    ),
    "no metadata": entry(META, None, "METADATA"),
    "entry points that cannot be parsed": entry(
        COMMANDS, b"pip=evil:main\n", "a file that can be parsed"
    ),
    "an entry point that is none": entry(
        COMMANDS,
        b"[console_scripts]\npip=e v i l\n",
        "module:attribute, found pip = e v i l",
    ),
    "a name that cannot be printed": entry(
        "leanspec_cli_bin/a\x07b", b"", "printable characters"
    ),
    "a file that unpacks to a thousand times its size": entry(
        "leanspec_cli_bin/zeros", bytes(65 << 20), "a compression ratio of at most 50"
    ),
    "a build number": file_name("-py3-", "-1-py3-", "no build number"),
    "a name that is not normalized": file_name(
        "leanspec_cli_bin", "LeanSpec_cli_bin", "file name"
    ),
    "a platform of one machine": file_name(
        "manylinux_2_34_x86_64",
        "linux_x86_64",
        "one that the index takes, found linux_x86_64",
    ),
    "a platform to come": file_name(
        "manylinux_2_34_x86_64",
        "macosx_99_0_arm64",
        "one that the index takes, found macosx_99_0_arm64",
    ),
}


ATTACKS = FRAMING | {name: attack for name, (attack, _) in REFUSED.items()}


@pytest.fixture
def attacked(attack: str, dist: Path, stand_in: Path) -> Path:
    """Return the files that an attack changed; that the others are good is shown by other tests."""
    ATTACKS[attack](dist)
    for path in dist.iterdir():
        good = stand_in / "dist" / path.name
        if good.is_file() and good.read_bytes() == path.read_bytes():
            path.unlink()
    return dist


@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize("attack", REFUSED)
def test_index_rules_refuse_what_the_index_would_refuse(
    attack: str, attacked: Path
) -> None:
    lines = index_failures(attacked)
    assert any(REFUSED[attack][1] in line for line in lines), lines


# An independent reader, uv, refuses these too; the others are rules of the index alone.
REFUSED_BY_UV = (
    "a local version",
    "another version than the file's",
    "another name than the file's",
    "a name that is none",
    "a version that is none",
    "a requirement that is none",
    "a Python that is none",
    "no metadata",
    "no WHEEL",
    "entry points that cannot be parsed",
    "an entry point that is none",
    "data before the archive",
    "data after the archive",
    "two archives in one",
    "a compression that few know",
    "an entry of another name in its own header",
    "a name that cannot be printed",
    "an entry that is damaged",
    "a wheel that is no archive",
)


@pytest.mark.parametrize("attack", REFUSED_BY_UV)
def test_uv_refuses_what_index_rules_refuse(
    attack: str, attacked: Path, tmp_path: Path
) -> None:
    options = ("--no-deps", "--no-index", "--no-cache", "--no-config")
    place = ("--python", sys.executable, "--target", str(tmp_path / "target"))
    command = [own_program("uv"), "pip", "install", *options, *place]
    (wheel,) = attacked.iterdir()
    assert capture([*command, str(wheel)]).returncode != 0, attack


def test_index_rules_refuse_a_description_that_cannot_be_rendered(dist: Path) -> None:
    text = (
        content(dist / CLI, META).replace(b"text/markdown", b"text/x-rst")
        + b"\n.. nonsense::\n"
    )
    rewrite(dist / CLI, {META: text})
    assert any(
        line.startswith("10 files: expected PASSED") for line in index_failures(dist)
    )


@pytest.mark.usefixtures("unrendered")
def test_index_rules_refuse_a_file_over_100_mib(dist: Path) -> None:
    with (dist / CLI).open("ab") as file:
        file.truncate((100 << 20) + 1)
    assert any("at most 104857600 bytes" in line for line in index_failures(dist))

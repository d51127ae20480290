"""What the docs say of the code is what the code says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from leanspec_launcher._tables import FAMILIES
from leanspec_launcher.diagnosis import errors
from leanspec_launcher.diagnosis.message import CANNOT_RUN, NOT_FOUND, USAGE
from leanspec_launcher.manage.cli import root as launcher
from leanspec_launcher.manage.clients.table import CLIENTS
from scripts.cli import SECTIONS
from scripts.cli import root as scripts
from scripts.environment import ROOT
from tests.support.command_lines import must_exist
from tests.support.messages import GAP, explained, raised

PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")]
)
TROUBLES = ROOT / "docs/troubleshooting.md"
# A defect that cannot be met: the call ends the process.
UNREACHABLE = {"ExitProcess returned"}
# Set for others, or by the system; nobody is to set them for us.
NOT_OURS = {
    "PROCESSOR_ARCHITECTURE",
    "PROCESSOR_ARCHITEW6432",
    "LD_TRACE_LOADED_OBJECTS",
    "PYTHONPATH",
    "PYTHONWARNINGS",
    "NO_PROXY",
    "no_proxy",
    "HTTP_PROXY",
}


def squeezed(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def known_messages() -> set[str]:
    folder = ROOT / "leanspec_launcher"
    return {each.text for each in (*raised(folder), *explained(folder))} - UNREACHABLE


@pytest.mark.parametrize("message", sorted(known_messages()))
def test_every_message_of_the_launcher_is_explained(message: str) -> None:
    assert squeezed(message).rstrip(f" {GAP}:") in squeezed(TROUBLES.read_text("utf-8"))


def test_messages_are_found_at_all() -> None:
    assert {
        "its SHA-256 is not the expected one",
        "no `…` binary for … (`…`) was found",
        "antivirus software took it for a virus",
        "its file system is mounted `noexec`",
        "there is no such file",
    } <= known_messages()
    assert len(known_messages()) > 50


def variables() -> Iterator[tuple[str, str]]:
    """Yield each environment variable that the code reads, by a literal or by a constant."""
    stages = [
        f"scripts/{stage}"
        for stage in ("collect", "build", "index", "gates", "publish", "github", "proofs")
    ]
    for folder in ("leanspec_launcher", "build_backend/leanspec_build", *stages):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            found = re.findall(
                r"environ(?:\.get\(|\[)\"(\w+)\"|environ\.pop\(\"(\w+)\"|_under\(\"(\w+)\"",
                text,
            )
            constants = re.findall(
                r"^(?:\w*VARIABLE|\w+, \w+) = \"([A-Z_]{4,})\"|^\w*VARIABLE = \"(\w+)\"",
                text,
                re.MULTILINE,
            )
            for names in (*found, *constants):
                for name in filter(None, names):
                    yield name, str(path.relative_to(ROOT))


def test_every_environment_variable_is_explained() -> None:
    page = (ROOT / "docs/environment.md").read_text("utf-8")
    found = dict(variables())
    assert {
        "LEANSPEC_VERIFY",
        "LEANSPEC_SIGNING_KEY",
        "SOURCE_DATE_EPOCH",
        "TWINE_PASSWORD",
    } <= set(found)
    for name, path in (
        found | {family.variable: "_tables" for family in FAMILIES.values()}
    ).items():
        if name not in NOT_OURS:
            assert f"`{name}`" in page, f"{path} reads `{name}`"


def test_every_exit_code_is_explained() -> None:
    page = (ROOT / "docs/environment.md").read_text("utf-8")
    for code in (CANNOT_RUN, NOT_FOUND, 0, errors.FAILURE, USAGE, errors.INTERRUPTED):
        assert f"\n| {code} | " in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def blocks(page: Path) -> Iterator[str]:
    """Yield the lines of a page's code: fenced as `sh`, or indented."""
    text = page.read_text("utf-8")
    for fenced in re.findall(r"^```sh[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from fenced.splitlines()
    yield from re.findall(r"(?:(?<=\n\n)|(?<=\n))    (\S.*)", text)
    yield from re.findall(r"`((?:python3? -m scripts|leanspec-launcher) [a-z][^`]*)`", text)


def named_commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        if "decisions" not in page.parts:
            for line in blocks(page):
                found = re.search(
                    r"(?:python3? -m scripts|\bleanspec-launcher) [a-z].*", line
                )
                if found:
                    yield page.name, found[0]


@pytest.mark.parametrize(("page", "line"), sorted(set(named_commands())))
def test_every_command_of_the_docs_exists(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    own = words[0] == "leanspec-launcher"
    must_exist(
        launcher if own else scripts, words[1:] if own else words[3:], f"{page}: `{line}`"
    )


def test_commands_are_found_at_all() -> None:
    assert len(set(named_commands())) > 40


def test_every_command_is_in_the_docs() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    for name in scripts.commands:
        assert re.search(rf"`{name}|-m scripts {name}|`{name}`", text), name
    for name in launcher.list_commands(click.Context(launcher)):
        assert f"leanspec-launcher {name}" in text, name


def test_every_command_has_its_place_in_the_help() -> None:
    assert {name for names in SECTIONS.values() for name in names} == set(scripts.commands)


def test_the_floors_that_the_docs_promise_are_those_that_are_built() -> None:
    page = (ROOT / "docs/installing.md").read_text("utf-8")
    for path in ROOT.glob("platform_wheels/*/pyproject.toml"):
        text = path.read_text("utf-8")
        for floor in re.findall(r'glibc (\d+)\.(\d+)"', text):
            assert f"manylinux_{floor[0]}_{floor[1]}" in page
        for floor in re.findall(r'macos (\d+)\.0"', text):
            assert f"macOS {floor}" in page


def test_no_page_names_a_literal_that_is_gone() -> None:
    """Modules and files in backticks are there."""
    folders = (
        "leanspec_launcher/",
        "build_backend/",
        "scripts/",
        "platform_wheels/",
        "docs/",
        "tests/",
    )
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue
        for name in re.findall(r"`([\w./*-]+)`", page.read_text("utf-8")):
            if name.startswith(folders) and "NAME" not in name and "binaries" not in name:
                assert list(ROOT.glob(name.rstrip("/"))), f"{page.name}: `{name}`"


def test_the_page_lists_every_client_as_the_table_has_it() -> None:
    page = (ROOT / "docs/mcp-clients.md").read_text("utf-8").splitlines()
    rows = [line.split(" | ") for line in page if line.startswith("| [")]
    assert [row[1] for row in rows] == [f"`{name}`" for name in CLIENTS]
    for row, client in zip(rows, CLIENTS.values(), strict=True):
        assert row[0] == f"| [{client.title}]({client.source})"
        assert row[2].count("`") == 2 * len(client.user)
        for template in client.user:
            assert f"{template.rpartition('}')[2]}`" in row[2]
        project = f"`{client.project}`" if client.project else ""
        assert row[3].strip(" |") == project

"""The table of CONTRIBUTING.md: from each feature to the file that decides about it."""

from __future__ import annotations

import re

from leanspec_launcher.manage.overview import COMMANDS
from scripts.cli import SECTIONS
from scripts.environment import ROOT
from tests.support.rules import must_hold

PRODUCT = ("leanspec_launcher", "build_backend", "scripts")


def table() -> list[list[str]]:
    """Return the cells of each row: what to change, what to open, what to run."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    section = text.partition("## To change something")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    rows = [re.split(r" \| ", line[2:-2]) for line in lines]
    return [row for row in rows if row[0] != "to change"]


def test_the_table_names_tests_that_exist() -> None:
    paths = {path for row in table() for path in re.findall(r"tests/[\w/.]+", row[2])}
    assert len(paths) > 40
    must_hold(path for path in sorted(paths) if not (ROOT / path).exists())


def test_each_row_of_the_table_leads_to_a_file_and_a_test() -> None:
    rows = table()
    assert len(rows) > 40
    must_hold(row[0] for row in rows if "`" not in row[2] or not re.search("[(`]", row[1]))


def test_the_table_has_each_command() -> None:
    named = {word for row in table() for word in re.findall(r"`([\w-]+)`", row[0])}
    commands = {*COMMANDS, *(name for names in SECTIONS.values() for name in names)}
    must_hold(sorted(commands - named))


def test_the_table_leads_into_each_folder_of_code() -> None:
    links = {link for row in table() for link in re.findall(r"\]\(([^)]+)\)", row[1])}
    linked = {(ROOT / link).parent for link in links}
    folders = {path.parent for name in PRODUCT for path in (ROOT / name).rglob("*.py")}
    unlinked = {folder for folder in folders - linked if len([*folder.glob("*.py")]) > 1}
    must_hold(sorted(str(folder.relative_to(ROOT)) for folder in unlinked))

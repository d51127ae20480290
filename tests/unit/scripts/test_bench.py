"""The measurement of a start: every way is measured, and the page is made from it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.support.preconditions import missing, require

if sys.platform == "win32":
    missing("POSIX", "a start is measured on Linux and macOS")

from scripts.dev.bench.measuring import BenchReport, Measurements
from scripts.dev.bench.report import (
    BEGIN,
    END,
    LEFT,
    LEGEND,
    NAMES,
    PAGE,
    PLOT,
    as_text,
    plot,
)
from scripts.dev.bench.sessions import Through
from scripts.dev.bench.starts import StartKind
from scripts.tools.processes import clean_environment
from tests.support.installers import install_with_pip
from tests.support.surroundings import run

# `bench` without npm, and with the wheels and pip's environment that other tests made.
COMMAND = """
import shutil, sys
from pathlib import Path
from scripts.cli import run
from scripts.dev.bench import measuring
dist, by_pip = map(Path, (sys.argv.pop(1), sys.argv.pop(1)))
measuring._release = lambda folder: dist
measuring._by_pip = lambda environment, dist: by_pip
lookup = shutil.which
shutil.which = lambda name, **place: None if name == "npm" else lookup(name, **place)
run()
"""


def must_be_sound(report: dict[str, Any]) -> None:
    """Fail if anything was not measured, or if what we start is not the binary alone, in two rounds."""
    rows = {row["way"]: row for row in report["rows"]}
    assert all(len(row["start"]) == 2 for row in rows.values())
    assert rows[StartKind.OURS]["beside"] == rows[StartKind.LINKED]["beside"] == 0
    assert rows[StartKind.SHIMMED]["beside"] > 1_000, "a Python waits"
    assert all(session["stray"] == session["left"] == 0 for session in report["sessions"])
    for times in ("tools", "probed"):
        assert all(len(session[times]) == 2 for session in report["sessions"])


@pytest.mark.network
def test_bench_measures_every_way_that_needs_no_npm(
    released_tree: Path, dist: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    commands = install_with_pip(tmp_path / "home", dist, wheelhouse).commands
    command: list[str | Path] = [sys.executable, "-c", COMMAND, dist, commands]
    command += ["bench", "--rounds", "2", "--json", tmp_path / "bench.json"]
    output = run(command, clean_environment(), cwd=released_tree).stdout
    assert "| **lean-spec** (installed by uv) | " in output
    report = json.loads((tmp_path / "bench.json").read_text())
    must_be_sound(report)
    assert {row["way"] for row in report["rows"]} == {*NAMES} - {StartKind.NODE}
    assert len(report["ratios"]) == 4
    through = {session["through"] for session in report["sessions"]}
    assert through == {*Through} - {Through.NODE}


@pytest.mark.network
@pytest.mark.slow
def test_bench_measures_the_release_on_npm_and_its_wrapper(
    scripts: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    require("node")
    result = scripts("bench", "--rounds", "2", "--json", tmp_path / "bench.json")
    assert "| the project's npm wrapper | " in result.stdout
    report = json.loads((tmp_path / "bench.json").read_text())
    must_be_sound(report)
    rows = {row["way"]: row for row in report["rows"]}
    assert set(rows) == {*NAMES}
    assert rows[StartKind.NODE]["beside"] > 10_000
    assert len(report["ratios"]) == 6
    assert {session["through"] for session in report["sessions"]} == set(Through)


def test_the_page_holds_a_table_and_the_plot_of_the_same_rows() -> None:
    page = PAGE.read_text("utf-8")
    inside = page.partition(BEGIN)[2].partition(END)[0]
    medians = re.findall(r"^\| .* \| (\d+\.\d) \(", inside, re.MULTILINE)
    assert len(medians) >= 7
    drawn = re.findall(r"<text[^>]*>(\d+\.\d)</text>", PLOT.read_text("utf-8"))
    assert drawn == medians


def test_the_ratios_are_those_of_the_medians() -> None:
    rows = [
        Measurements(StartKind.DIRECT, [2.0] * 2),
        Measurements(StartKind.OURS, [12.0] * 2, [14.0]),
        Measurements(StartKind.BARE, [10.0] * 2),
        Measurements(StartKind.LINKED, [2.0] * 2),
        Measurements(StartKind.NODE, [40.0] * 2, [28.0]),
    ]
    report = BenchReport({"cpu": "x"}, 1, rows)
    assert [*report.ratios.values()] == [1.0, 1.0, 0.3, 0.5]
    markdown = as_text(report, in_columns=False)
    assert "| launcher / npm wrapper | 0.30 | 0.30 |" in markdown
    columns = as_text(report, in_columns=True)
    assert re.search(r"^launcher / npm wrapper +0\.30 +0\.30$", columns, re.MULTILINE)
    starts = [line for line in columns.splitlines() if " to " in line]
    assert len({line.index(re.findall(r"\d+\.\d \(", line)[0]) for line in starts}) == 1
    assert "|" not in columns
    assert "*" not in columns
    assert plot(report).count("<rect") == 5 + len(LEGEND)


def test_the_plot_has_room_for_each_name_and_shows_no_markup() -> None:
    """Of a wide font, a character takes 7.8 of 13 pixels."""
    picture = plot(BenchReport({}, 1, [Measurements(way, [2.0] * 2) for way in NAMES]))
    names = re.findall(r'text-anchor="end">([^<]+)<', picture)
    assert len(names) == len(NAMES)
    assert max(map(len, names)) * 7.8 < LEFT - 8
    assert "`" not in picture

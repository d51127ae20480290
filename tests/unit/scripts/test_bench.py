"""The measurement of a start: every way is measured, and the page is made from it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.preconditions import missing, require

if sys.platform == "win32":
    missing("POSIX", "a start is measured on Linux and macOS")

from scripts.proofs.bench.measuring import Report, Row
from scripts.proofs.bench.report import BEGIN, END, PAGE, PLOT, plot, table
from scripts.proofs.bench.sessions import Through
from scripts.proofs.contract.release import Start


@pytest.mark.network
def test_every_way_is_measured(
    scripts: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    require("node")
    said = scripts("bench", "--rounds", "2", "--json", tmp_path / "bench.json").stdout
    assert "| the project's npm wrapper | " in said
    found = json.loads((tmp_path / "bench.json").read_text())
    rows = {row["way"]: row for row in found["rows"]}
    assert all(len(row["start"]) == 2 for row in rows.values())
    assert {
        Start.DIRECT,
        Start.OURS,
        Start.LINKED,
        Start.NODE,
        Start.BARE,
        Start.FLOOR,
    } <= set(rows)
    assert rows[Start.OURS]["beside"] == rows[Start.LINKED]["beside"] == 0
    assert rows[Start.NODE]["beside"] > 10_000
    assert len(found["ratios"]) == 4
    sessions = {each["through"]: each for each in found["sessions"]}
    assert set(sessions) == set(Through)
    assert all(each["stray"] == each["left"] == 0 for each in sessions.values())
    assert all(len(each["tools"]) == 2 for each in sessions.values())


def test_the_page_holds_a_table_and_the_plot_of_the_same_rows() -> None:
    page = PAGE.read_text("utf-8")
    inside = page.partition(BEGIN)[2].partition(END)[0]
    medians = re.findall(r"^\| .* \| (\d+\.\d) \(", inside, re.MULTILINE)
    assert len(medians) >= 7
    drawn = re.findall(r"<text[^>]*>(\d+\.\d)</text>", PLOT.read_text("utf-8"))
    assert drawn == medians


def test_the_ratios_are_those_of_the_medians() -> None:
    rows = [
        Row(Start.DIRECT, [2.0]),
        Row(Start.OURS, [12.0], [14.0]),
        Row(Start.BARE, [10.0]),
        Row(Start.LINKED, [2.0]),
        Row(Start.NODE, [40.0], [28.0]),
    ]
    report = Report({"cpu": "x"}, 1, rows)
    assert [*report.ratios.values()] == [1.0, 1.0, 0.3, 0.5]
    assert "| launcher / npm wrapper | 0.30 | 0.30 |" in table(report)
    assert plot(report).count("<rect") == 5

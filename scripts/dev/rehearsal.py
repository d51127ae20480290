"""The rehearsal of a release: the tests in tests/release, as a table."""

import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT

from .suite import run_step

FOLDER = "tests/release"
TEST = re.compile(r"^def test_(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class RehearsalStep:
    """One step of the rehearsal."""

    step: str
    outcome: str
    """`passed`, `failed`, `error` or `skipped`."""
    seconds: float


def step_names() -> list[str]:
    """Return the names of all steps, as `rehearse` shows them."""
    files = sorted((ROOT / FOLDER).glob("test_*.py"))
    names = [name for file in files for name in TEST.findall(file.read_text("utf-8"))]
    return [name.replace("_", " ") for name in names]


def rehearse(words: str) -> list[RehearsalStep]:
    """Run the tests of a release whose names contain words; return a row per test.

    Their progress goes to standard error. Raises CommandError if none was run.
    """
    rows = []
    with tempfile.TemporaryDirectory(prefix="leanspec-rehearsal-") as folder:
        report = Path(folder, "report.xml")
        # `-m slow`: the marker of what a plain run leaves out.
        command = ("pytest", FOLDER, "-v", f"--junitxml={report}", "-m", "slow")
        selection = ("-k", words.replace(" ", "_")) if words else ()
        run_step("rehearsal", (*command, *selection), stdout=sys.stderr)
        if report.exists():
            tree = ET.parse(report)  # noqa: S314 - of a program of our own
            rows = [_row(case) for case in tree.iter("testcase")]
    if not rows:
        raise CommandError("no step was rehearsed: see above")
    return rows


def _row(case: ET.Element) -> RehearsalStep:
    outcomes = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
    name = case.get("name", "").removeprefix("test_").replace("_", " ")
    outcome = outcomes[0].replace("failure", "failed") if outcomes else "passed"
    return RehearsalStep(name, outcome, float(case.get("time", "0")))

"""`rehearse`: the tests of a release as a table."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from scripts.environment import ROOT
from scripts.tools.processes import clean_environment
from tests.support.surroundings import run

STEPS = """
import pytest

pytestmark = pytest.mark.slow

def test_publish_uploads_every_file():
    pass

def test_publish_uploads_nothing_twice():
    assert False
"""
# `rehearse`, with these steps.
COMMAND = """
import sys
from scripts.cli import run
from scripts.dev import rehearsal
rehearsal.FOLDER = sys.argv.pop(1)
run()
"""


def rehearse(folder: Path, *options: str, code: int) -> CompletedProcess[str]:
    (folder / "test_steps.py").write_text(STEPS)
    command = [sys.executable, "-c", COMMAND, str(folder), "rehearse", *options]
    env = clean_environment(PYTEST_ADDOPTS="-p no:cacheprovider")
    return run(command, env, cwd=ROOT, code=code)


def test_rehearse_prints_a_row_per_step_and_fails_with_one(tmp_path: Path) -> None:
    done = rehearse(tmp_path, code=1)
    rows = [re.split("  +", line)[:2] for line in done.stdout.splitlines()]
    assert rows == [
        ["publish uploads every file", "passed"],
        ["publish uploads nothing twice", "failed"],
    ]
    assert "test_publish_uploads_nothing_twice FAILED" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "steps"),
    [("every file", 0, ["publish uploads every file"]), ("no such step", 1, [])],
)
def test_rehearse_runs_the_steps_with_these_words(
    tmp_path: Path, words: str, code: int, steps: list[str]
) -> None:
    done = rehearse(tmp_path, "--only", words, "--json", code=code)
    rows = json.loads(done.stdout or "[]")
    assert [row["step"] for row in rows] == steps
    assert all(row["outcome"] == "passed" for row in rows)
    assert bool(steps) or "error: no step was rehearsed" in done.stderr

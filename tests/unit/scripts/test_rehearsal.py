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


@pytest.mark.long
def test_rehearse_prints_a_row_per_step_and_fails_with_one(tmp_path: Path) -> None:
    process = rehearse(tmp_path, code=1)
    rows = [re.split("  +", line)[:2] for line in process.stdout.splitlines()]
    assert rows == [
        ["publish uploads every file", "passed"],
        ["publish uploads nothing twice", "failed"],
    ]
    assert "test_publish_uploads_nothing_twice FAILED" in process.stderr


@pytest.mark.long
def test_rehearse_runs_the_steps_with_these_words(tmp_path: Path) -> None:
    process = rehearse(tmp_path, "--only", "every file", "--json", code=0)
    (row,) = json.loads(process.stdout)["steps"]
    assert (row["step"], row["outcome"]) == ("publish uploads every file", "passed")


def test_rehearse_names_the_steps_if_none_has_these_words(tmp_path: Path) -> None:
    process = rehearse(tmp_path, "--only", "no such step", code=2)
    names = "`publish uploads every file`, `publish uploads nothing twice`"
    assert f"no step contains `no such step`; the steps are {names}\n" in process.stderr

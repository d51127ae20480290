"""What a program of a test sees of whoever started the run: played by tests/contract/test_isolation.py alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support import preconditions
from tests.support.preconditions import PRECONDITIONS, Precondition, require

LEFT: list[subprocess.Popen[bytes]] = []
PROGRAM = """
import json, os, pathlib
home = pathlib.Path(os.environ["HOME"])
mask = os.umask(0o022)
status = pathlib.Path("/proc/self/status").read_text().splitlines()
print(json.dumps({
    "environment": dict(os.environ),
    "umask": mask,
    "signals": [line for line in status if line.startswith(("SigBlk", "SigIgn"))],
    "home": {path.name: path.read_text() for path in home.iterdir() if path.is_file()},
    "streams": [os.path.exists(f"/proc/self/fd/{number}") for number in range(3)],
}))
"""


def test_probe(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Start a program without saying what it inherits, as a careless test would."""
    command = [sys.executable, "-c", PROGRAM]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    report = json.loads(output) | {"in CI": preconditions.in_ci}
    (tmp_path_factory.getbasetemp() / "report.json").write_text(json.dumps(report))


def test_leave_a_child() -> None:
    """Leave a process behind; likewise the next one, whose parent has ended."""
    LEFT.append(subprocess.Popen(["sleep", "300"], env={}))


def test_leave_an_orphan() -> None:
    subprocess.run(["sh", "-c", "sleep 301 &"], check=True)


def test_skip_for_a_reason_of_its_own() -> None:
    pytest.skip("it is Sunday")


def test_skip_without_an_excuse() -> None:
    """Need what nothing explains the absence of."""
    PRECONDITIONS["a test's own"] = Precondition(lambda: False, excuses=("POSIX",))
    require("a test's own")


def test_start_a_program_that_fails() -> None:
    command = ["sh", "-c", "echo on output; echo on error >&2; exit 3"]
    subprocess.run(command, check=True, capture_output=True)


def test_fail_while_a_program_runs() -> None:
    with subprocess.Popen(["sleep", "302"]):
        raise AssertionError("a program runs")

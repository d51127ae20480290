"""Progress of work, and how soon a registry that does not answer is given up."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from scripts import locked
from scripts.tools import console
from scripts.tools.processes import clean_environment, find_program
from tests.support.preconditions import needs


def test_a_log_shows_the_progress_of_long_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locked, "PATIENCE", 0.05)
    monkeypatch.setattr(locked, "LATER", 0.2)
    console.console.cache_clear()
    with console.step("measuring 9 rounds") as work:
        time.sleep(0.1)
        work.show("measuring round 3 of 9")
        time.sleep(0.25)
    first, second, *_, last = capsys.readouterr().err.splitlines()
    console.console.cache_clear()
    assert first == "… measuring 9 rounds"
    assert second.startswith("… measuring round 3 of 9: still running after ")
    assert last.startswith("✓ measuring 9 rounds (")


def forget_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the test an environment of its own, in which nobody says how often an index is tried."""
    left = {name: text for name, text in os.environ.items() if name not in locked.ATTEMPTS}
    monkeypatch.setattr(os, "environ", left)


@needs("npm")
def test_npm_gives_a_closed_registry_up_within_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forget_attempts(monkeypatch)
    locked.give_up_early()
    env = clean_environment(
        npm_config_registry="http://127.0.0.1:9/", npm_config_cache=str(tmp_path)
    )
    # Its own patience is 70 seconds.
    view = [find_program("npm"), "view", "lean-spec"]
    run = subprocess.run(view, env=env, capture_output=True, check=False, timeout=30)
    assert run.returncode != 0


def test_retries_that_a_user_sets_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_attempts(monkeypatch)
    monkeypatch.setenv("npm_config_fetch_retries", "9")
    locked.give_up_early()
    env = clean_environment()
    assert (env["PIP_RETRIES"], env["npm_config_fetch_retries"]) == ("1", "9")
    assert "NPM_CONFIG_FETCH_RETRIES" not in env

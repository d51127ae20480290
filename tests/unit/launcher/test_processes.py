"""Processes of installers and interpreters: where they start, what they are told, and how they end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leanspec_launcher import processes
from leanspec_launcher.processes import environment, neutral_folder, output_of
from tests.support.planted import plant

PYTHON = sys.executable


@pytest.mark.posix
def test_output_of_an_interpreter_imports_nothing_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, mark = tmp_path / "cloned", tmp_path / "mark"
    plant(folder, mark, tmp_path)
    monkeypatch.chdir(folder)
    # What one comes to without: a module of the folder is run.
    subprocess.run([PYTHON, "-c", "import json"], check=False, capture_output=True)
    assert mark.exists()
    mark.unlink()
    for command in (["-c", "import json, re"], ["-m", "json.tool", "--help"]):
        assert output_of([PYTHON, *command], seconds=60).returncode == 0
    assert processes.run_on_terminal([PYTHON, "-c", "import json"], seconds=60) == 0
    # As a hint says it, typed in the folder.
    typed = [*processes.interpreter(), "-m", "json.tool", "--help"]
    subprocess.run(typed, check=True, capture_output=True)
    assert not mark.exists()


def test_output_of_has_streams_and_exit_code() -> None:
    program = "import sys; print(sys.stdin.read()); sys.stderr.write('no'); sys.exit(3)"
    result = output_of([PYTHON, "-c", program], seconds=60, stdin="text")
    assert (result.returncode, result.stdout, result.stderr) == (3, "text\n", "no")
    folder = output_of([PYTHON, "-c", "import os; print(os.getcwd())"], seconds=60)
    assert Path(folder.stdout.strip()) == Path(neutral_folder())


@pytest.mark.posix
def test_output_of_ends_a_program_and_its_children_at_the_deadline(tmp_path: Path) -> None:
    path = tmp_path / "child"
    script = 'sh -c \'echo $$ > "$0"; sleep 100\' "$1" & wait'
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"did not end within 3 s"):
        output_of(["/bin/sh", "-c", script, "sh", str(path)], seconds=3)
    assert time.monotonic() - begin < 60
    child = int(path.read_text())
    while _is_running(child):
        assert time.monotonic() - begin < 60
        time.sleep(0.05)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_output_of_refuses_endless_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LIMIT", 1000)
    with pytest.raises(OSError, match=r"printed more than"):
        output_of([PYTHON, "-c", "while True: print('x' * 80)"], seconds=60)


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "nothing")
    with pytest.raises(OSError, match=f"^cannot start `{re.escape(path)}`: "):
        output_of([path], seconds=60)


def test_environment_has_no_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", "bin", os.defpath]))
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels")
    monkeypatch.setenv("UV_FIND_LINKS", "https://wheels.test/")
    env = environment()
    assert all(map(os.path.isabs, env["PATH"].split(os.pathsep)))
    assert env["PIP_FIND_LINKS"] == str(tmp_path / "wheels")
    assert env["UV_FIND_LINKS"] == "https://wheels.test/"

"""Who ends a command ends what it started: Ctrl-C, and the SIGTERM of a machine that shuts down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.environment import ROOT
from scripts.tools.processes import OWN_COMMAND, capture, show
from tests.support.surroundings import clean

pytestmark = pytest.mark.posix

# A client that starts something itself, and says who both are.
NPM = """#!/bin/sh
test "$1" = --version && echo 11.0.0 && exit
sleep 40 &
echo "$$ $!" > "$PIDS"
wait
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return (
        "Z (zombie)" not in Path(f"/proc/{pid}/status").read_text()
        if Path("/proc").is_dir()
        else True
    )


def wait_for(path: Path) -> list[int]:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if path.exists() and path.read_text().endswith("\n"):
            return [int(text) for text in path.read_text().split()]
        time.sleep(0.02)
    raise AssertionError(f"nothing wrote {path}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_children_of_a_command_end_with_it(number: signal.Signals, tmp_path: Path) -> None:
    """The signal reaches the command alone, as from a supervisor; it waits in a thread for each package."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "npm").write_text(NPM)
    (programs / "npm").chmod(0o755)
    pids, into = tmp_path / "pids", tmp_path / "into"
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    env = clean(tmp_path / "home", PATH=path, PIDS=str(pids), PYTHONPATH=str(ROOT))
    command = [*OWN_COMMAND, "collect", "npm", "1.2.3", "--into", str(into)]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        started = wait_for(pids)
        before = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert time.monotonic() - before < 5
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not [pid for pid in started if is_alive(pid)]
    assert not into.exists() or not list(into.iterdir())


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    """Whoever starts a command with `nohup` or in the background wants it to go on."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        "from scripts.tools.processes import end_on_signals; end_on_signals();"
        "print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    )
    assert capture([sys.executable, "-c", code], cwd=ROOT).stdout == "True\n"


def test_a_program_is_captured_or_shown(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys; sys.stdout.write(sys.stdin.read() + 'out'); sys.stderr.write('err'); sys.exit(3)"
    run = capture([sys.executable, "-c", code])
    assert (run.stdout, run.stderr, run.returncode) == ("out", "err", 3)
    assert show([sys.executable, "-c", code], cwd=ROOT).returncode == 3
    assert capfd.readouterr() == ("out", "err")
    assert show([sys.executable, "-c", code], cwd=ROOT, read=True).stdout == "out"
    assert capfd.readouterr() == ("", "err")

"""Running other programs: looked up once, named in every error, never through a shell."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from leanspec_launcher.commands import CommandError

TAIL = 12
GRACE = 5
"""Seconds between asking a program to end and ending it."""
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has none
# How to get the programs that several commands run.
INSTALL = {
    "cargo": "install Rust: https://rustup.rs",
    "git": "install git",
    "npm": "install Node.js, which brings it",
}
# What only the upload, the attestation and the release page need.
SECRETS = (
    *("TWINE_", "ACTIONS_ID_TOKEN", "ACTIONS_RUNTIME_TOKEN"),
    *("GH_TOKEN", "GITHUB_TOKEN"),
)
# What misleads another Python or installer, and what is none of its business.
MISLEADING = (
    *("PYTHON", "VIRTUAL_ENV", "LEANSPEC_"),
    *("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE"),
    *SECRETS,
)
# What a program needs to start: where its system is, and in which language it speaks.
FOR_PROGRAMS = (
    *("PATH", "LANG", "LC_", "TZ", "TERM", "TMP", "TEMP", "NO_PROXY"),
    *("SYSTEM", "WINDIR", "COMSPEC"),
)
# A maintainers' command in this environment, on the tree that is the working directory. (What
# `python3 -m scripts` adds is to find or make the environment of that tree.)
OWN_COMMAND = (sys.executable, "-c", "from scripts.cli import run; run()")


def find_program(name: str, hint: str = "") -> str:
    """Return the absolute path of a program; raises CommandError with a hint where there is none."""
    path = shutil.which(name)
    if path is None:
        text = f"`{name}` is not installed, or not on the path"
        raise CommandError(text, hint=hint or INSTALL[name])
    return str(Path(path).absolute())


def own_program(name: str) -> str:
    """Return the absolute path of a program of the development environment."""
    path = shutil.which(name, path=str(Path(sys.executable).parent))
    if path is None:
        raise CommandError(
            f"the development environment has no `{name}`",
            hint="run this through `python3 -m scripts`",
        )
    return path


def capture(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    umask: int = -1,
) -> subprocess.CompletedProcess[str]:
    """Run a program without input and return what it printed, whatever its exit code."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return _run(command, cwd=cwd, env=env, umask=umask, **streams)


def show(
    command: list[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    read: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program that reports its own progress to the user; with `read`, return its output."""
    stdout = subprocess.PIPE if read else None
    return _run(command, cwd=cwd, env=env, stdout=stdout)


def _run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401 - those of Popen
    options |= {"stdin": subprocess.DEVNULL, "encoding": "utf-8", "errors": "replace"}
    # In a process group of its own, so that what it starts can be ended with it.
    process = subprocess.Popen(command, process_group=0, **options)
    with _ended_with_us(process):
        out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out or "", err or "")


# Programs that run now, each the leader of a process group of its own: what it started ends with
# it.
_running: set[subprocess.Popen[Any]] = set()
_interruption = threading.Event()


def end_on_signals() -> None:
    """Let SIGTERM end this process as Ctrl-C does: programs are ended first, then what was half done is undone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # `nohup`, and a shell for its background jobs, let them be ignored: that is kept.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupted)


def _interrupted(number: int, frame: FrameType | None) -> None:
    # Here and not where KeyboardInterrupt arrives: a pool of threads first waits for what its
    # threads wait for.
    _interruption.set()
    for process in list(_running):
        _send(process, signal.SIGTERM)
    signal.default_int_handler(number, frame)


@contextlib.contextmanager
def _ended_with_us(process: subprocess.Popen[Any]) -> Iterator[None]:
    """End a program, and what it started, where this process is interrupted."""
    _running.add(process)
    try:
        with process:
            try:
                is_main = threading.current_thread() is threading.main_thread()
                if _interruption.is_set() and not is_main:
                    raise KeyboardInterrupt
                yield
            except BaseException:
                _send(process, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE)
                _send(process, KILL)
                raise
    finally:
        _running.discard(process)


def _send(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    if sys.platform == "win32":
        process.terminate()
        return
    # macOS refuses permission for a group that has ended.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def must_succeed(
    run: subprocess.CompletedProcess[str], title: str, hint: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Return a finished run; raises CommandError with the end of its output where it failed."""
    if run.returncode != 0:
        lines = (run.stdout + run.stderr).strip().splitlines()
        message = f"{title} failed (exit code {run.returncode})"
        raise CommandError(message, details=lines[-TAIL:], hint=hint)
    return run


def clean_environment(**additions: str) -> dict[str, str]:
    """Return this environment without the variables that mislead another Python or installer.

    Registry, proxy and certificate settings stay: they are the user's.
    """
    others = [name for name in os.environ if not name.startswith(MISLEADING)]
    return {name: os.environ[name] for name in others} | additions


def program_environment(home: Path) -> dict[str, str]:
    """Return the environment for a program under test: what every program needs, its own home, no secret."""
    home.mkdir(parents=True, exist_ok=True)
    names = [name for name in os.environ if name.upper().startswith(FOR_PROGRAMS)]
    homes = dict.fromkeys(("HOME", "USERPROFILE", "LOCALAPPDATA"), str(home))
    return {name: os.environ[name] for name in names} | homes

"""How a case starts the program, and what it records."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .release import Way

if sys.platform == "win32":
    raise ImportError  # the package has refused before: this tells type checkers

SECONDS = 60
# Fields of /proc/PID/stat after the name.
STATE, PARENT, STARTED = 0, 1, 19
Environment = Mapping[str, str] | Mapping[bytes, bytes]
# Popen with any of its settings, in bytes.
popen: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen
# What differs between any two runs, and says nothing about how they were started.
PASSING = (
    "status Pid",
    "status Tgid",
    "status Ngid",
    "status NS",
    "status State",
    "status Vm",  # the sizes move with where the kernel places libraries and stack
    "status Rss",
    "status HugetlbPages",
    "status voluntary_ctxt_switches",
    "status nonvoluntary_ctxt_switches",
    "status SigQ",
)


@dataclass(frozen=True)
class Surroundings:
    """The surroundings of a case: a way to start, its own folder, a plain environment."""

    way: Way
    folder: Path
    probe: str
    """The program itself, for what a shell cannot start."""

    @property
    def env(self) -> dict[str, str]:
        """Return a small environment with a home."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {
            "HOME": str(home),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
        }

    def start(
        self, *arguments: str | bytes, env: Environment | None = None, **settings: object
    ) -> subprocess.Popen[bytes]:
        """Start the program with arguments; further settings are Popen's."""
        settings = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        } | settings
        if env is None:
            env = self.env
        return popen([*self.way.command, *arguments], env=env, **settings)

    def run(self, *arguments: str | bytes) -> str:
        """Run the program to its end; return its exit and what it wrote."""
        try:
            process = self.start(*arguments)
        except OSError as error:
            return f"not started: {error.strerror}"
        out, err = process.communicate(timeout=SECONDS)
        return f"{ending(process.returncode)}\nout {out!r}\nerr {err!r}"

    def see(
        self, *more: str | bytes, env: Environment | None = None, **settings: object
    ) -> str:
        """Return every fact that the started program records about itself."""
        file = self.folder / "seen"
        process = self.start("see", str(file), *more, env=env, **settings)
        out, err = process.communicate(timeout=SECONDS)
        head = f"{ending(process.returncode)}\nout {out!r}\nerr {err!r}\n"
        return head + facts(file, process.pid)


@contextlib.contextmanager
def usual_signals() -> Iterator[None]:
    """Start programs with the signals of a terminal's shell: none ignored, none blocked.

    A caller may ignore some (`nohup … &`), which a started program inherits: it would not end.
    """

    def nothing(*_: object) -> None:
        """Stand for the default: a handler of ours is reset in a program that is started."""

    # Python itself ignores these two, and Popen gives them back.
    ignored = signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}
    before = {
        number: signal.signal(number, nothing)
        for number in ignored
        if signal.getsignal(number) is signal.SIG_IGN
    }
    mask = signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)


def ending(code: int) -> str:
    """Say how a process ended."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def facts(file: Path, process: int) -> str:
    """Return what the probe wrote, without what differs between any two runs.

    Our own process numbers become words: which process was started, and whose child it is, is part
    of the contract.
    """
    names = {str(process): "the started process", str(os.getpid()): "whoever started it"}
    lines = []
    for line in file.read_text("utf-8", "replace").splitlines():
        if line.startswith(("status Pid:", "status PPid:")):
            name, number = line.split("\t")
            lines.append(f"{name} {names.get(number, 'another process')}")
        elif not line.startswith(PASSING):
            lines.append(line)
    return "\n".join(lines)


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Wait for a condition; tell whether it came true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def waiting(
    surroundings: Surroundings,
    *,
    start_new_session: bool = False,
    process_group: int | None = None,
) -> tuple[subprocess.Popen[bytes], Path]:
    """Start the program so that it waits for signals; return it when it is ready, with the file in which it reports."""
    file = surroundings.folder / "told"
    file.unlink(missing_ok=True)
    process = surroundings.start(
        "wait", str(file), start_new_session=start_new_session, process_group=process_group
    )
    if not wait_until(lambda: file.exists() and "ready" in file.read_text()):
        process.kill()
        raise TimeoutError(f"{surroundings.way.name}: the program was not ready in time")
    return process, file


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for another one that gets its number later."""

    number: int
    started: str


def family_of(number: int) -> list[Process]:
    """Return a running process and all that it has started, and they in turn."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = _fields(int(entry.name))
    found, left = [], [number]
    while left:
        parent = left.pop()
        if parent in parents:
            found.append(Process(parent, parents[parent][STARTED]))
        left += [each for each, fields in parents.items() if int(fields[PARENT]) == parent]
    return found


def left_running(family: list[Process]) -> list[Process]:
    """Return those of a family that still run, and end them."""
    found = []
    for each in family:
        with contextlib.suppress(OSError):  # it ended, or ends right now
            fields = _fields(each.number)
            if fields[STARTED] == each.started and fields[STATE] != "Z":
                os.kill(each.number, signal.SIGKILL)
                found.append(each)
    return found


def _fields(number: int) -> list[str]:
    """Return the fields of a process after its name (proc_pid_stat(5)); raises OSError if it has ended."""
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()

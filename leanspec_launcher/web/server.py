"""The web server as a child process: started, asked for its health, and watched to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from leanspec_launcher.commands import CommandError

from . import place, port

# What the server would read next to its options, and what its options say instead.
OVERRIDDEN = (
    port.VARIABLE,
    place.VARIABLE,
    "LEANSPEC_HOST",
    "LEANSPEC_PORT",
    "LEANSPEC_PROJECT",
    "LEANSPEC_CONFIG",
    "LEANSPEC_CORS_ORIGINS",
    "LEANSPEC_DEV_MODE",
)
SECONDS = 10
POLL = 0.01
LAST_LINES = 5
if sys.platform != "win32":
    INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Of prctl(2): which signal a process gets when its parent ends.
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Server:
    """What is started: the program, its arguments, and the file for what it says."""

    program: str
    arguments: tuple[str, ...]
    host: str
    port: int
    log: str
    origin: str
    """The one web site that the server answers, which does not exist: its answers show whose it is."""


class EndedError(CommandError):
    """The server has ended by itself, as it does if another program has taken its port."""


def new_origin() -> str:
    """Return the origin of a site that nobody can have (RFC 6761, section 6.4)."""
    return f"http://{os.urandom(16).hex()}.invalid"


def environment() -> dict[str, str]:
    """Return the environment for the server: this one, without what its options say instead."""
    return {name: value for name, value in os.environ.items() if name not in OVERRIDDEN}


def start(server: Server) -> subprocess.Popen[bytes]:
    """Start the server; its output goes to its log.

    Raises OSError if it cannot be started.
    """
    with open(server.log or os.devnull, "wb") as log:
        return subprocess.Popen(
            [server.program, *server.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one thread
        )


def _die_with_parent() -> Callable[[], None] | None:
    """Return what a child does before it becomes the server: it dies when this process is killed."""
    if sys.platform != "linux":
        return None
    import ctypes

    library, parent = ctypes.CDLL(None), os.getpid()

    def prepare() -> None:
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def wait_until_healthy(
    process: subprocess.Popen[bytes], server: Server, version: str
) -> None:
    """Wait until the server answers with its version.

    Raises EndedError if it ends. Raises CommandError, and ends it, if it answers with another
    version, or takes too long.
    """
    until = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < until:
        found = port.health(server.host, server.port, server.origin)
        if found and version in ("", found):
            return
        if found:
            end(process)
            raise CommandError(
                f"the server answers as version {found}, expected {version}",
                hint="leanspec-launcher doctor",
            )
        time.sleep(POLL)
    said = "".join(f"\n  {line}" for line in last_words(server.log))
    if process.poll() is not None:
        reason = f"the server ended with exit code {process.returncode}{said}"
        raise EndedError(reason, hint="leanspec-launcher doctor")
    end(process)
    reason = f"the server did not answer within {SECONDS} s{said}"
    raise CommandError(reason, hint="leanspec-launcher doctor")


def end(process: subprocess.Popen[bytes]) -> None:
    """End the server at once."""
    process.kill()
    process.wait()


def last_words(log: str) -> list[str]:
    """Return the last lines of a log; none if there is no log."""
    try:
        text = Path(log).read_text("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-LAST_LINES:]


def hold_signals() -> None:
    """Let the signals that end this process wait until the watcher can act on them.

    From the moment that somebody knows the server, each of them ends both with exit code 0.
    """
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)


def become_watcher(process: subprocess.Popen[bytes], file: str) -> NoReturn:
    """Watch the server until it or this process is to end; end this process with its exit code."""
    if sys.platform == "win32":
        from .windows import watch

        sys.exit(watch(process, file))
    # Only the standard library's smallest part is left in memory: the process stays the same, and
    # with it the parent of the server.
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "watch.py")
    command = [sys.executable, "-I", "-S", script, str(process.pid), file]
    os.execv(sys.executable, command)

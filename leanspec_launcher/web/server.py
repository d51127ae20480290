"""The web server as a child process: started, asked for its health, and watched to its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess  # noqa: TID251 - LeanSpec's own program
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from leanspec_launcher._pins import BINARIES
from leanspec_launcher.commands import CommandError

from . import place, port
from .listener import is_listening

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
DOCTOR = "leanspec-launcher doctor"
HEALTHY_SECONDS = 10
# Seconds that a server has after it was asked to end.
GRACE = 1
POLL = 0.002
LAST_LINES = 5
if sys.platform != "win32":
    INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Of prctl(2): which signal a process gets when its parent ends.
PR_SET_PDEATHSIG = 1


class WebServer(NamedTuple):
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


def start(server: WebServer) -> subprocess.Popen[bytes]:
    """Start the server; its output goes to its log.

    Raises OSError if it cannot be started.
    """
    # Its options say what these would.
    names = [name for name in os.environ if name not in OVERRIDDEN]
    with _open_log(server.log) as log:
        return subprocess.Popen(
            [server.program, *server.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={name: os.environ[name] for name in names},
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one thread
        )


def _open_log(path: str) -> IO[bytes]:
    """Open a log; a file system that is read-only has no place for one."""
    try:
        return open(path or os.devnull, "wb")
    except OSError:
        return open(os.devnull, "wb")


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


def wait_until_healthy(process: subprocess.Popen[bytes], server: WebServer) -> None:
    """Wait until the server answers with this release's version.

    Raises EndedError if it ends. Raises CommandError, and ends it, if it answers with another
    version, or takes too long.
    """
    deadline = time.monotonic() + HEALTHY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        answer = port.health(server.host, server.port, server.origin)
        # If another program has the port, the server ends in a moment.
        is_ours = bool(answer) and is_listening(process.pid, server.port)
        if is_ours and process.poll() is None:
            if BINARIES in ("", answer):
                return
            end(process)
            raise CommandError(
                f"the server answers as version {answer}, expected {BINARIES}", hint=DOCTOR
            )
        time.sleep(POLL)
    words = last_words(server.log)
    if process.poll() is not None:
        reason = f"the server ended with exit code {process.returncode}"
        raise EndedError(reason, hint=DOCTOR, details=words)
    end(process)
    reason = f"the server did not answer within {HEALTHY_SECONDS} s"
    raise CommandError(reason, hint=DOCTOR, details=words)


def end(process: subprocess.Popen[bytes]) -> None:
    """End the server, as the watcher does: with a moment to finish what it writes."""
    process.terminate()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    finally:
        process.kill()
        process.wait()


def last_words(log: str) -> list[str]:
    """Return the last lines of a log; none if there is no log."""
    try:
        text = Path(log).read_text("utf-8", "replace")
    except OSError:
        return []
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-LAST_LINES:]


def reset_signals() -> None:
    """Take back that children are not waited for, which whoever started this process may want."""
    if sys.platform != "win32":
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def exit_at_signals() -> None:
    """Let a signal that ends this process do so with exit code 0, until the watcher acts on them.

    Whoever knows the server's address may send one, also while a browser is opened.
    """
    if sys.platform != "win32":
        for number in INTERRUPTS:
            # What is ignored stays so, as `nohup` wants it.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: sys.exit(0))


def become_watcher(process: subprocess.Popen[bytes], file: str) -> NoReturn:
    """Watch the server until it or this process is to end; end this process with its exit code."""
    if sys.platform != "win32":
        # Signals wait until the watcher can act on them.
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
        # Only the standard library's smallest part is left in memory: the process stays the same,
        # and with it the parent of the server.
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "watch.py")
        options = ["-I", "-S", script]
        os.execv(sys.executable, [sys.executable, *options, str(process.pid), file])
    from .windows import watch

    sys.exit(watch(process, file))

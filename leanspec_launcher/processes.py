"""Processes of installers, interpreters and the system's tools, which read nothing of the user's folder.

`python -m pip` imports modules from the working directory, and uv reads `uv.toml` and
`pyproject.toml` there and above: in a cloned repository they are a stranger's. LeanSpec's own
programs work in the user's folder, and are not started here.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess  # noqa: TID251 - the one place that starts what is not LeanSpec's
import sys
import threading
from typing import IO

from ._search import is_absolute

# What a program may print, in bytes; more ends it.
LIMIT = 32 << 20
READ_SECONDS = 10
# Variables of installers that hold one path, for which another working directory is another path.
PATHS = (
    *("PIP_CONFIG_FILE", "PIP_CERT", "PIP_CACHE_DIR", "PIP_FIND_LINKS", "PIP_CONSTRAINT"),
    *("UV_CONFIG_FILE", "UV_CACHE_DIR", "UV_FIND_LINKS", "UV_CONSTRAINT", "UV_TOOL_DIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIPX_HOME", "NETRC"),
)
# Since Python 3.11, this keeps the working directory out of `sys.path`.
SAFE_PATH = ["-P"] if sys.version_info >= (3, 11) else []


def interpreter() -> list[str]:
    """Return how this Python is started, by us or by somebody who types a hint anywhere."""
    return [sys.executable, *SAFE_PATH]


def neutral_folder() -> str:
    """Return a folder in which, as in those above it, nobody but an administrator makes files."""
    if sys.platform == "win32":
        # Users may make folders in the root of a drive.
        return os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32")
    return "/"


def environment() -> dict[str, str]:
    """Return this process's environment with absolute paths: relative ones on `PATH` are left out."""
    env = dict(os.environ)
    folders = env.get("PATH", os.defpath).split(os.pathsep)
    env["PATH"] = os.pathsep.join(filter(is_absolute, folders))
    for name in PATHS:
        if env.get(name) and os.path.exists(env[name]):
            env[name] = os.path.abspath(env[name])
    return env


def output_of(
    command: list[str], *, seconds: float, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program without a terminal; return its exit code and what it printed.

    Raises OSError if it cannot be started or prints more than `LIMIT`, TimeoutError if it takes
    longer than that many seconds. Whatever ends it, the processes that it started end as well.
    """
    process = _start(command, subprocess.PIPE, is_alone=True)
    texts: dict[str, str] = {}
    readers = [
        threading.Thread(target=_read, args=(process, name, texts), daemon=True)
        for name in ("stdout", "stderr")
    ]
    try:
        for reader in readers:
            reader.start()
        # A program need not read it.
        with contextlib.suppress(BrokenPipeError), process.stdin or io.BytesIO() as stream:
            stream.write(stdin.encode())
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"`{command[0]}` did not end within {seconds:g} s") from None
    finally:
        _end(process)
        # Nothing holds the other end of the pipes any more, but what left its session.
        for reader in readers:
            reader.join(READ_SECONDS)
    if len(texts) < len(readers):
        raise OSError(f"`{command[0]}` printed more than {LIMIT >> 20} MiB, or never ended")
    return subprocess.CompletedProcess(
        command, process.returncode, texts["stdout"], texts["stderr"]
    )


def run_on_terminal(command: list[str], *, seconds: float) -> int:
    """Run a program with its words on this process's standard error; return its exit code.

    Raises OSError if it cannot be started, TimeoutError if it takes longer than that many seconds,
    and KeyboardInterrupt after Ctrl-C, when the program has ended too.
    """
    # Its standard output goes there too, if it is open.
    output = subprocess.DEVNULL if sys.stderr is None else 2
    process = _start(command, None, is_alone=False, output=output)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise TimeoutError(f"`{command[0]}` did not end within {seconds:g} s") from None
    finally:
        # The terminal sent Ctrl-C to it as well: nothing is read or undone while it still writes.
        process.wait()


def _start(
    command: list[str], stream: int | None, *, is_alone: bool, output: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a program with its three streams; alone, its own children can be ended with it."""
    try:
        return subprocess.Popen(
            command,
            stdin=stream,
            stdout=output or stream,
            stderr=stream,
            cwd=neutral_folder(),
            env=environment(),
            start_new_session=is_alone,
        )
    except OSError as error:
        raise OSError(f"cannot start `{command[0]}`: {error.strerror}") from None


def _read(process: subprocess.Popen[bytes], name: str, texts: dict[str, str]) -> None:
    """Read one stream of a program, which is ended if it writes too much."""
    stream: IO[bytes] = getattr(process, name)
    with stream:
        data = stream.read(LIMIT)
        if stream.read(1):
            process.kill()
        else:
            texts[name] = data.decode(errors="replace").replace("\r\n", "\n")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program with all that it started."""
    if sys.platform == "win32":
        process.kill()
    else:
        import signal

        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()

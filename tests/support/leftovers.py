"""Processes that a test leaves behind: found, ended and reported (Linux only)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from scripts.tools.processes import KILL

SETTLE_SECONDS = 10


def end_with_their_block() -> None:
    """Let an error inside of `with subprocess.Popen(...)` end the program.

    Python waits for its end, without limit: a failed assertion would be a test that hangs.
    """
    leave = subprocess.Popen.__exit__

    def kill_and_leave(
        process: subprocess.Popen[Any],
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            process.kill()
        leave(process, kind, value, traceback)

    subprocess.Popen.__exit__ = kill_and_leave  # type: ignore[method-assign]


def processes() -> set[str]:
    """Return the IDs of all processes of this machine."""
    if sys.platform != "linux":
        return set()
    return {path.name for path in Path("/proc").iterdir() if path.name.isdigit()}


def end_all_but(earlier: set[str], folder: Path) -> list[str]:
    """End processes that were started later, after a grace time; return their command lines.

    Those of this run are the children of this process, and what has `folder` in its environment:
    a home or a temporary folder.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    lines = []
    while remaining := _ours(processes() - earlier, folder):
        if time.monotonic() > deadline:
            lines += [_read(number, "cmdline") for number in remaining]
            for number in remaining:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(number), KILL)
        time.sleep(0.02)
    return lines


def _ours(numbers: set[str], folder: Path) -> set[str]:
    own = str(os.getpid())
    return {
        number
        for number in numbers
        if _parent(number) == own or str(folder) in _read(number, "environ")
    }


def _parent(number: str) -> str:
    """Return the parent of a process; empty if it has ended, and only waits to be asked how."""
    # The name before the state is in brackets, and may hold anything.
    state, parent, *_ = _read(number, "stat").rpartition(")")[2].split() or ("Z", "")
    return parent if state != "Z" else ""


def _read(number: str, name: str) -> str:
    with contextlib.suppress(OSError):
        data = Path("/proc", number, name).read_bytes()
        return data.replace(b"\0", b" ").decode(errors="replace").strip()
    return ""

"""The end of the server on Windows, where no process can become another."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess  # noqa: TID251 - LeanSpec's own program
import sys
from ctypes import wintypes

if sys.platform != "win32":
    raise ImportError

from leanspec_launcher.windows.parent import KERNEL, create_job

GRACE = 1
# What OpenProcess is asked for (Process Security and Access Rights).
QUERY_LIMITED_INFORMATION = 0x1000


def is_running(process: int) -> bool:
    """Tell whether a process runs that this user may ask about: not another user's."""
    handle = KERNEL.OpenProcess(QUERY_LIMITED_INFORMATION, False, process)  # noqa: FBT003 - of C
    if handle:
        KERNEL.CloseHandle(ctypes.c_void_p(handle))
    return bool(handle)


def watch(process: subprocess.Popen[bytes], file: str) -> int:
    """Wait for the server; at Ctrl-C, give it a moment and then end it. Return the exit code.

    However this process ends, the server ends with it.
    """
    job = create_job()
    if job:
        # Popen opens no other way to the handle.
        handle = wintypes.HANDLE(int(getattr(process, "_handle")))  # noqa: B009
        KERNEL.AssignProcessToJobObject(wintypes.HANDLE(job), handle)
    try:
        return process.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(GRACE)
        process.kill()
        process.wait()
        return 0
    finally:
        if job:
            KERNEL.CloseHandle(ctypes.c_void_p(job))
        with contextlib.suppress(OSError):
            os.unlink(file)

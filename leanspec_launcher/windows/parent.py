"""The parent process that Windows needs, where no process can become another.

It puts the program into a job that ends with this process, leaves Ctrl-C to it, waits, and ends
with its exit code.
"""

import ctypes
import os
import sys
from ctypes import wintypes

from leanspec_launcher._say import say

from .command_line import command_line

if sys.platform != "win32":
    raise ImportError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

KERNEL = ctypes.WinDLL("kernel32", use_last_error=True)

# winbase.h, winnt.h, wincon.h
CREATE_SUSPENDED, CREATE_NO_WINDOW = 0x4, 0x08000000
STARTF_USESHOWWINDOW, STARTF_USESTDHANDLES = 0x1, 0x100
HANDLE_FLAG_INHERIT = 0x1
STANDARD_HANDLES = (-10, -11, -12)
INVALID_HANDLE = ctypes.c_void_p(-1).value
JOB_EXTENDED_LIMITS = 9
# The program dies with this process; what it starts itself is as free as after a direct start.
KILL_ON_JOB_CLOSE, SILENT_BREAKAWAY_OK = 0x2000, 0x1000
INFINITE, WAIT_TIMEOUT = 0xFFFFFFFF, 0x102
CTRL_CLOSE_EVENT = 2
# NTSTATUS codes with which the loader ends a program before its first line: it says nothing itself.
LOADER_CODES = {
    0xC0000135: "a DLL that it needs is not on this system",
    0xC0000139: "a DLL on this system is too old for it",
    0xC000007B: "a DLL on this system is for another CPU, or damaged",
    0xC0000142: "a DLL that it needs failed to start",
    0xC000001D: "it uses instructions that this CPU does not have",
    0xC0000428: "its signature is not accepted on this system",
}
# A loader that gives up does so at once; until then, standard error is kept to say why.
LOADER_MILLISECONDS = 1000
RUNTIME = "install the Microsoft Visual C++ Redistributable, and all updates of Windows"


def wait_for(path: str, arguments: "list[str]") -> int:
    """Run the program to its end, and end this process with its exit code, all 32 bits of it.

    Raises OSError with its `winerror` if the program cannot be started.
    """
    started: list[wintypes.HANDLE] = []
    # Kept in a name: Windows calls it for as long as this process lives.
    handler = _handler(started)
    KERNEL.SetConsoleCtrlHandler(handler, 1)
    process, thread = _create(path, command_line([path, *arguments]))
    started.append(process)
    job = create_job()
    # Without a job (an old sandbox lets none be nested) the program still runs; it then outlives a
    # killed parent.
    if job:
        KERNEL.AssignProcessToJobObject(wintypes.HANDLE(job), process)
    KERNEL.ResumeThread(thread)
    # The program has its own. With ours open too, nobody would see that it closed one of them.
    _close(0)
    _close(1)
    if KERNEL.WaitForSingleObject(process, LOADER_MILLISECONDS) == WAIT_TIMEOUT:
        _close(2)
        KERNEL.WaitForSingleObject(process, INFINITE)
    code = wintypes.DWORD()
    KERNEL.GetExitCodeProcess(process, ctypes.byref(code))
    problem = LOADER_CODES.get(code.value)
    if problem:
        say(
            f"error: `{path}` was ended by Windows ({code.value:#x}): {problem}",
            f"hint: {RUNTIME}",
        )
    # sys.exit() takes no more than 31 bits.
    KERNEL.ExitProcess(code)
    raise OSError("ExitProcess returned")


def _handler(started: "list[wintypes.HANDLE]") -> "Callable[[int], int]":
    """Return what answers the console's events in this process: the program has the say.

    Every process of a console hears of Ctrl-C, Ctrl-Break and its closing. At a closing, a log-off
    or a shutdown, a process ends when its handler returns, and the job with it: so it waits for the
    program, for as long as Windows grants. Not SetConsoleCtrlHandler(NULL, TRUE): that is
    inherited, and the program would be deaf too.
    """

    def answer(event: int) -> int:
        if event >= CTRL_CLOSE_EVENT:
            for process in started:
                KERNEL.WaitForSingleObject(process, INFINITE)
        return 1

    return ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)(answer)


def _close(stream: int) -> None:
    try:
        os.close(stream)
    except OSError:
        return  # it was closed when this process started


def _create(path: str, line: str) -> "tuple[wintypes.HANDLE, wintypes.HANDLE]":
    """Create the process, suspended, with our standard handles, in a window like ours."""
    ours, startup = _StartupInformation(), _StartupInformation()
    KERNEL.GetStartupInfoW(ctypes.byref(ours))
    startup.size = ctypes.sizeof(startup)
    startup.flags = STARTF_USESTDHANDLES | (ours.flags & STARTF_USESHOWWINDOW)
    startup.show = ours.show
    handles = [_inheritable(number) for number in STANDARD_HANDLES]
    startup.input, startup.output, startup.error = handles
    flags = CREATE_SUSPENDED
    if not KERNEL.GetConsoleCP():
        # There is no console (a GUI started us): Windows would open one, in a window. A hidden one
        # serves the program's own children too, which would each open theirs.
        flags |= CREATE_NO_WINDOW
    child = _ProcessInformation()
    # CreateProcessW writes into the command line.
    buffer = ctypes.create_unicode_buffer(line)
    if not KERNEL.CreateProcessW(
        path,
        buffer,
        None,
        None,
        1,
        flags,
        None,
        None,
        ctypes.byref(startup),
        ctypes.byref(child),
    ):
        error = ctypes.get_last_error()
        raise OSError(None, ctypes.FormatError(error).strip(), path, error)
    return wintypes.HANDLE(child.process), wintypes.HANDLE(child.thread)


def _inheritable(number: int) -> "int | None":
    KERNEL.GetStdHandle.restype = wintypes.HANDLE
    handle: int | None = KERNEL.GetStdHandle(wintypes.DWORD(number & 0xFFFFFFFF))
    if handle in (None, INVALID_HANDLE):
        return None
    KERNEL.SetHandleInformation(
        wintypes.HANDLE(handle), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT
    )
    return handle


def create_job() -> "int | None":
    """Return a job whose processes end when this process does; None if there can be none."""
    KERNEL.CreateJobObjectW.restype = wintypes.HANDLE
    job: int | None = KERNEL.CreateJobObjectW(None, None)
    limits = _JobLimits()
    limits.flags = KILL_ON_JOB_CLOSE | SILENT_BREAKAWAY_OK
    size = ctypes.sizeof(limits)
    if job and KERNEL.SetInformationJobObject(
        wintypes.HANDLE(job), JOB_EXTENDED_LIMITS, ctypes.byref(limits), size
    ):
        return job
    return None


class _StartupInformation(ctypes.Structure):
    """STARTUPINFOW (processthreadsapi.h)."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("reserved", ctypes.c_void_p),
        ("desktop", ctypes.c_void_p),
        ("title", ctypes.c_void_p),
        ("place", ctypes.c_uint32 * 7),
        ("flags", ctypes.c_uint32),
        ("show", ctypes.c_uint16),
        ("more", ctypes.c_uint16),
        ("more_data", ctypes.c_void_p),
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("error", ctypes.c_void_p),
    )


class _ProcessInformation(ctypes.Structure):
    """PROCESS_INFORMATION (processthreadsapi.h)."""

    _fields_ = (
        ("process", ctypes.c_void_p),
        ("thread", ctypes.c_void_p),
        ("process_number", ctypes.c_uint32),
        ("thread_number", ctypes.c_uint32),
    )


class _JobLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION (winnt.h): of its fields, only the flags are ours to set."""

    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("minimum_working_set", ctypes.c_size_t),
        ("maximum_working_set", ctypes.c_size_t),
        ("active_processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
        ("counters", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )

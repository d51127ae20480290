"""Time of a file's last change, by Windows' own clock: `st_ctime` there is the creation."""

import ctypes
import sys
from ctypes import wintypes

if sys.platform != "win32":
    raise ImportError

KERNEL = ctypes.WinDLL("kernel32", use_last_error=True)
# winnt.h, fileapi.h, minwinbase.h
FILE_READ_ATTRIBUTES = 0x80
SHARE_ALL = 0x7
OPEN_EXISTING = 3
FILE_BASIC_INFO = 0
INVALID_HANDLE = ctypes.c_void_p(-1).value


class _BasicInformation(ctypes.Structure):
    """FILE_BASIC_INFO (winbase.h), times in units of 100 ns."""

    _fields_ = (
        ("creation", ctypes.c_int64),
        ("access", ctypes.c_int64),
        ("write", ctypes.c_int64),
        ("change", ctypes.c_int64),
        ("attributes", ctypes.c_uint32),
    )


def change_time(path: str) -> int:
    """Return the ChangeTime of a file, in nanoseconds since 1970; 0 if its file system has none (FAT)."""
    KERNEL.CreateFileW.restype = wintypes.HANDLE
    handle = KERNEL.CreateFileW(
        path, FILE_READ_ATTRIBUTES, SHARE_ALL, None, OPEN_EXISTING, 0, None
    )
    if handle in (None, INVALID_HANDLE):
        return 0
    information = _BasicInformation()
    size = ctypes.sizeof(information)
    file = wintypes.HANDLE(handle)
    is_read = KERNEL.GetFileInformationByHandleEx(
        file, FILE_BASIC_INFO, ctypes.byref(information), size
    )
    KERNEL.CloseHandle(file)
    if not is_read or not information.change:
        return 0
    # From 1601, where Windows' clock begins.
    ticks = int(information.change) - 116_444_736_000_000_000
    return ticks * 100

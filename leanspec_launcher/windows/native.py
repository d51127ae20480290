"""CPU that this Windows runs on: not always that of this Python, which may be emulated."""

import ctypes
import sys
from ctypes import wintypes

if sys.platform != "win32":
    raise ImportError

# IMAGE_FILE_MACHINE_* (winnt.h), as the table of platforms calls them
MACHINES = {0x014C: "x86", 0x8664: "amd64", 0xAA64: "arm64"}


def native_machine() -> str:
    """Return the CPU of this machine; empty on a Windows that does not say (before 10, version 1511)."""
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    emulated, native = ctypes.c_ushort(), ctypes.c_ushort()
    here = wintypes.HANDLE(kernel.GetCurrentProcess())
    try:
        answer = kernel.IsWow64Process2(here, ctypes.byref(emulated), ctypes.byref(native))
    except AttributeError:
        return ""
    return MACHINES.get(native.value, "") if answer else ""

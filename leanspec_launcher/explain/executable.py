"""Kind of a file, by its first bytes: for people, and nothing is decided by it."""

import os
import struct

ELF_CPUS = {3: "x86", 40: "32-bit arm", 62: "x86-64", 183: "arm64", 243: "RISC-V"}
MACH_O_CPUS = {0x01000007: "Intel", 0x0100000C: "Apple silicon"}
PE_CPUS = {0x014C: "x86", 0x8664: "x86-64", 0xAA64: "arm64"}
MACH_O_MAGIC, FAT_MAGIC = b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"
HEADER = 4096


def kind(path: str) -> str:
    """Say what a file is, from its first bytes."""
    if not os.path.isfile(path):
        return "not a file"  # a FIFO or a device is not opened
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read(HEADER)
    except OSError as error:
        return f"unreadable ({error.strerror})"
    if not data:
        return "empty"
    if data.startswith(b"#!"):
        line = data[2:].splitlines()[:1]
        return f"a script for `{b''.join(line).decode(errors='replace').strip()}`"
    try:
        return _format(data) or "no program of any known format"
    except struct.error:
        return "a truncated program"


def _format(data: bytes) -> str:
    if data.startswith(b"\x7fELF"):
        (machine,) = struct.unpack_from("<H", data, 18)
        return f"a Linux program for {ELF_CPUS.get(machine, f'CPU {machine}')}"
    if data.startswith(MACH_O_MAGIC):
        (machine,) = struct.unpack_from("<I", data, 4)
        return f"a macOS program for {MACH_O_CPUS.get(machine, f'CPU {machine}')}"
    if data.startswith(FAT_MAGIC):
        return "a macOS program for several CPUs"
    if data.startswith(b"MZ"):
        (offset,) = struct.unpack_from("<I", data, 0x3C)
        (machine,) = struct.unpack_from("<H", data, offset + 4)
        return f"a Windows program for {PE_CPUS.get(machine, f'CPU {machine}')}"
    return ""

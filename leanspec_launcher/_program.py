"""What is this file, and would the system load it? Imported at a first start, and when one failed.

No more than a loader reads: the header that names the format, and the segment that names the loader.
"""

import _signal
import os
import struct
import sys

ELF_CPUS = {3: "x86", 40: "32-bit arm", 62: "x86-64", 183: "arm64", 243: "RISC-V"}
MACH_O_CPUS = {0x01000007: "Intel", 0x0100000C: "Apple silicon"}
PE_CPUS = {0x014C: "x86", 0x8664: "x86-64", 0xAA64: "arm64"}
MACH_O_MAGIC, FAT_MAGIC = b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"
PT_INTERP = 3
HEADER = 4096
# What a loader says of a missing library (glibc, glibc when it lists, musl), and of a missing version of one.
MISSING = (r"(\S+) => not found", r"loading shared librar\w+:? (\S+): (?:cannot open|No such)")
DAMAGED = r"loading shared librar\w+:? (\S+): (.+)"
LISTING = "LD_TRACE_LOADED_OBJECTS"
NEWER = r"/([^/\s]+): version `([^']+)' not found"


def kind(path: str) -> str:
    """Say what a file is, from its first bytes."""
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read(HEADER)
    except OSError as error:
        return f"unreadable ({error.strerror})"
    if not data:
        return "empty"
    if data.startswith(b"#!"):
        return f"a script for `{data[2:].splitlines()[0].decode(errors='replace').strip()}`"
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


def objection(path: str) -> str:
    """Return what keeps the system's loader from loading a program; empty where nothing does.

    The loader is asked, and the program is not run. Linux alone: there a program that its loader gives up on is gone
    before that could be explained. A loader that cannot be asked has no objection.
    """
    loader = loader_of(path) if sys.platform == "linux" else ""
    if loader and not os.path.exists(loader):
        return f"its loader `{loader}` is not on this system"
    try:
        said = _ask(loader, path) if loader else ""
    except (OSError, ValueError):
        return ""
    if "not found" not in said and "loading shared librar" not in said:
        return ""
    import re  # 4 ms, for a program that is not started

    newer = dict.fromkeys(f"{version} of `{library}`" for library, version in re.findall(NEWER, said))
    lacking = dict.fromkeys(f"`{name}`" for pattern in MISSING for name in re.findall(pattern, said))
    if newer:
        return f"it needs {', '.join(newer)}, and this system has an older one"
    if lacking:
        return f"it needs {' and '.join(lacking)}, which this system lacks"
    damaged = [f"`{name}`, which cannot be loaded ({why.strip()})" for name, why in re.findall(DAMAGED, said)]
    return f"it needs {' and '.join(damaged)}" if damaged else ""


def loader_of(path: str) -> str:
    """Return the loader that an ELF file names (PT_INTERP, System V ABI, chapter 5); empty where it names none."""
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read(HEADER)
            if data[:6] != b"\x7fELF\x02\x01":  # 64 bits, little-endian: all that we build
                return ""
            (table,) = struct.unpack_from("<Q", data, 32)
            size, count = struct.unpack_from("<HH", data, 54)
            for number in range(count):
                kind_of_segment, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, table + number * size)
                if kind_of_segment == PT_INTERP:
                    file.seek(offset)
                    return os.fsdecode(file.read(min(length, HEADER)).rstrip(b"\0"))
    except (OSError, ValueError, struct.error):
        pass
    return ""


def _ask(loader: str, path: str) -> str:
    """Return what a loader says when it lists a program's libraries (ld.so(8); musl's knows `--list` too)."""
    if sys.platform == "win32":
        return ""
    # With this variable, glibc lists every missing library instead of the first one.
    env = {name: value for name, value in os.environ.items() if name.startswith("LD_")} | {LISTING: "1"}
    # While SIGCHLD is ignored, a child leaves no trace in the times of its parent (getrusage(2), RUSAGE_CHILDREN),
    # which the program inherits.
    before = _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
    reading, writing = os.pipe()
    try:
        streams = [(os.POSIX_SPAWN_DUP2, writing, stream) for stream in (1, 2)]
        process = os.posix_spawn(loader, [loader, "--list", path], env, file_actions=streams)
        os.close(writing)
        writing = -1
        with open(reading, "rb", closefd=False) as file:
            said = file.read().decode(errors="replace")
        try:  # noqa: SIM105 - contextlib takes 2 ms, of a first start
            os.waitpid(process, 0)
        except ChildProcessError:
            pass  # the system has taken care of it
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
        _signal.signal(_signal.SIGCHLD, before)
    return said

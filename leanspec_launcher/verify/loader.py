"""Questions to ld.so, the system's loader (Linux only): there it gives up after `execv`, too late to explain."""

import _signal
import os
import struct
import sys

from . import refuse

PT_INTERP = 3
ST_NOEXEC = 8  # statvfs(3), Linux; PyPy's `os` has no such name
HEADER = 4096
LOADER_SECONDS = 10
# What a loader says of a missing library (glibc, glibc when it lists, musl), and of a missing
# version of one.
MISSING = (
    r"(\S+) => not found",
    r"loading shared librar\w+:? (\S+): (?:cannot open|No such)",
)
DAMAGED = r"loading shared librar\w+:? (\S+): (.+)"
LISTING = "LD_TRACE_LOADED_OBJECTS"
NEWER = r"/([^/\s]+): version `([^']+)' not found"


def must_load(path: str) -> None:
    """Ask the loader that a program names whether it can load it; the program is not run.

    Only for a file with a verified SHA-256: the loader that another file names could be any
    program. Raises Refusal if the loader would give up. A loader that cannot be asked does not
    object.
    """
    if sys.platform != "linux":
        return
    loader = loader_of(path)
    if not loader or is_noexec(path):
        return  # where nothing may run, the loader's failure says nothing of the program
    if not os.path.isabs(loader) or not os.path.exists(loader):
        refuse("NO_LOADER", f"its loader `{loader}` is not on this system")
    try:
        output = _ask(loader, path)
    except (OSError, ValueError):
        return
    if "not found" in output or "loading shared librar" in output:
        _refuse(output)


def is_noexec(path: str) -> bool:
    """Tell whether the file system of a file lets no program run."""
    if sys.platform != "linux":
        return False
    try:
        return bool(os.statvfs(path).f_flag & ST_NOEXEC)
    except OSError:
        return False


def _refuse(output: str) -> None:
    """Raise a Refusal for what a loader says, if that is an objection."""
    import re  # 4 ms, for a program that is not started

    newer = dict.fromkeys(
        f"{version} of `{name}`" for name, version in re.findall(NEWER, output)
    )
    if newer:
        refuse("OLD_SYSTEM", f"it needs {', '.join(newer)}; this system has an older one")
    names = [name for pattern in MISSING for name in re.findall(pattern, output)]
    lacking = dict.fromkeys(f"`{name}`" for name in names)
    if lacking:
        refuse("NO_LIBRARY", f"it needs {' and '.join(lacking)}, which this system lacks")
    damaged = [
        f"`{name}`, which cannot be loaded ({reason.strip()})"
        for name, reason in re.findall(DAMAGED, output)
    ]
    if damaged:
        refuse("NO_LIBRARY", f"it needs {' and '.join(damaged)}")


def loader_of(path: str) -> str:
    """Return the loader that an ELF file names (PT_INTERP, System V ABI, chapter 5); empty if it names none."""
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read(HEADER)
            if data[:6] != b"\x7fELF\x02\x01":  # 64 bits, little-endian: all that we build
                return ""
            (table,) = struct.unpack_from("<Q", data, 32)
            size, count = struct.unpack_from("<HH", data, 54)
            for number in range(count):
                segment = struct.unpack_from("<IIQQQQ", data, table + number * size)
                kind, _, offset, _, _, length = segment
                if kind == PT_INTERP:
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
    names = [name for name in os.environ if name.startswith("LD_")]
    env = {name: os.environ[name] for name in names}
    env[LISTING] = "1"
    # While SIGCHLD is ignored, a child leaves no trace in the times of its parent (getrusage(2),
    # RUSAGE_CHILDREN), which the program inherits.
    before = _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
    reading, writing = os.pipe()
    try:
        process = _start([loader, "--list", path], env, writing)
        os.close(writing)
        writing = -1
        with open(reading, "rb", closefd=False) as file:
            output = file.read().decode(errors="replace")
        try:  # noqa: SIM105 - contextlib takes 2 ms, of a first start
            os.waitpid(process, 0)
        except ChildProcessError:
            pass  # the system has taken care of it
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
        _signal.signal(_signal.SIGCHLD, before)
    return output


def _start(command: "list[str]", env: "dict[str, str]", output: int) -> int:
    """Start a program that writes into a pipe; return its process number."""
    if sys.platform == "win32":
        return 0
    if hasattr(os, "POSIX_SPAWN_DUP2"):
        streams = [(os.POSIX_SPAWN_DUP2, output, stream) for stream in (1, 2)]
        return os.posix_spawn(command[0], command, env, file_actions=streams)
    process = os.fork()  # PyPy has no such call
    if process == 0:
        try:
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.execve(command[0], command, env)
        finally:
            os._exit(127)
    return process


def musl_version() -> str:
    """Ask musl's loader, which prints its version when it is started by itself; empty if unknown."""
    import glob
    import re

    from leanspec_launcher.processes import output_of

    for loader in glob.glob("/lib/ld-musl-*.so.1"):
        process = output_of([loader], seconds=LOADER_SECONDS)
        version = re.search(r"^Version (\S+)", process.stderr, re.MULTILINE)
        if version:
            return version[1]
    return ""

"""Explanation of a failed start, with a hint. Imported only then."""

import errno
import os
import struct
from typing import Optional

from leanspec_launcher._pins import VERSION
from leanspec_launcher._say import CANNOT_RUN, NOT_FOUND, say
from leanspec_launcher._search import SITE, Place, Start
from leanspec_launcher._tables import PLATFORMS, Program
from leanspec_launcher.installers import reinstall
from leanspec_launcher.installers.records import distribution, recorded_digest
from leanspec_launcher.verify.refusal import Kind, Refusal

from . import machine
from .hints import hint_for, hint_of
from .verdicts import PlaceVerdict, deciding, described, refusal_of, unfit, verdicts

# What execve(2) answers for a file that is there, regular, and allowed to run.
BAD_CPU = 86  # EBADARCH, which Python names on macOS alone
CAUSES = {
    errno.ENOEXEC: (Kind.FOREIGN, "it is not a program for this system and CPU"),
    BAD_CPU: (Kind.FOREIGN, "it is not a program for this system and CPU"),
    errno.EACCES: (Kind.FORBIDDEN, "the system does not let it run"),
    errno.ENOENT: (Kind.NO_LOADER, "the loader that it names is not on this system"),
    errno.E2BIG: (
        Kind.TOO_LONG,
        "the arguments and the environment are larger than the system allows",
    ),
    errno.ETXTBSY: (Kind.BUSY, "another process is still writing it"),
    errno.ENAMETOOLONG: (Kind.OTHER, "its path is longer than the system allows"),
    errno.ENOMEM: (Kind.OTHER, "the system has no memory left for it"),
    errno.EPERM: (Kind.FORBIDDEN, "the system's policy does not let it run"),
    errno.EIO: (Kind.OTHER, "the disk that it is on cannot be read"),
}
# What CreateProcessW answers (System Error Codes), and what helps.
WITHOUT_STUB = "start it by `python -m leanspec_launcher`"
WINDOWS_CAUSES = {
    5: (
        "access is denied: antivirus software or a policy may hold it",
        "allow the file in your antivirus software",
    ),
    32: (
        "another program has it open",
        "try again when the installer or scanner is done with it",
    ),
    193: ("it is not a program for this Windows", ""),
    206: (
        "its path, or the command line, is longer than Windows allows",
        "move the environment to a shorter path",
    ),
    216: ("it is for another CPU", ""),
    225: (
        "antivirus software took it for a virus",
        "restore and allow the file in your antivirus software",
    ),
    740: (
        "Windows wants an administrator for it",
        "run it in a terminal of an administrator",
    ),
    1260: (
        "a policy of this computer forbids it",
        "ask the administrator to allow the file",
    ),
    4551: (
        "the policy on application control forbids it",
        f"ask the administrator to allow it, or {WITHOUT_STUB}",
    ),
}
# Kinds of files, by their first bytes: for people, and nothing is decided by them.
ELF_CPUS = {3: "x86", 40: "32-bit arm", 62: "x86-64", 183: "arm64", 243: "RISC-V"}
MACH_O_CPUS = {0x01000007: "Intel", 0x0100000C: "Apple silicon"}
PE_CPUS = {0x014C: "x86", 0x8664: "x86-64", 0xAA64: "arm64"}
MACH_O_MAGIC, FAT_MAGIC = b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"
HEADER = 4096


def explain(start: Start, place: "Optional[Place]", error: Exception) -> int:
    """Say on standard error why a start failed, and what to do; return the exit code.

    `place` is that of the verified file that was to be started, if it came to that.
    """
    try:
        if place is None:
            return _explain_search(start, error)
        return _explain_start(start, place, error)
    except Exception as second:  # noqa: BLE001 - no traceback reaches a user, whatever failed
        lines = [
            f"diagnosing the failure failed as well: {type(second).__name__}: {second}"
        ]
        text = f"`{start.program.command}` did not start: {type(error).__name__}: {error}"
        return _say(CANNOT_RUN, text, lines, f"reinstall {start.program.requirement}")


def _explain_search(start: Start, error: Exception) -> int:
    program, platform = start.program, start.platform
    if not isinstance(error, (OSError, Refusal)):
        text = f"the launcher itself failed: {type(error).__name__}: {error}"
        return _say(CANNOT_RUN, text, [], reinstall.hint(program))
    places = verdicts(start)
    bad = deciding(places)
    lines = [line for _, line in described(places)]
    if bad is not None:
        # Without a refusal, the file has changed within this moment: then the first word counts.
        refusal = bad.refusal or refusal_of(bad.path, error)
        lines = [*_facts(program, bad, refusal), *lines]
        hint = hint_for(start, bad.place, refusal)
        text = f"refusing to run `{bad.path}`: {refusal.reason}"
        return _say(_code(refusal), text, lines, hint)
    if platform is None or machine.builds(program) is not None:
        lines = [*_fit(start), *lines]
    text = f"`{program.command}` has no build for this machine"
    if platform is not None:
        text = f"no `{program.command}` binary for {platform.label} (`{platform.key}`) was found"
    return _say(NOT_FOUND, text, lines, hint_of(start, None))


def _code(refusal: Refusal) -> int:
    """Return a shell's 127 if there is no file, or a link to none; 126 for anything else."""
    return NOT_FOUND if refusal.kind is Kind.MISSING else CANNOT_RUN


def _explain_start(start: Start, place: Place, error: Exception) -> int:
    windows = WINDOWS_CAUSES.get(getattr(error, "winerror", None) or 0)
    refusal = Refusal(Kind.OTHER, windows[0]) if windows else _cause(place.path, error)
    hint = hint_for(start, place, refusal)
    if windows and windows[1]:
        hint = windows[1]
    lines = []
    if refusal.kind is not Kind.TOO_LONG:
        lines = [
            f"it is      {_file_kind(place.path)}",
            f"this is    {machine.describe()}",
        ]
    text = f"cannot start `{place.path}`: {refusal.reason}"
    return _say(_code(refusal), text, lines, hint)


def _cause(path: str, error: Exception) -> Refusal:
    """Return why the system, or the program itself, did not do what was asked of it."""
    if not isinstance(error, OSError):
        return Refusal(Kind.OTHER, f"{type(error).__name__}: {error}")
    if error.errno is None:
        return Refusal(Kind.OTHER, str(error))  # the program started, and did not answer
    if error.errno == errno.E2BIG:
        return Refusal(*CAUSES[errno.E2BIG])
    problem = unfit(path)
    if problem:
        return problem
    kind, text = CAUSES.get(error.errno, (Kind.OTHER, error.strerror or str(error)))
    return Refusal(kind, text)


def _say(code: int, message: str, lines: "list[str]", hint: str) -> int:
    say(f"error: {message}", *[f"  {line}" for line in lines], f"hint: {hint}")
    return code


def _fit(start: Start) -> "list[str]":
    """Say what this machine is, what the release has, and what comes nearest."""
    lines = [f"this is     {machine.describe()}"]
    stub = machine.builds(start.program)
    if stub is None:
        labels = machine.available(start.program)
        return [*lines, *[f"there is    {label}" for label in labels]]
    for key, tags in stub.items():
        label = PLATFORMS[key].label if key in PLATFORMS else key
        lines.append(f"there is    {label}: {', '.join(tags)}")
    return [*lines, f"nearest     {machine.nearest(stub, start.platform)}"]


def _facts(program: Program, bad: PlaceVerdict, refusal: Refusal) -> "list[str]":
    """Say what is known of a refused file: the digests, and which release it is from."""
    lines = [f"expected   {digest}" for digest in refusal.expected]
    if refusal.actual:
        lines.append(f"found      {refusal.actual}")
    if not os.path.isfile(bad.path):
        return lines
    size = os.path.getsize(bad.path)
    lines.append(f"it is      {_file_kind(bad.path)}, {size} bytes")
    if refusal.kind is Kind.CHANGED:
        return [*lines, *_history(program, bad.path)]
    return [*lines, f"this is    {machine.describe()}"]


def _history(program: Program, path: str) -> "list[str]":
    """Say whether a changed file was changed here, or is that of another release."""
    owner = distribution(program.distribution)
    if owner is None or not path.startswith(SITE + os.sep):
        return []
    recorded = "/".join(os.path.relpath(path, SITE).split(os.sep))
    digest, size = owner.files.get(recorded, ("", ""))
    name = f"{owner.name} {owner.version}"
    lines = [f"changed    since {name} installed it, with {size} bytes"]
    if not digest:
        lines = []
    elif digest == recorded_digest(path):
        lines = [f"unchanged  since {name} installed it"]
    if VERSION and owner.version != VERSION:
        lines.append(f"installed  {name}; lean-spec {VERSION} needs the same version")
    return lines


def _file_kind(path: str) -> str:
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

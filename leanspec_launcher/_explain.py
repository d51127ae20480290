"""Why did a start fail? In words, with the remedy. Imported only then."""

import contextlib
import errno
import os
import stat
import sys
import time
from typing import Optional

from . import _installer, _machine, _program
from ._families import Family
from ._hints import hint_for, ways
from ._launch import CANNOT_RUN, NOT_FOUND, start
from ._locate import HOME, VARIABLE, candidates
from ._pins import VERSION
from ._places import REFUSED, Place, described, is_noexec, places, unfit
from ._platforms import PLATFORMS, Platform
from ._verify import Refusal

# What execve(2) answers for a file that is there, regular, and allowed to run.
BAD_CPU = 86  # EBADARCH, which Python names on macOS alone
CAUSES = {
    errno.EACCES: "the system does not let it run",
    errno.ENOENT: "the loader that it names is not on this system",
    errno.E2BIG: "the arguments and the environment are larger than the system allows",
    errno.ETXTBSY: "another process is still writing it",
    errno.ENAMETOOLONG: "its path is longer than the system allows",
    errno.ENOMEM: "the system has no memory left for it",
    errno.EPERM: "the system's policy does not let it run",
    errno.EIO: "the disk that it is on cannot be read",
}
# What CreateProcessW answers (System Error Codes), and what helps.
WINDOWS_CAUSES = {
    5: ("access is denied: antivirus software or a policy may hold it", "allow the file in your antivirus software"),
    32: ("another program has it open", "try again when the installer or scanner is done with it"),
    193: ("it is not a program for this Windows", ""),
    206: ("its path, or the command line, is longer than Windows allows", "move the environment to a shorter path"),
    216: ("it is for another CPU", ""),
    225: ("antivirus software took it for a virus", "restore and allow the file in your antivirus software"),
    740: ("Windows wants an administrator for it", "run it in a terminal of an administrator"),
    1260: ("a policy of this computer forbids it", "ask the administrator to allow the file"),
    4551: ("the policy on application control forbids it", "ask the administrator to allow the file"),
}
BUSY_SECONDS, BUSY_PAUSE = 2.0, 0.05


def explain(family: Family, platform: "Optional[Platform]", path: str, arguments: "list[str]", error: Exception) -> int:
    """Say on standard error why the family's program did not start, and what to do; return the exit code.

    A verified file that only lacks its run bit gets it and is started after all; one that is still being written is
    waited for, two seconds at most.
    """
    try:
        return _explain(family, platform, path, arguments, error)
    except Exception as second:  # noqa: BLE001 - no traceback reaches a user, whatever failed
        lines = [f"and why could not be found out: {type(second).__name__}: {second}"]
        text = f"`{family.program}` did not start: {type(error).__name__}: {error}"
        return _say(CANNOT_RUN, text, lines, f"install {family.requirement} anew")


def _explain(
    family: Family, platform: "Optional[Platform]", path: str, arguments: "list[str]", error: Exception
) -> int:
    stub = _machine.builds(family)
    if platform is None:
        return _say(NOT_FOUND, f"`{family.program}` has no build for this machine", _fit(stub, platform), ways(family))
    if path:
        return _explain_start(family, platform, path, arguments, error)
    if not isinstance(error, (OSError, Refusal)):
        text = f"the launcher itself failed: {type(error).__name__}: {error}"
        return _say(CANNOT_RUN, text, [], _installer.advice(family))
    found = places(family, platform)
    bad = next((place for place in found if place.verdict == REFUSED), None)
    if bad is None:
        text = f"no `{family.program}` binary for {platform.label} (`{platform.key}`) was found"
        if stub is None:
            return _say(NOT_FOUND, text, _table(found), _installer.advice(family))
        # The installer took the stub: reinstalling would bring it again.
        return _say(NOT_FOUND, text, [*_fit(stub, platform), *_table(found)], ways(family))
    code = NOT_FOUND if _is_missing(bad.path) else CANNOT_RUN
    lines = [*_facts(family, bad), *_table(found)]
    return _say(
        code,
        f"`{bad.path}` is not run: {bad.reason}",
        lines,
        hint_for(family, bad.origin, bad.path, changed=bool(bad.expected)),
    )


def _is_missing(path: str) -> bool:
    """Tell whether there is no file, or a link to none: a shell's 127. What cannot be looked at is 126."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _explain_start(family: Family, platform: Platform, path: str, arguments: "list[str]", error: Exception) -> int:
    origin = next((origin for origin, place in candidates(family, platform) if place == path), VARIABLE)
    until = time.monotonic() + BUSY_SECONDS
    while (_is_busy(error) and time.monotonic() < until) or (origin != VARIABLE and _repaired(path, error)):
        time.sleep(BUSY_PAUSE if _is_busy(error) else 0)
        try:
            return start(path, arguments)
        except OSError as again:
            error = again
    number = error.errno if isinstance(error, OSError) else None
    windows = WINDOWS_CAUSES.get(getattr(error, "winerror", None) or 0)
    hint = (windows and windows[1]) or hint_for(family, origin, path)
    lines = [f"it is      {_program.kind(path)}", f"this is    {_machine.describe()}"]
    if number == errno.E2BIG:
        lines, hint = [], "pass less: most commands also read a file"
    elif number == errno.ETXTBSY:
        hint = "try again when the installer is done with it"
    text = windows[0] if windows else _cause(path, error)
    code = NOT_FOUND if _is_missing(path) else CANNOT_RUN
    return _say(code, f"`{path}` cannot be started: {text}", lines, hint)


def _is_busy(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ETXTBSY


def _say(code: int, message: str, lines: "list[str]", hint: str) -> int:
    text = "".join(f"{line}\n" for line in [f"error: {message}", *(f"  {line}" for line in lines), f"hint: {hint}"])
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # where nobody reads it, the exit code still says it
            sys.stderr.write(text)
    return code


def _table(found: "list[Place]") -> "list[str]":
    return [line for _, line in described(found)]


def _fit(stub: "Optional[dict[str, list[str]]]", platform: "Optional[Platform]") -> "list[str]":
    """Say what this machine is, what the release has, and what comes nearest."""
    lines = [f"this is     {_machine.describe()}"]
    if stub is None:
        return [*lines, *(f"there is    {each.label}" for each in PLATFORMS.values())]
    for key, tags in stub.items():
        label = PLATFORMS[key].label if key in PLATFORMS else key
        lines.append(f"there is    {label}: {', '.join(tags)}")
    return [*lines, f"nearest     {_machine.nearest(stub, platform)}"]


def _repaired(path: str, error: Exception) -> bool:
    """Give a verified file its run bit, which some installers drop; tell whether that worked."""
    if not isinstance(error, PermissionError) or os.environ.get("LEANSPEC_VERIFY") == "off":
        return False
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode) or os.access(path, os.X_OK) or is_noexec(path):
            return False
        # Whoever may read it may run it.
        os.chmod(path, stat.S_IMODE(mode) | (mode & 0o444) >> 2)
    except OSError:
        return False
    return os.access(path, os.X_OK)


def _cause(path: str, error: Exception) -> str:
    if not isinstance(error, OSError):
        return f"{type(error).__name__}: {error}"
    if error.errno == errno.EACCES and is_noexec(path):
        return "its file system is mounted `noexec`"
    if error.errno in (errno.ENOEXEC, BAD_CPU):
        return "it is not a program for this system and CPU"
    return unfit(path) or _program.objection(path) or CAUSES.get(error.errno or 0) or error.strerror or str(error)


def _facts(family: Family, bad: Place) -> "list[str]":
    """Say what is known of a refused file: both digests, and which release it is from."""
    lines = [f"expected   {bad.expected}", f"found      {bad.found}"] if bad.expected else []
    if not os.path.isfile(bad.path):
        return lines
    lines += [f"it is      {_program.kind(bad.path)}, {os.path.getsize(bad.path)} bytes"]
    owner = _installer.distribution(family.distribution)
    if bad.expected and owner and bad.path.startswith(HOME + os.sep):
        digest, size = owner.files.get("/".join(os.path.relpath(bad.path, HOME).split(os.sep)), ("", ""))
        as_installed = digest == _installer.recorded_digest(bad.path)
        name = f"{owner.name} {owner.version}"
        lines.append(
            f"it is      as {name} brought it"
            if as_installed
            else f"changed    since {name} brought it, with {size} bytes"
        )
        if VERSION and owner.version != VERSION:
            lines.append(f"installed  is {name}, this lean-spec is {VERSION} and needs the same")
    if not bad.expected:
        lines.append(f"this is    {_machine.describe()}")
    return lines

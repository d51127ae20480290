"""Every place where a binary may be, and the verdict on each: what `which`, `doctor` and a failed start show."""

import os
import stat
import sys
from dataclasses import dataclass

from . import _program
from ._families import Family
from ._locate import DIRECTORY_VARIABLE, HOME, LOCAL, STORE, VARIABLE, WHEEL, candidates, local_directory
from ._platforms import Platform
from ._verify import Refusal, check

TAKEN, REFUSED, ABSENT, PASSED = "taken", "refused", "absent", "not needed"
ORIGINS = {
    VARIABLE: "environment variable",
    LOCAL: "local binaries",
    WHEEL: "installed wheel",
    STORE: "download store",
}


@dataclass
class Place:
    """Hold one place where a binary may be, and what was found there."""

    origin: str
    path: str
    verdict: str
    reason: str
    expected: str = ""
    found: str = ""


def places(family: Family, platform: Platform) -> "list[Place]":
    """Look at every place in order: what is there, and why it is taken or refused. Hashes in full."""
    result = []
    chosen = os.environ.get(family.variable)
    if not chosen:
        result.append(Place(VARIABLE, "", ABSENT, f"`{family.variable}` is not set"))
        if not local_directory():
            result.append(Place(LOCAL, "", ABSENT, f"`{DIRECTORY_VARIABLE}` is not set, and this is no checkout"))
    decided = False
    for origin, path in candidates(family, platform):
        hidden = _hidden(path)
        if hidden and not decided:
            place = Place(origin, path, REFUSED, hidden)
        elif origin != VARIABLE and not os.path.lexists(path):
            place = Place(origin, path, ABSENT, "not there")
        elif decided:
            place = Place(origin, path, PASSED, "an earlier place decided")
        else:
            place = _judge(origin, path, family, platform)
            decided = True
        result.append(place)
    return result


def described(found: "list[Place]") -> "list[tuple[str, str]]":
    """Return (verdict, line) for people; the folders of `sys.path` that hold nothing share one line."""
    lines = []
    wheels = [place for place in found if place.origin == WHEEL]
    empty = [place for place in wheels[1:] if place.verdict == ABSENT]
    for place in found:
        if empty and place is empty[-1]:
            lines.append((ABSENT, WHEEL, f"nor in the other {len(empty)} folders of `sys.path`"))
        elif place not in empty:
            where = f"`{place.path}`: " if place.path else ""
            lines.append((place.verdict, place.origin, where + place.reason))
    width = max(len(name) for name in ORIGINS.values())
    return [(verdict, f"{ORIGINS[origin]:{width}}  {text}") for verdict, origin, text in lines]


def _hidden(path: str) -> str:
    """Say why nothing can be known of a path; empty where it is there, or certainly not."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.isfile(HOME) and path.startswith(HOME + os.sep):
            return "it is inside an archive, and the system runs no program out of one"
    except OSError as error:
        return f"it cannot be looked at ({error.strerror})"
    return ""


def _judge(origin: str, path: str, family: Family, platform: Platform) -> Place:
    try:
        check(origin, path, family, platform, full=True)
        problem = unfit(path) or _program.objection(path)
    except Refusal as refusal:
        return Place(origin, path, REFUSED, refusal.reason, refusal.expected, refusal.found)
    except OSError as error:
        return Place(origin, path, REFUSED, unfit(path) or f"it cannot be read ({error.strerror})")
    if problem:
        return Place(origin, path, REFUSED, problem)
    taken = "the user's choice" if origin == VARIABLE else "its sha256 is the expected one"
    return Place(origin, path, TAKEN, taken)


def unfit(path: str) -> str:
    """Say what keeps the file at `path` from being run, whatever its content; empty where nothing does."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "it is a link to a file that is not there" if os.path.islink(path) else "there is no such file"
    except OSError as error:
        return f"it cannot be looked at ({error.strerror})"
    if stat.S_ISDIR(mode):
        return "it is a directory"
    if not stat.S_ISREG(mode):
        return "it is not a regular file"
    if not os.access(path, os.X_OK):
        return "its file system is mounted `noexec`" if is_noexec(path) else "it has no permission to run (no run bit)"
    return ""


def is_noexec(path: str) -> bool:
    """Tell whether the file system of a file lets no program run."""
    if sys.platform != "linux":
        return False
    return bool(os.statvfs(path).f_flag & os.ST_NOEXEC)

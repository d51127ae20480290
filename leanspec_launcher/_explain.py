"""Why did a start fail? In words, with the remedy. Imported only then, and by `which`."""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from . import _machine
from ._families import Family
from ._launch import CANNOT_RUN, NOT_FOUND, start
from ._locate import DIRECTORY_VARIABLE, HOME, LOCAL, STORE, VARIABLE, WHEEL, candidates, local_directory
from ._pins import VERSION
from ._platforms import PLATFORMS, Platform
from ._verify import Refusal, check

TAKEN, REFUSED, ABSENT, PASSED = "taken", "refused", "absent", "not needed"
ORIGINS = {
    VARIABLE: "environment variable",
    LOCAL: "local binaries",
    WHEEL: "installed wheel",
    STORE: "download store",
}


# What execve(2) answers for a file that is there, regular, and allowed to run.
CAUSES = {
    errno.EACCES: "the system does not let it run (is its file system mounted `noexec`?)",
    errno.ENOENT: "the loader that it names is not on this system (a glibc program on a musl system?)",
    errno.ENOEXEC: "it is not a program for this system and CPU",
    errno.E2BIG: "the arguments and the environment are larger than the system allows",
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
        if origin != VARIABLE and not os.path.lexists(path):
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


def _judge(origin: str, path: str, family: Family, platform: Platform) -> Place:
    try:
        check(origin, path, family, platform, full=True)
        problem = unfit(path)
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
        return "it has no permission to run (no run bit)"
    return ""


def explain(family: Family, platform: "Optional[Platform]", path: str, arguments: "list[str]", error: Exception) -> int:
    """Say on standard error why the family's program did not start, and what to do; return the exit code.

    A verified file that only lacks its run bit gets it and is started after all.
    """
    stub = _machine.builds(family)
    if platform is None:
        return _say(NOT_FOUND, f"`{family.program}` has no build for this machine", _fit(stub, platform), _ways(family))
    if path:
        return _explain_start(family, platform, path, arguments, error)
    if not isinstance(error, (OSError, Refusal)):
        return _say(CANNOT_RUN, f"the launcher itself failed: {type(error).__name__}: {error}", [], remedy(family))
    found = places(family, platform)
    bad = next((place for place in found if place.verdict == REFUSED), None)
    if bad is None:
        text = f"no `{family.program}` binary for {platform.label} (`{platform.key}`) was found"
        if stub is None:
            return _say(NOT_FOUND, text, _table(found), remedy(family))
        # The installer took the stub: reinstalling would bring it again.
        return _say(NOT_FOUND, text, [*_fit(stub, platform), *_table(found)], _ways(family))
    lines = [*_versions(family), *_table(found)]
    if bad.expected:
        lines = [f"expected  {bad.expected}", f"found     {bad.found}", *lines]
    code = NOT_FOUND if bad.origin == VARIABLE and not os.path.lexists(bad.path) else CANNOT_RUN
    return _say(code, f"`{bad.path}` is not run: {bad.reason}", lines, _hint(family, bad.origin))


def _explain_start(family: Family, platform: Platform, path: str, arguments: "list[str]", error: Exception) -> int:
    origin = next((origin for origin, place in candidates(family, platform) if place == path), VARIABLE)
    if origin != VARIABLE and _repaired(path, error):
        try:
            return start(path, arguments)
        except OSError as again:
            error = again
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        hint = "pass less: most commands also read a file"
    elif origin != VARIABLE and os.path.isfile(path) and not os.access(path, os.X_OK):
        hint = f"let its owner run `chmod +x '{path}'`, or reinstall: {remedy(family)}"
    else:
        hint = _hint(family, origin)
    return _say(CANNOT_RUN, f"`{path}` cannot be started: {_cause(path, error)}", [], hint)


def _say(code: int, message: str, lines: "list[str]", hint: str) -> int:
    text = "".join(f"{line}\n" for line in [f"error: {message}", *(f"  {line}" for line in lines), f"hint: {hint}"])
    if sys.stderr is not None:
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


def _ways(family: Family) -> str:
    if sys.maxsize < 2**32:
        return f"install {family.requirement} with a 64-bit Python"
    version = f" {VERSION}" if VERSION else ""
    return (
        f"use a newer system or another Python; or build LeanSpec{version} with `cargo build --release` and name the"
        f" result in `{family.variable}` (in a checkout: `collect cargo`); or use LeanSpec's npm package"
    )


def _repaired(path: str, error: Exception) -> bool:
    """Give a verified file its run bit, which some installers drop; tell whether that worked."""
    if not isinstance(error, PermissionError) or os.environ.get("LEANSPEC_VERIFY") == "off":
        return False
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode) or os.access(path, os.X_OK):
            return False
        # Whoever may read it may run it.
        os.chmod(path, stat.S_IMODE(mode) | (mode & 0o444) >> 2)
    except OSError:
        return False
    return os.access(path, os.X_OK)


def _cause(path: str, error: Exception) -> str:
    if not isinstance(error, OSError):
        return f"{type(error).__name__}: {error}"
    return unfit(path) or CAUSES.get(error.errno or 0) or error.strerror or str(error)


def _hint(family: Family, origin: str) -> str:
    if origin == VARIABLE:
        return f"`unset {family.variable}`, or give it the absolute path of an executable"
    if origin == LOCAL and os.environ.get(DIRECTORY_VARIABLE):
        return f"`unset {DIRECTORY_VARIABLE}`, or collect the binary anew"
    return _collect() if origin == LOCAL else remedy(family)


def _versions(family: Family) -> "list[str]":
    """Say which versions are installed, where they differ: the usual reason for a wrong checksum."""
    import importlib.metadata

    try:
        installed = importlib.metadata.version(family.distribution)
    except importlib.metadata.PackageNotFoundError:
        return []
    if not VERSION or installed == VERSION:
        return []
    return [f"installed is {family.distribution} {installed}, this lean-spec is {VERSION} and needs the same"]


def remedy(family: Family) -> str:
    """Return the command that brings the family's binary back, for the installer in use."""
    if not VERSION:
        return _collect()
    requirement = f"{family.requirement}=={VERSION}"
    quoted = f'"{requirement}"' if family.extra else requirement
    if os.path.exists(os.path.join(sys.prefix, "pipx_metadata.json")):
        return f"pipx install --force {quoted}"
    if os.path.exists(os.path.join(sys.prefix, "uv-receipt.toml")):
        return f"uv tool install --reinstall {quoted}"
    installer = next(_installers(), "pip")
    if installer == "uv":
        return f"uv pip install --python {sys.executable} --reinstall {quoted}"
    return f"{sys.executable} -m pip install --force-reinstall {quoted}"


def _installers() -> "Iterator[str]":
    import importlib.metadata

    for distribution in importlib.metadata.distributions(name="lean-spec", path=[HOME]):
        yield (distribution.read_text("INSTALLER") or "").strip()


def _collect() -> str:
    return "collect the binaries of this checkout: python3 -m scripts collect --help"

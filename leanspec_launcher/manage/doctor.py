"""Everything a bug report needs: each finding ok, a warning or an error, with what to do about it."""

from __future__ import annotations

import os
import platform as system
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from leanspec_launcher import _hints, _installer, _machine, _program
from leanspec_launcher._answer import reported_version
from leanspec_launcher._families import FAMILIES, Family
from leanspec_launcher._launch import DEBUG_VARIABLE, TYPESCRIPT_VARIABLE
from leanspec_launcher._locate import DIRECTORY_VARIABLE, HOME, VARIABLE, cache_directory
from leanspec_launcher._pins import BINARIES, VERSION
from leanspec_launcher._places import ABSENT, PASSED, REFUSED, TAKEN, described, places
from leanspec_launcher._platforms import Platform, current
from leanspec_launcher._verify import MODE_VARIABLE, SETTLED_NANOSECONDS, Refusal, check, expected_digest, stamp_path

from . import links
from .errors import CommandError

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True)
class Finding:
    """Hold one line: what was looked at, how it is, and what helps where it is not well."""

    section: str
    name: str
    status: str
    value: str
    hint: str = ""


def examine() -> list[Finding]:
    """Look at this installation: versions, machine, binaries, commands, settings."""
    platform = current()
    found = [*_launcher(), *_system(platform), *_settings()]
    if platform is not None:
        for family in FAMILIES.values():
            found += _binary(family, platform)
        found += [*_linked(platform), *_path()]
    return found


def _launcher() -> Iterator[Finding]:
    own = _installer.distribution(_installer.MAIN)
    installed = own.version if own else "not installed"
    if not VERSION:
        yield Finding("launcher", "version", OK, f"{installed}, of a checkout: binaries are those collected there")
    elif installed != VERSION:
        text = f"{VERSION}, but its metadata says {installed}"
        yield Finding("launcher", "version", ERROR, text, "install lean-spec anew")
    else:
        yield Finding("launcher", "version", OK, VERSION)
    yield Finding("launcher", "place", OK, HOME)
    yield Finding("launcher", "installer", OK, _installer.installer())
    python = f"{system.python_implementation()} {system.python_version()}, {sys.executable}"
    yield Finding("launcher", "Python", OK, python)


def _system(platform: Platform | None) -> Iterator[Finding]:
    about = _machine.describe()
    if platform is None:
        yield Finding("system", "platform", ERROR, f"{about}: no build is for it", _hints.ways(FAMILIES["cli"]))
        return
    emulated = _machine.emulation()
    hint = "install with a Python made for this CPU" if emulated else ""
    yield Finding("system", "platform", WARNING if emulated else OK, f"{about} ({platform.key})", hint)
    cache = cache_directory()
    if not cache:
        text = "no folder for verified files: each start hashes its binary"
        yield Finding("system", "cache", WARNING, text, "set `HOME` or `XDG_CACHE_HOME` to an absolute path")
    else:
        yield Finding("system", "cache", OK, cache)


def _settings() -> Iterator[Finding]:
    names = [*(family.variable for family in FAMILIES.values()), DIRECTORY_VARIABLE, MODE_VARIABLE, DEBUG_VARIABLE]
    for name in (*names, TYPESCRIPT_VARIABLE):
        value = os.environ.get(name)
        if value:
            off = name == MODE_VARIABLE and value == "off"
            hint = f"`unset {name}`: no binary is verified" if off else ""
            yield Finding("settings", name, WARNING if off else OK, value, hint)


def _binary(family: Family, platform: Platform) -> Iterator[Finding]:
    found = places(family, platform)
    taken = next((place for place in found if place.verdict == TAKEN), None)
    bad = next((place for place in found if place.verdict == REFUSED), None)
    absent = taken is None and bad is None
    if absent and family.extra and _installer.distribution(family.distribution) is None:
        text = f"not installed: it comes with {family.requirement}"
        yield Finding(family.program, "binary", OK, text)
        return
    for verdict, line in described(found):
        status = ERROR if verdict == REFUSED else OK
        mark = {TAKEN: "taken", REFUSED: "refused", ABSENT: "", PASSED: ""}[verdict]
        hint = (
            _hints.hint_for(family, bad.origin, bad.path, changed=bool(bad.expected))
            if bad and verdict == REFUSED
            else ""
        )
        if mark:
            yield Finding(family.program, mark, status, line, hint)
    if absent:
        hint = _installer.advice(family) if _machine.builds(family) is None else _hints.ways(family)
        text = f"there is none in any place: see `leanspec-launcher which {family.name}`"
        yield Finding(family.program, "binary", ERROR, text, hint)
    if taken:
        yield _wheel(family)
        yield _stamp(family, platform, taken.origin, taken.path)
        yield _libraries(family, taken.path)
        yield _speaks(family, taken.path)


def _wheel(family: Family) -> Finding:
    wheel = _installer.distribution(family.distribution)
    if wheel is None:
        return Finding(family.program, "wheel", OK, f"{family.distribution} is not installed")
    if VERSION and wheel.version != VERSION:
        text = f"{family.distribution} {wheel.version}, this lean-spec needs {VERSION}"
        return Finding(family.program, "wheel", ERROR, text, _installer.advice(family))
    return Finding(family.program, "wheel", OK, f"{family.distribution} {wheel.version}")


def _stamp(family: Family, platform: Platform, origin: str, path: str) -> Finding:
    if origin == VARIABLE:
        return Finding(family.program, "stamp", OK, "not verified: it is the user's own choice")
    try:
        check(origin, path, family, platform)
        stamp = stamp_path(path, expected_digest(origin, path, family, platform))
        age = time.time_ns() - os.stat(path).st_ctime_ns
    except (Refusal, OSError) as error:
        return Finding(family.program, "stamp", WARNING, str(error))
    if stamp and os.path.exists(stamp):
        return Finding(family.program, "stamp", OK, "verified: a start reads no more than its name")
    if os.environ.get(MODE_VARIABLE, "once") != "once":
        return Finding(family.program, "stamp", OK, f"not used: `{MODE_VARIABLE}` says `{os.environ[MODE_VARIABLE]}`")
    if stamp and 0 <= age < SETTLED_NANOSECONDS:
        return Finding(family.program, "stamp", OK, "none yet: the file changed seconds ago")
    text = "none can be written: each start hashes the binary"
    return Finding(family.program, "stamp", WARNING, text, f"let `{cache_directory() or 'HOME'}` be written")


def _libraries(family: Family, path: str) -> Finding:
    # A binary that lacks one is refused, so what is left to say is that none is lacking.
    loader = _program.loader_of(path)
    text = f"its loader {loader} finds all that it needs" if loader else "none are needed beside the system's own"
    return Finding(family.program, "libraries", OK, text)


def _speaks(family: Family, path: str) -> Finding:
    """Ask the binary itself: an MCP handshake where it is a server, `--version` elsewhere."""
    name = "handshake" if "--version" in family.answers else "says"
    started = time.monotonic()
    try:
        said = reported_version(family, path)
    except OSError as error:
        return Finding(family.program, name, ERROR, str(error), _installer.advice(family))
    took = f" ({(time.monotonic() - started) * 1000:.0f} ms)"
    if BINARIES and said != BINARIES:
        return Finding(family.program, name, ERROR, f"`{said}`, expected {BINARIES}", _installer.advice(family))
    return Finding(family.program, name, OK, said + took)


def _linked(platform: Platform) -> Iterator[Finding]:
    try:
        found = links.commands(platform)
    except CommandError as error:
        yield Finding("commands", "scripts", OK if not VERSION else WARNING, error.message)
        return
    for command in found:
        if command.state == links.LINKED:
            yield Finding("commands", command.name, OK, f"linked: `{command.path}` is the verified binary itself")
        elif command.state == links.FOREIGN and VERSION:
            yield Finding("commands", command.name, ERROR, f"`{command.path}`: {links.NEITHER}", links.REINSTALL)
        elif command.state == links.ABSENT:
            yield Finding("commands", command.name, WARNING, f"`{command.path}` is not there", links.REINSTALL)


def _path() -> Iterator[Finding]:
    """Find what a shell would start: another `lean-spec` may come first, npm's for one."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(folder)]
    ours = _own_folders()
    for name in _names():
        found = [path for folder in folders if os.path.isfile(path := os.path.join(folder, name))]
        own = [
            path for path in found if os.path.dirname(os.path.realpath(path)) in ours or os.path.dirname(path) in ours
        ]
        if found and not own:
            text = f"`{found[0]}`{_origin(found[0])} is started, which is not of this installation"
            yield Finding(
                "PATH", name, WARNING, text, "put this installation's folder first in `PATH`, or remove that one"
            )
        elif own and found[0] != own[0]:
            text = f"`{found[0]}`{_origin(found[0])} comes before `{own[0]}`"
            yield Finding(
                "PATH", name, WARNING, text, "put this installation's folder first in `PATH`, or remove that one"
            )
        elif own:
            yield Finding("PATH", name, OK, own[0])
        else:
            folder = next(iter(ours), "")
            yield Finding("PATH", name, WARNING, "no folder of `PATH` has it", f"add `{folder}` to `PATH`")


def _names() -> list[str]:
    suffix = ".exe" if sys.platform == "win32" else ""
    return [f"{name}{suffix}" for name in dict.fromkeys(("lean-spec", *(each.program for each in FAMILIES.values())))]


def _own_folders() -> list[str]:
    own = _installer.distribution(_installer.MAIN)
    paths = [os.path.join(HOME, name) for name in (own.files if own else ()) if os.path.basename(name) in _names()]
    return list(
        dict.fromkeys([os.path.realpath(os.path.dirname(path)) for path in paths] + [os.path.join(HOME, "bin")])
    )


def _origin(path: str) -> str:
    real = os.path.realpath(path)
    return " (npm's)" if "node_modules" in real.split(os.sep) else ""

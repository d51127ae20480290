"""Everything a bug report needs: each finding ok, a warning or an error, with what to do about it."""

from __future__ import annotations

import enum
import functools
import os
import platform as system
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher._pins import BINARIES, VERSION
from leanspec_launcher._release import is_newer
from leanspec_launcher._search import (
    OFF,
    ONCE,
    SITE,
    VARIABLE,
    Place,
    expected,
    is_known,
    is_trusted,
    stamp_directory,
    verification,
)
from leanspec_launcher._tables import (
    DEBUG_VARIABLE,
    DIRECTORY_VARIABLE,
    FAMILIES,
    TYPESCRIPT_VARIABLE,
    VERIFY_VARIABLE,
    Family,
    current,
    is_on,
)
from leanspec_launcher.commands import CommandError
from leanspec_launcher.explain import hints, machine
from leanspec_launcher.explain.verdicts import (
    ORIGINS,
    Outcome,
    Verdict,
    deciding,
    verdicts,
)
from leanspec_launcher.installers import reinstall
from leanspec_launcher.installers.detect import MAIN
from leanspec_launcher.installers.records import distribution
from leanspec_launcher.installers.table import SOURCES, in_use
from leanspec_launcher.instead.answer import reported_version
from leanspec_launcher.verify.loader import loader_of
from leanspec_launcher.web.pages import chosen_pages, verified_pages
from leanspec_launcher.web.place import UI, chosen_folder, installed_pages
from leanspec_launcher.web.port import choose_port
from leanspec_launcher.web.settings import data_folder, read_settings

from . import links
from .clients.configured import configured
from .update import index
from .update.installation import installation

PATH_HINT = "put this installation's folder first in `PATH`, or remove that one"
UPDATE_VARIABLE = "LEANSPEC_UPDATE_CHECK"
# How pip before 25.2 begins a script: a module that takes 7 ms to import, at each start.
SLOW_SCRIPT = b"import re\n"


class Status(enum.Enum):
    """How well something is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what helps if it is not well."""

    section: str
    name: str
    status: Status
    value: str
    hint: str = ""

    def as_json(self) -> dict[str, str]:
        """Return what `doctor --json` prints of it."""
        return {
            "section": self.section,
            "name": self.name,
            "status": self.status.value,
            "value": self.value,
            "hint": self.hint,
        }


def examine() -> list[Finding]:
    """Look at this installation: versions, machine, binaries, commands, settings."""
    found = [
        *_each("launcher", _launcher),
        *_each("system", _system),
        *_each("settings", _settings),
    ]
    for family in FAMILIES.values():
        found += _each(family.program, functools.partial(_binary, family))
    found += _each("web UI", _web)
    found += _each("MCP clients", _clients)
    return [*found, *_each("commands", _commands), *_each("PATH", _path)]


def _each(section: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield the findings of one section. Whatever ends it is a finding too, and the others go on."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - a damaged installation is what this is for
        text = f"could not be examined: {type(error).__name__}: {error}"
        yield Finding(
            section, "doctor", Status.ERROR, text, "reinstall lean-spec, and report this"
        )


def _launcher() -> Iterator[Finding]:
    own = distribution(MAIN)
    installed = own.version if own else "not installed"
    if in_use() is SOURCES:
        text = f"{installed}, installed from sources, which pin no binaries"
        yield Finding(
            "launcher", "version", Status.ERROR, text, reinstall.hint(FAMILIES["cli"])
        )
    elif not VERSION:
        text = (
            f"{installed}, running from a source checkout with locally collected binaries"
        )
        yield Finding("launcher", "version", Status.OK, text)
    elif installed != VERSION:
        text = f"{VERSION}, but its metadata says {installed}"
        yield Finding("launcher", "version", Status.ERROR, text, "reinstall lean-spec")
    else:
        yield Finding("launcher", "version", Status.OK, VERSION)
    for problem in own.problems if own else []:
        yield Finding("launcher", "record", Status.ERROR, problem, "reinstall lean-spec")
    yield Finding("launcher", "place", Status.OK, SITE)
    yield Finding("launcher", "installer", Status.OK, in_use().name)
    python = f"{system.python_implementation()} {system.python_version()}, {sys.executable}"
    yield Finding("launcher", "Python", Status.OK, python)
    if is_on(UPDATE_VARIABLE):
        yield _newer()


def _newer() -> Finding:
    """Ask the index for a newer release, as the user wants it."""
    try:
        newest = index.newest(installation(), None).version
    except CommandError as error:
        return Finding(
            "launcher", "update", Status.WARNING, error.message, error.hint or ""
        )
    if not is_newer(newest, VERSION):
        return Finding("launcher", "update", Status.OK, f"{VERSION} is the newest release")
    text = f"{newest} is available"
    return Finding("launcher", "update", Status.WARNING, text, "leanspec-launcher update")


def _system() -> Iterator[Finding]:
    platform = current()
    about = machine.describe()
    if platform is None:
        hint = hints.ways(FAMILIES["cli"])
        yield Finding(
            "system", "platform", Status.ERROR, f"{about}: no build is for it", hint
        )
    elif machine.emulation():
        hint = "install with a Python made for this CPU"
        yield Finding(
            "system", "platform", Status.WARNING, f"{about} ({platform.key})", hint
        )
    else:
        yield Finding("system", "platform", Status.OK, f"{about} ({platform.key})")
    yield _cache(stamp_directory())


def _cache(folder: str) -> Finding:
    if not folder:
        text = "no folder for verified files: each start hashes its binary"
        hint = "set `HOME` or `XDG_CACHE_HOME` to an absolute path"
        return Finding("system", "cache", Status.WARNING, text, hint)
    if os.path.lexists(folder) and not is_trusted(folder):
        text = (
            f"`{folder}` is not used: it is a link, another user's, or writable by others"
        )
        hint = f"remove `{os.path.dirname(folder)}`; it is made again"
        return Finding("system", "cache", Status.WARNING, text, hint)
    above = folder
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.access(above, os.W_OK):
        text = f"`{folder}` cannot be written: each start hashes its binary"
        hint = "set `XDG_CACHE_HOME` to the absolute path of a folder that this user may write to"
        return Finding("system", "cache", Status.WARNING, text, hint)
    return Finding("system", "cache", Status.OK, folder)


def _settings() -> Iterator[Finding]:
    names = [family.variable for family in FAMILIES.values()]
    for name in (
        *names,
        DIRECTORY_VARIABLE,
        VERIFY_VARIABLE,
        DEBUG_VARIABLE,
        TYPESCRIPT_VARIABLE,
    ):
        value = os.environ.get(name)
        if value and name == VERIFY_VARIABLE and value == OFF:
            hint = f"`unset {name}`: no binary is verified"
            yield Finding("settings", name, Status.WARNING, value, hint)
        elif value:
            yield Finding("settings", name, Status.OK, value)


def _web() -> Iterator[Finding]:
    """Look at the pages of the web UI, and at what `leanspec-ui` reads."""
    if not chosen_folder() and not installed_pages():
        text = f"not installed: they come with {UI.requirement}"
        yield Finding("web UI", "pages", Status.OK, text)
        return
    try:
        folder = chosen_pages()
        text = f"`{folder}`, your own choice"
        if not folder:
            text = f"`{verified_pages()}`: verified"
        yield Finding("web UI", "pages", Status.OK, text)
    except CommandError as error:
        yield Finding("web UI", "pages", Status.ERROR, error.message, error.hint or "")
    try:
        settings = read_settings()
        port, remark = choose_port("127.0.0.1", None, settings.port)
        text = f"{port} ({remark})" if remark else str(port)
        yield Finding("web UI", "port", Status.OK, text)
    except CommandError as error:
        yield Finding("web UI", "port", Status.ERROR, error.message, error.hint or "")
    yield Finding("web UI", "data", Status.OK, str(data_folder()))


def _clients() -> Iterator[Finding]:
    """Look at what this user's MCP clients, and those of this folder, would start."""
    section, nothing = "MCP clients", True
    for each in configured(Path.cwd()):
        nothing = False
        text = f"`{each.path}`: {each.problem or each.starts}"
        status = Status.WARNING if each.problem else Status.OK
        yield Finding(section, each.client, status, text, each.hint)
    if nothing:
        text = "none is configured: `leanspec-launcher mcp-config CLIENT --write` does it"
        yield Finding(section, "none", Status.OK, text)


def _binary(family: Family) -> Iterator[Finding]:
    found = verdicts(family, current())
    first = deciding(found)
    if first is None:
        yield _absent(family)
        return
    line = f"{ORIGINS[first.origin]}  `{first.path}`: {first.reason}"
    if first.outcome is Outcome.REFUSED:
        hint = ""
        if first.refusal:
            hint = hints.hint_for(family, first.origin, first.path, first.refusal)
        yield Finding(family.program, "refused", Status.ERROR, line, hint)
        return
    status = Status.WARNING if first.refusal else Status.OK
    yield Finding(family.program, "taken", status, line)
    yield from _wheel(family)
    yield _stamp(family, first)
    yield _libraries(family, first)
    yield _speaks(family, first.path)


def _absent(family: Family) -> Finding:
    if family.extra and distribution(family.distribution) is None:
        text = f"not installed: it comes with {family.requirement}"
        return Finding(family.program, "binary", Status.OK, text)
    text = f"not found; see `leanspec-launcher which {family.name}`"
    hint = hints.not_found(family) if current() else hints.ways(family)
    return Finding(family.program, "binary", Status.ERROR, text, hint)


def _wheel(family: Family) -> Iterator[Finding]:
    wheel = distribution(family.distribution)
    if wheel is None:
        yield Finding(
            family.program, "wheel", Status.OK, f"{family.distribution} is not installed"
        )
        return
    advice = reinstall.hint(family)
    if VERSION and wheel.version != VERSION:
        text = f"{wheel.name} {wheel.version}, this lean-spec needs {VERSION}"
        yield Finding(family.program, "wheel", Status.ERROR, text, advice)
    else:
        yield Finding(family.program, "wheel", Status.OK, f"{wheel.name} {wheel.version}")
    for problem in wheel.problems:
        yield Finding(family.program, "record", Status.ERROR, problem, advice)


def _stamp(family: Family, taken: Verdict) -> Finding:
    """Say whether the next start has to hash the binary. Nothing is remembered here: a start does."""
    if taken.origin == VARIABLE:
        return Finding(
            family.program, "stamp", Status.OK, "not verified: it is the user's own choice"
        )
    if verification() != ONCE:
        text = f"not used: `{VERIFY_VARIABLE}` is `{verification()}`"
        return Finding(family.program, "stamp", Status.OK, text)
    place = Place(taken.origin, taken.path)
    if is_known(taken.path, expected(place, family, current())):
        return Finding(family.program, "stamp", Status.OK, "verified (cached)")
    folder = stamp_directory()
    if not folder or (os.path.lexists(folder) and not is_trusted(folder)):
        text = "not cached: each start hashes the binary"
        return Finding(family.program, "stamp", Status.WARNING, text, "see `cache` above")
    text = "not cached yet: the next start hashes the binary"
    return Finding(family.program, "stamp", Status.OK, text)


def _libraries(family: Family, taken: Verdict) -> Finding:
    # A verified binary that lacks one is refused, so what is left to say is that none is lacking.
    if taken.origin == VARIABLE or taken.refusal:
        text = "not looked for: only the loader of a verified binary is asked"
        return Finding(family.program, "libraries", Status.OK, text)
    loader = loader_of(taken.path)
    text = (
        "all shared libraries found" if loader else "none are needed but the system's own"
    )
    return Finding(family.program, "libraries", Status.OK, text)


def _speaks(family: Family, path: str) -> Finding:
    """Ask the binary itself: as an MCP client if it is a server, with `--version` if it is not."""
    name = "handshake" if "--version" in family.answers else "says"
    started = time.monotonic()
    try:
        said = reported_version(family, path)
    except OSError as error:
        return Finding(
            family.program, name, Status.ERROR, str(error), reinstall.hint(family)
        )
    took = f" ({(time.monotonic() - started) * 1000:.0f} ms)"
    if BINARIES and said != BINARIES:
        text = f"`{said}`, expected {BINARIES}"
        return Finding(family.program, name, Status.ERROR, text, reinstall.hint(family))
    return Finding(family.program, name, Status.OK, said + took)


def _commands() -> Iterator[Finding]:
    try:
        found = links.commands(current())
    except CommandError as error:
        status = Status.WARNING if VERSION else Status.OK
        yield Finding("commands", "scripts", status, error.message, error.hint or "")
        return
    for command in found:
        finding = _command(command)
        if finding is not None:
            yield finding
    yield from _slow([command for command in found if command.state is links.State.SCRIPT])


def _command(command: links.Command) -> Finding | None:
    path, name = f"`{command.path}`", command.name
    if command.state is links.State.LINKED:
        return _linked(command)
    if command.state is links.State.SCRIPT:
        return None
    if command.state is links.State.ABSENT:
        return Finding(
            "commands", name, Status.WARNING, f"{path} is not there", links.REINSTALL
        )
    if command.state is links.State.UNREADABLE:
        hint = f"let its owner run `chmod a+rx '{command.path}'`"
        return Finding("commands", name, Status.ERROR, f"{path} cannot be read", hint)
    if not VERSION:
        return None
    text = f"{path} is {command.state.value}"
    return Finding("commands", name, Status.ERROR, text, links.REINSTALL)


def _linked(command: links.Command) -> Finding:
    text = f"linked: `{command.path}` is the verified binary itself"
    for variable in (command.family.variable, DIRECTORY_VARIABLE):
        if os.environ.get(variable):
            text += f", which does not look at `{variable}`"
            hint = "`leanspec-launcher unlink` if the variable is to count"
            return Finding("commands", command.name, Status.WARNING, text, hint)
    return Finding("commands", command.name, Status.OK, text)


def _slow(scripts: list[links.Command]) -> Iterator[Finding]:
    """Find the scripts that cost each start more than they have to."""
    slow = []
    for command in scripts:
        with command.path.open("rb") as file:
            if SLOW_SCRIPT in file.read(links.MOST_SCRIPT):
                slow.append(f"`{command.path}`")
    if slow:
        value = f"{', '.join(slow)}: with `import re`, as pip before 25.2 writes it, some 7 ms at each start"
        hint = "`leanspec-launcher link` starts them without Python; a newer pip writes them without `re`"
        yield Finding("commands", "scripts", Status.OK, value, hint)


def _path() -> Iterator[Finding]:
    """Find what a shell would start: another `lean-spec` may come first, npm's for one."""
    folders = [
        folder
        for folder in os.environ.get("PATH", "").split(os.pathsep)
        if os.path.isabs(folder)
    ]
    ours = _own_folders()
    missing = []
    for name in _names():
        found = [
            path for folder in folders if os.path.isfile(path := os.path.join(folder, name))
        ]
        own = [path for path in found if _is_in(path, ours)]
        if found and not own:
            text = f"`{found[0]}`{_origin(found[0])} is started, which is not of this installation"
            yield Finding("PATH", name, Status.WARNING, text, PATH_HINT)
        elif own and found[0] != own[0]:
            text = f"`{found[0]}`{_origin(found[0])} comes before `{own[0]}`"
            yield Finding("PATH", name, Status.WARNING, text, PATH_HINT)
        elif own:
            yield Finding("PATH", name, Status.OK, own[0])
        elif ours:
            missing.append(f"`{name}`")
    if missing:
        text = f"no folder of `PATH` has {', '.join(missing)}"
        yield Finding(
            "PATH", "commands", Status.WARNING, text, f"add `{ours[0]}` to `PATH`"
        )


def _is_in(path: str, folders: list[str]) -> bool:
    return (
        os.path.dirname(os.path.realpath(path)) in folders
        or os.path.dirname(path) in folders
    )


def _names() -> list[str]:
    suffix = ".exe" if sys.platform == "win32" else ""
    programs = [each.program for each in FAMILIES.values()]
    return [f"{name}{suffix}" for name in dict.fromkeys(("lean-spec", *programs))]


def _own_folders() -> list[str]:
    """Return the folders of this installation's commands; none in a checkout."""
    own = distribution(MAIN)
    recorded = list(own.files) if own else []
    paths = [
        os.path.join(SITE, name) for name in recorded if os.path.basename(name) in _names()
    ]
    folders = [os.path.realpath(os.path.dirname(path)) for path in paths]
    moved = os.path.join(SITE, "bin")
    if own and os.path.isdir(moved):
        folders.append(moved)
    return list(dict.fromkeys(folders))


def _origin(path: str) -> str:
    real = os.path.realpath(path)
    return " (npm's)" if "node_modules" in real.split(os.sep) else ""

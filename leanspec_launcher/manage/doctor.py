"""Report on this installation: each finding is ok, a warning or an error, with a hint."""

from __future__ import annotations

import contextlib
import enum
import functools
import os
import platform as system
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from leanspec_launcher import folders
from leanspec_launcher._pins import BINARIES, SHA256, TOOLS, VERSION
from leanspec_launcher._release import is_newer
from leanspec_launcher._search import (
    OFF,
    ONCE,
    SITE,
    VARIABLE,
    Start,
    is_cached,
    is_trusted,
)
from leanspec_launcher._tables import (
    DEBUG_VARIABLE,
    DIRECTORY_VARIABLE,
    PROGRAMS,
    TYPESCRIPT_VARIABLE,
    VERIFY_VARIABLE,
    Program,
    current,
    is_on,
)
from leanspec_launcher.commands import CommandError, explained
from leanspec_launcher.explain import hints, machine
from leanspec_launcher.explain.verdicts import (
    ORIGINS,
    Outcome,
    PlaceVerdict,
    deciding,
    verdicts,
)
from leanspec_launcher.installers import reinstall
from leanspec_launcher.installers.detect import MAIN
from leanspec_launcher.installers.records import distribution, is_left_out
from leanspec_launcher.installers.table import SOURCES, in_use
from leanspec_launcher.installers.words import shown
from leanspec_launcher.instead import ended
from leanspec_launcher.instead.answer import reported_version
from leanspec_launcher.protocol import ServerInfo, ask, refusing_clients
from leanspec_launcher.tools import AS_RELEASED, adapter, change, outlines
from leanspec_launcher.verify.loader import loader_of
from leanspec_launcher.verify.proof import MOST_SCRIPT, count_scripts, digest
from leanspec_launcher.verify.refusal import Refusal
from leanspec_launcher.web.pages import chosen_pages, verified_pages
from leanspec_launcher.web.place import UI, chosen_folder, installed_pages
from leanspec_launcher.web.port import choose_port
from leanspec_launcher.web.settings import data_folder, read_settings

from . import link
from .clients.configured import configured
from .clients.places import home
from .missing import missing_commands, missing_hint
from .update import index
from .update.installation import installation

PATH_HINT = "put this installation's folder first in `PATH`, or remove that one"
UPDATE_VARIABLE = "LEANSPEC_UPDATE_CHECK"
# How pip before 25.2 begins a script: a module that takes 7 ms to import, at each start.
SLOW_SCRIPT = b"import re\n"


class Status(enum.Enum):
    """Severity of a finding."""

    OK = "ok"
    NOTE = "note"
    ABSENT = "absent"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class ReportLine:
    """One line of the report."""

    status: Status
    name: str
    value: str
    hint: str | None = ""
    section: str = ""

    def as_json(self) -> dict[str, str]:
        """Return what `doctor --json` prints of it."""
        return {
            "section": self.section,
            "name": self.name,
            "status": self.status.value,
            "value": self.value,
            "hint": self.hint or "",
        }


# What needs no attention; what is neither good nor bad; what is not installed, and need not be; what
# may explain a problem; what keeps something from working.
ok = functools.partial(ReportLine, Status.OK)
note = functools.partial(ReportLine, Status.NOTE)
absent = functools.partial(ReportLine, Status.ABSENT)
warning = functools.partial(ReportLine, Status.WARNING)
error = functools.partial(ReportLine, Status.ERROR)


def errors(findings: list[ReportLine]) -> list[ReportLine]:
    """Return the findings that keep something from working."""
    return [finding for finding in findings if finding.status is Status.ERROR]


def summary(findings: list[ReportLine]) -> str:
    """Say whether everything works."""
    names: dict[str, list[str]] = {}
    for finding in errors(findings):
        names.setdefault(finding.section, []).append(finding.name)
    if names:
        places = [
            f"{section} ({', '.join(dict.fromkeys(section_names))})"
            for section, section_names in names.items()
        ]
        return f"{_counted(len(errors(findings)), 'problem')}: {', '.join(places)}"
    count = sum(finding.status is Status.WARNING for finding in findings)
    warnings = f", with {_counted(count, 'warning')}" if count else ""
    return f"everything works{warnings}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def examine() -> list[ReportLine]:
    """Examine this installation: versions, machine, binaries, commands, settings."""
    programs = {
        program.command: functools.partial(_binary, program)
        for program in PROGRAMS.values()
    }
    sections: dict[str, Callable[[], Iterable[ReportLine]]] = {
        "launcher": _launcher,
        "system": _system,
        "settings": _settings,
        **programs,
        "web UI": _web,
        "MCP clients": _clients,
        "commands": _commands,
        "PATH": _path,
    }
    return [
        replace(finding, section=section)
        for section, look in sections.items()
        for finding in _findings(look)
    ]


def _findings(look: Callable[[], Iterable[ReportLine]]) -> Iterator[ReportLine]:
    """Yield the findings of one section. An exception becomes a finding; later sections still run."""
    try:
        yield from look()
    except Exception as cause:  # noqa: BLE001 - a damaged installation is what this is for
        failure = explained(cause)
        text = "; ".join([failure.message, *failure.details])
        yield error("doctor", text, failure.hint)


def _launcher() -> Iterator[ReportLine]:
    record = distribution(MAIN)
    installed = record.version if record else "not installed"
    # A build from sources, as pip makes it of a git address, knows no checksums.
    if in_use() is SOURCES:
        text = f"{installed}, installed from sources, which pin no binaries"
        yield error("version", text, reinstall.hint(PROGRAMS["cli"]))
    elif not VERSION:
        text = (
            f"{installed}, running from a source checkout with locally collected binaries"
        )
        yield ok("version", text)
    elif installed != VERSION:
        text = f"{VERSION}, but its metadata says {installed}"
        yield error("version", text, "reinstall lean-spec")
    else:
        yield ok("version", VERSION)
    for problem in record.problems if record else []:
        yield error("record", problem, "reinstall lean-spec")
    yield ok("place", SITE)
    yield ok("installer", in_use().name)
    python = f"{system.python_implementation()} {system.python_version()}, {sys.executable}"
    yield ok("Python", python)
    if is_on(UPDATE_VARIABLE):
        yield _newer()


def _newer() -> ReportLine:
    """Ask the index for a newer release, as the user wants it."""
    try:
        newest = index.newest(installation(), None).version
    except CommandError as cause:
        return warning("update", cause.message, cause.hint)
    if not is_newer(newest, VERSION):
        return ok("update", f"{VERSION} is the newest release")
    return warning("update", f"{newest} is available", "leanspec-launcher update")


def _system() -> Iterator[ReportLine]:
    platform = current()
    about = machine.describe()
    if platform is None:
        hint = hints.ways(PROGRAMS["cli"])
        yield error("platform", f"{about}: the release has no build for it", hint)
    elif machine.emulation():
        hint = "install with a Python made for this CPU"
        yield warning("platform", f"{about} ({platform.key})", hint)
    else:
        yield ok("platform", f"{about} ({platform.key})")
    yield _cache(folders.cache())


def _cache(folder: str) -> ReportLine:
    if not folder:
        text = "no folder for verified files: each start hashes its binary"
        hint = f"set `{folders.DATA}` to an absolute path"
        return warning("cache", text, hint)
    if os.path.lexists(folder) and not is_trusted(folder):
        text = (
            f"`{folder}` is not used: it is a link, another user's, or writable by others"
        )
        hint = f"remove `{shown([[os.path.dirname(folder)]])}`; it is made again"
        return warning("cache", text, hint)
    # A cache that was never used has no folder yet: the nearest one above it counts.
    above = folder
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.access(above, os.W_OK):
        text = f"`{folder}` cannot be written: each start hashes its binary"
        hint = f"set `{folders.CACHE}` to the absolute path of a folder that this user may write to"
        return warning("cache", text, hint)
    return ok("cache", folder)


def _settings() -> Iterator[ReportLine]:
    names = [program.variable for program in PROGRAMS.values()]
    names += [DIRECTORY_VARIABLE, VERIFY_VARIABLE, DEBUG_VARIABLE, TYPESCRIPT_VARIABLE]
    for name in names:
        value = os.environ.get(name)
        if name == VERIFY_VARIABLE and value == OFF:
            yield warning(name, value, f"`unset {name}`: no binary is verified")
        elif value:
            yield ok(name, value)


def _web() -> Iterator[ReportLine]:
    """Look at the pages of the web UI, and at what `leanspec-ui` reads."""
    if not chosen_folder() and not installed_pages():
        yield absent("pages", f"not installed: they come with {UI.requirement}")
        return
    try:
        folder = chosen_pages()
        text = f"`{folder}`: not verified, you chose it"
        if not folder:
            text = f"`{verified_pages()}`: verified"
        yield ok("pages", text)
    except CommandError as cause:
        yield error("pages", cause.message, cause.hint)
    try:
        settings = read_settings()
        port, remark = choose_port("127.0.0.1", None, settings.port)
        text = f"{port} ({remark})" if remark else str(port)
        yield ok("port", text)
    except CommandError as cause:
        yield error("port", cause.message, cause.hint)
    yield ok("data", str(data_folder() or "nowhere: this user has no home folder"))


def _clients() -> Iterator[ReportLine]:
    """Look at what this user's MCP clients, and those of this folder, would start."""
    try:
        home()
    except CommandError as cause:
        # Only this user's own files are left out then.
        yield warning("home", cause.message, cause.hint)
    clients, server = list(configured(Path.cwd())), PROGRAMS["mcp"]
    for client in clients:
        path = f"`{client.path}`"
        if server.ended:
            text = f"{path}: {ended.reason(server)}"
            yield warning(client.client, text, ended.hint(server))
        elif client.problem:
            yield warning(client.client, f"{path}: {client.problem}", client.hint)
        else:
            yield ok(client.client, f"{path}: {client.starts}")
    if not clients and not server.ended:
        text = "no client is configured: `leanspec-launcher mcp-config CLIENT --write` adds one"
        yield absent("none", text)


def _binary(program: Program) -> Iterator[ReportLine]:
    start = Start(program)
    first = deciding(verdicts(start))
    if first is None:
        if is_left_out(program):
            yield absent("binary", f"not installed: it comes with {program.requirement}")
            return
        text = f"not found; see `leanspec-launcher which {program.name}`"
        yield error("binary", text, hints.hint_of(start, None))
        return
    line = f"{ORIGINS[first.origin]}  `{first.path}`: {first.reason}"
    if first.outcome is Outcome.REFUSED:
        yield error("refused", line, hints.hint_of(start, first))
        return
    yield warning("taken", line) if first.refusal else ok("taken", line)
    yield from _wheel(program)
    yield _stamp(start, first)
    yield _libraries(first)
    yield from _speaks(program, first)


def _wheel(program: Program) -> Iterator[ReportLine]:
    wheel = distribution(program.distribution)
    if wheel is None:
        yield absent("wheel", f"{program.distribution} is not installed")
        return
    hint, text = reinstall.hint(program), f"{wheel.name} {wheel.version}"
    if VERSION and wheel.version != VERSION:
        yield error("wheel", f"{text}, this lean-spec needs {VERSION}", hint)
    else:
        yield ok("wheel", text)
    for problem in wheel.problems:
        yield error("record", problem, hint)


def _stamp(start: Start, verdict: PlaceVerdict) -> ReportLine:
    """Report whether the next start has to verify the binary. Nothing is cached here: a start does."""
    if verdict.origin == VARIABLE:
        return note("verification", "not verified: you chose this binary")
    if start.verification != ONCE:
        text = f"not cached: `{VERIFY_VARIABLE}` is `{start.verification}`"
        return note("verification", text)
    if is_cached(verdict.path, start.expected(verdict.place)):
        return ok("verification", "verified (cached)")
    folder = folders.cache()
    if not folder or (os.path.lexists(folder) and not is_trusted(folder)):
        text = "not cached: each start hashes the binary"
        return warning("verification", text, "see `cache` above")
    return note("verification", "not cached yet; the next start verifies the binary")


def _libraries(verdict: PlaceVerdict) -> ReportLine:
    # A verified binary that lacks one is refused, so what is left to say is that none is lacking.
    text = "no other shared libraries needed"
    if verdict.origin == VARIABLE or verdict.refusal:
        text = "not checked, because the binary is not verified"
    elif loader_of(verdict.path):
        text = "all shared libraries found"
    return ok("libraries", text)


def _speaks(program: Program, verdict: PlaceVerdict) -> Iterator[ReportLine]:
    """Ask the binary itself: as an MCP client if it is a server, with `--version` if it is not."""
    is_server = "--version" in program.answers
    name = "handshake" if is_server else "says"
    server = None
    start = time.monotonic()
    hint = reinstall.hint(program)
    try:
        if verdict.origin == VARIABLE:
            hint = f"`unset {program.variable}`, which names it"
            count_scripts()  # it may start this command
        if is_server:
            server = ask([verdict.path], tools=True, every=True)
        version = server.version if server else reported_version(program, verdict.path)
    except (OSError, Refusal) as cause:
        yield error(name, str(cause), hint)
        return
    milliseconds = (time.monotonic() - start) * 1000
    if BINARIES and version != BINARIES:
        yield error(name, f"`{version}`, expected {BINARIES}", hint)
    else:
        yield ok(name, f"{version} ({milliseconds:.0f} ms)")
    if server:
        yield _protocol(server)
        yield from _tools(program, verdict, server, hint)


def _protocol(server: ServerInfo) -> ReportLine:
    """Report which versions of the protocol the server speaks, and who would refuse it for that."""
    text = f"MCP {', '.join(server.protocols)}"
    names = [client.client for client in configured(Path.cwd())]
    clients = ", ".join(refusing_clients(names, server.protocols))
    if not clients:
        return ok("protocol", text)
    hint = "update the client; `leanspec-launcher mcp-config CLIENT --remove` removes the server"
    return warning("protocol", f"{text}: {clients} would refuse this server", hint)


def _tools(
    program: Program, verdict: PlaceVerdict, server: ServerInfo, hint: str | None
) -> Iterator[ReportLine]:
    """Compare the tools with those of the release. A project's own schema may change them, too."""
    if not TOOLS:
        return
    project = adapter(Path.cwd())
    count = f"{len(server.tools)} tools"
    if project not in TOOLS:
        yield ok("tools", f"{count}; the release lists no tools for this project's adapter")
        return
    words = change(TOOLS[project], outlines(server.tools))
    pins, platform = SHA256.get(program.name, {}), current()
    pin = pins.get(platform.key) if platform else None
    if words == AS_RELEASED:
        yield ok("tools", f"{count}, {words}")
    # The bytes are the release's, so nothing but the project can have changed the tools.
    elif pin and digest(verdict.path) == pin:
        yield ok("tools", f"{count}; by this project's schema, {words}")
    else:
        yield warning("tools", f"{count}, not {AS_RELEASED}: {words}", hint)


def _commands() -> Iterator[ReportLine]:
    try:
        commands = link.commands()
    except CommandError as cause:
        text = cause.message
        yield warning("scripts", text, cause.hint) if VERSION else absent("scripts", text)
        return
    for missing in missing_commands():
        yield error(missing.script.name, missing.text, missing_hint())
    for command in commands:
        yield from _command(command)
    yield from _second_owners()
    with contextlib.suppress(CommandError):
        yield from _slow(link.link_all(dry_run=True))


def _command(command: link.Command) -> Iterator[ReportLine]:
    path, name = f"`{command.path}`", command.name
    if command.state is link.LinkState.LINKED:
        yield _linked(command)
    elif command.state is link.LinkState.UNREADABLE:
        yield error(name, f"{path} cannot be read", hints.open_hint(str(command.path)))
    elif command.state in (link.LinkState.DEAD, link.LinkState.FOREIGN) and VERSION:
        yield error(name, f"{path} is {command.state.value}", link.hint_of(command))


def _linked(command: link.Command) -> ReportLine:
    text = f"linked: `{command.path}` is the verified binary itself"
    for variable in (command.program.variable, DIRECTORY_VARIABLE):
        if os.environ.get(variable):
            text += f", which ignores `{variable}`"
            hint = "to use the variable: `leanspec-launcher unlink`"
            return warning(command.name, text, hint)
    return ok(command.name, text)


def _second_owners() -> Iterator[ReportLine]:
    """Find the other packages with the name of a command, which they have too."""
    if in_use().is_shared:
        return
    for script in link.scripts():
        if script.name != MAIN and distribution(script.name) is not None:
            text = (
                f"in the package `{script.name}` too: uninstalling that removes the command,"
                " and `leanspec-launcher repair` restores it"
            )
            yield ok(script.name, text)


def _slow(scripts: list[link.Command]) -> Iterator[ReportLine]:
    """Find the scripts that cost each start more than they have to, of those that can be linked."""
    slow = [
        f"`{command.path}`"
        for command in scripts
        if SLOW_SCRIPT in command.path.read_bytes()[:MOST_SCRIPT]
    ]
    if slow:
        value = (
            f"each start of {', '.join(slow)} takes some 7 ms longer than necessary: pip before"
            " 25.2 wrote the script"
        )
        hint = (
            "`leanspec-launcher link` starts it without Python; or reinstall lean-spec with a"
            " newer pip"
        )
        yield note("scripts", value, hint)


def _path() -> Iterator[ReportLine]:
    """Find what a shell would start: another `lean-spec` may come first, npm's for one."""
    entries = os.environ.get("PATH", "").split(os.pathsep)
    folders = list(filter(os.path.isabs, entries))
    suffix = ".exe" if sys.platform == "win32" else ""
    programs = [program.command for program in PROGRAMS.values()]
    # None in a checkout.
    recorded = link.commands_if_recorded()
    ours = [os.path.realpath(command.path.parent) for command in recorded]
    # A command that was removed is an error of the section above.
    removed = [command.path.name for command in missing_commands()]
    missing = []
    for command in dict.fromkeys([MAIN, *programs]):
        name = f"{command}{suffix}"
        paths = [
            path for folder in folders if os.path.isfile(path := os.path.join(folder, name))
        ]
        our_paths = [path for path in paths if _is_in(path, ours)]
        if paths and not our_paths:
            text = f"your shell finds `{paths[0]}`{_origin(paths[0])}, which is not of this installation"
            yield warning(name, text, PATH_HINT)
        # A shell starts the first one of the name.
        elif our_paths and paths[0] != our_paths[0]:
            text = f"`{paths[0]}`{_origin(paths[0])} comes before `{our_paths[0]}`"
            yield warning(name, text, PATH_HINT)
        elif our_paths:
            yield ok(name, our_paths[0])
        elif ours and name not in removed:
            missing.append(f"`{name}`")
    if missing:
        text = f"no folder in `PATH` contains {', '.join(missing)}"
        yield warning("commands", text, f"add `{shown([[ours[0]]])}` to `PATH`")


def _is_in(path: str, folders: list[str]) -> bool:
    paths = (path, os.path.realpath(path))
    return not set(map(os.path.dirname, paths)).isdisjoint(folders)


def _origin(path: str) -> str:
    real = os.path.realpath(path)
    return " (npm's)" if "node_modules" in real.split(os.sep) else ""

"""What this user's clients would start: their files read in their own order, and what is wrong there."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leanspec_launcher.commands import CommandError, explained
from leanspec_launcher.installers.detect import program_on_path
from leanspec_launcher.manage.missing import missing_commands, missing_hint

from .change import refusal, servers_in
from .effects import Entry, our_servers
from .entry import address_of, is_by_node, is_ours, server_of, switch
from .places import (
    LOCAL,
    MANAGED,
    PROJECT,
    USER,
    ServersFile,
    former,
    is_present,
    is_project,
    places,
    project_above,
)
from .server import ServerCommand, ends, lasting, out_of_folder, version
from .table import CLIENTS, NAME, Client, ServerFolder

# Options without a value, words of launchers, paths, and names of ours.
HARMLESS = re.compile(
    r"--?[\w-]*|run|tool|exec|dlx|x|sh|/[cd]|cd|&&|[@\w./\\:~ -]*lean-?spec[@\w./\\:=~ -]*|/[^=]*"
    r"|\$\{[\w:.-]+\}"
)
# A command of ours with a version, as uvx and pipx take it.
PINNED = re.compile(r"(?:leanspec-mcp|lean-spec)(?:@|==)(.+)")
VARIABLE = re.compile(r"\$\{?\w|\{\w+:")


@dataclass(frozen=True)
class Configured:
    """A server of ours in a file of a client."""

    client: str
    path: Path
    starts: str
    """The command line, and where it is started."""
    problem: str = ""
    """Why it would not start, or not as it should; empty if it does."""
    hint: str = ""


@dataclass(frozen=True)
class ConfiguredServer(Entry):
    """An entry that starts our server, or has its name."""

    value: Any

    @property
    def server(self) -> ServerCommand | None:
        """The command that it names."""
        return server_of(self.value)

    @property
    def started(self) -> tuple[ServerCommand, str]:
        """The command itself, and the folder that it names; empty if the client does not go there."""
        if self.server is None:
            return ServerCommand(""), ""
        inner, folder = out_of_folder(self.server)
        is_ignored = inner.cwd == folder and not self.client.has_cwd
        return inner, "" if is_ignored else folder

    @property
    def starts(self) -> str:
        """The command line for people, and where it is started."""
        if self.server is None:
            return ""
        inner, folder = self.started
        origin = f"in `{folder}`" if folder else self.start.value
        name = "" if self.name == NAME else f"`{self.name}` starts "
        return f"{name}`{_shown(inner)}` {origin}"

    @property
    def start(self) -> ServerFolder:
        """Where the client starts it, if it names no folder."""
        client = self.client
        return client.start_in_project if self.place.scope == PROJECT else client.start

    @property
    def command(self) -> str:
        """What puts it right: the command that changes it, or the one that takes it out."""
        if self.place.scope not in (PROJECT, USER):
            return self.remedy
        return self.change_command("--write")

    def command_with(self, option: str) -> str:
        """Return the command that changes it, with an option."""
        return f"{self.command} {option}" if "--write" in self.command else self.command

    def configured(self, starts: str, problem: str = "", hint: str = "") -> Configured:
        """Return the entry for the report."""
        return Configured(self.client.name, self.place.path, starts, problem, hint)


def configured(here: Path) -> Iterator[Configured]:
    """Yield what this user's clients start in a project, and what stands in files that do not decide."""
    paths: set[Path] = set()
    above = project_above(here) or here
    for client in CLIENTS.values():
        # A program with windows has a project open; any other works in the folder that it is started in.
        project = above if client.is_desktop else here
        results = list(_of_client(client, project))
        # A file with several readers counts once, unless this user has them all.
        yield from (
            result for result in results if result.path not in paths or is_present(client)
        )
        paths |= {result.path for result in results}


def _of_client(client: Client, project: Path) -> Iterator[Configured]:
    deciding: dict[str, ServersFile] = {}
    joined = _joined(client, project)
    with contextlib.suppress(CommandError):  # `mcp-config` says that a variable is no path
        for place in places(client, project):
            if place.exists:
                yield from _of_place(place, project, deciding, joined)
                if place.scope != MANAGED:
                    continue
                if not deciding:
                    command = f"leanspec-launcher mcp-config {client.name} --policy"
                    problem = f"{client.title} starts only the servers in this file"
                    hint = f"an administrator adds it: {command}"
                    yield Configured(client.name, place.path, "", problem, hint)
                return
        for path in former(client):
            place = ServersFile(client, path, USER)
            if place.exists:
                yield from _no_longer_read(place, project)


def _joined(client: Client, project: Path) -> dict[str, Any]:
    """Return the entries that a client makes of the members of several files, by their names."""
    joined: dict[str, Any] = {}
    with contextlib.suppress(CommandError):
        for place in places(client, project) if client.joins_members else ():
            for name, value in servers_in(place).items():
                if isinstance(value, dict) and not Entry(place, name, project).is_waiting:
                    joined[name] = {**value, **joined.get(name, {})}
    return joined


def _of_place(
    place: ServersFile,
    project: Path,
    deciding: dict[str, ServersFile],
    joined: dict[str, Any],
) -> Iterator[Configured]:
    client = place.client
    try:
        entries = list(_entries(place, project))
        refused = refusal(place)
    except Exception as error:  # noqa: BLE001 - one file keeps no other from being looked at
        failure = explained(error)
        hint = failure.hint or ""
        yield Configured(client.name, place.path, "", failure.message, hint)
        return
    for entry in entries:
        is_waiting = entry.is_waiting
        decides = deciding.get(entry.name, place)
        if not is_waiting:
            deciding[entry.name] = decides
        if client.ended:
            hint = f"leanspec-launcher mcp-config {client.name} --remove"
            yield entry.configured(entry.starts, f"{client.title}: {client.ended}", hint)
        elif decides != place:
            local = " for this project" if decides.scope == LOCAL else ""
            yield entry.configured(
                f"`{entry.name}` is not used: `{decides.path}` decides{local}"
            )
        elif refused:
            problem = f"{client.title} refuses the whole file: it has {refused}"
            yield entry.configured(entry.starts, problem, "take that out of the file")
        else:
            starts = "; ".join([entry.starts, *entry.conditions()])
            value = entry.value if is_waiting else joined.get(entry.name, entry.value)
            # The first problem counts.
            problems = _problems(replace(entry, value=value))
            yield entry.configured(starts, *next(problems, ()))


def _entries(place: ServersFile, project: Path) -> Iterator[ConfiguredServer]:
    """Yield the entries of a file that have our name, or start our server under another one."""
    for name, value in our_servers(place, NAME).items():
        yield ConfiguredServer(place, name, project, value)


def _no_longer_read(place: ServersFile, project: Path) -> Iterator[Configured]:
    with contextlib.suppress(CommandError):
        for entry in _entries(place, project):
            problem = f"{place.client.title} no longer reads this file"
            yield entry.configured(entry.starts, problem, entry.command)


def _shown(server: ServerCommand) -> str:
    """Return a command line for people, without arguments that may be secret."""
    words = server.words
    arguments = [word if HARMLESS.fullmatch(word) else "…" for word in words[1:]]
    return " ".join([*words[:1], *arguments])


def _problems(entry: ConfiguredServer) -> Iterator[tuple[str, str]]:
    """Yield what keeps an entry from starting this server in its project, each with what helps."""
    server = entry.server
    off = switch(entry.client, entry.value)
    if server is None and not off:
        yield "names no command", entry.command_with("--force")
    elif server and not is_ours(server):
        inner, _ = entry.started
        problem = f"starts `{inner.command}`, which is not this server"
        yield problem, entry.command_with("--force")
    if off:
        yield f"is switched off, by `{off}`", entry.command_with("--enable")
    for path, hint in entry.switched_off():
        yield f"is switched off, by `{path}`", hint
    if server is None:
        return
    inner, folder = entry.started
    for path, hint in entry.refused_by_policy(server):
        yield f"is excluded by the lists in `{path}`", hint
    address = address_of(entry.value)
    if address:
        yield (
            f"also has `{address}`, which a client may use instead of the command",
            entry.command,
        )
    if any(str(missing.path) == inner.command for missing in missing_commands()):
        yield f"starts `{inner.command}`, which does not exist", missing_hint()
    problem = (
        _problem_of_type(entry)
        or _problem_of_command(inner, entry.place.scope)
        or _problem_of_version(inner)
        or _problem_of_folder(entry, folder)
    )
    if problem:
        yield problem, entry.command


def _problem_of_type(entry: ConfiguredServer) -> str:
    kind, types = entry.value.get("type"), entry.client.types
    if kind is None or not types or kind in types:
        return ""
    return f"has the type `{kind}`, which {entry.client.title} does not know"


def _problem_of_command(server: ServerCommand, scope: str) -> str:
    path = server.command
    if is_by_node(server):
        return f"starts `{path}`, which needs Node.js and may need the network"
    if os.path.isabs(path) and not os.path.isfile(path):
        return f"starts `{path}`, which does not exist"
    if os.path.isabs(path) and not os.access(path, os.X_OK):
        return f"starts `{path}`, which is not executable"
    if os.path.isabs(path) or VARIABLE.match(path):
        return ""
    # In a project, a name may be meant for other machines too.
    if scope != PROJECT:
        return f"starts `{path}` by its name, and a client may not know your `PATH`"
    return "" if program_on_path(path) else f"starts `{path}`, which is not in `PATH`"


def _problem_of_version(server: ServerCommand) -> str:
    for word in server.words:
        pinned = PINNED.fullmatch(word)
        if pinned and pinned[1] != version():
            return f"starts version {pinned[1]}, but this is {version()}"
    if ends(server.command) and lasting(server.command) != server.command:
        return f"starts `{server.command}`, which is gone after the next upgrade"
    return ""


def _problem_of_folder(entry: ConfiguredServer, folder: str) -> str:
    """Look at the folder in which a server is started, as it would."""
    if not folder:
        if entry.start is ServerFolder.PROJECT:
            return ""
        return f"is started {entry.start.value}, because the entry names no folder"
    if VARIABLE.search(folder) or (os.path.isabs(folder) and is_project(Path(folder))):
        return ""
    reason = "has no specs" if os.path.isdir(folder) else "does not exist"
    if not os.path.isabs(folder):
        reason = "is relative to an unknown folder"
    return f"is started in `{folder}`, which {reason}"

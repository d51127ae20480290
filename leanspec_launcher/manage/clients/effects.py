"""Effects of a change beyond its file: who else reads it, what hides it, and what the client asks before it starts."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.words import shown

from .change import has_bare_servers, refusal, servers_in, value_at
from .entry import OF_ANOTHER_KIND, is_ours, server_of, switch
from .places import (
    LOCAL,
    MANAGED,
    PROJECT,
    USER,
    ServersFile,
    file_to_change,
    files,
    is_in_wsl,
    is_project,
    places,
    project_above,
    root_of,
    settings_files,
)
from .server import ServerCommand
from .table import CLIENTS, NAME, Client

APPROVED = ("trusted", "TRUST_FOLDER", "TRUST_PARENT")
# A file, and what helps against what it says.
Obstacle = tuple[Path, str]


@dataclass(frozen=True)
class Entry:
    """A name in a file of a client that works in a project, whether the file has it or not."""

    place: ServersFile
    name: str
    project: Path

    @property
    def client(self) -> Client:
        """The client that reads the file."""
        return self.place.client

    @property
    def is_waiting(self) -> bool:
        """Whether a project's file does not decide yet, because the user has not approved it."""
        if self.place.scope != PROJECT or not self.client.approvals:
            return False
        return any(self.switched_off()) or not self.is_approved

    @property
    def is_approved(self) -> bool:
        """Whether the user has approved a project's server, or its folder or one above it."""
        for row in self.client.approvals:
            # A folder's approval may stand under the path of any folder above.
            folders = [root_of(self.project)]
            if row.covers_below:
                folders = [self.project, *self.project.parents]
            for path in settings_files(self.client, row.file, self.project):
                for folder in folders:
                    value = value_at(path, self._filled(row.keys, folder))
                    if isinstance(value, list):
                        value = self.name in value or str(folder) in value
                    if value is row.answer or value in APPROVED:
                        return True
        return False

    @property
    def remedy(self) -> str:
        """What takes the server out of its place."""
        if self.place.scope == LOCAL:
            return f"claude mcp remove {self.name} -s local"
        if self.place.scope not in (PROJECT, USER):
            return f"take `{self.name}` out of that file"
        return self.change_command("--remove")

    def change_command(self, change: str) -> str:
        """Return the command that changes the server, typed in this folder."""
        place, here = self.place, Path.cwd()
        words = ["leanspec-launcher", "mcp-config", self.client.name, change]
        words += ["--scope", place.scope]
        is_here = place.folder in (Path(), project_above(here) or here)
        if place.scope == PROJECT and not is_here:
            words += ["--project", str(place.folder)]
        if self.name != NAME:
            words += ["--name", self.name]
        return shown([words])

    def conditions(self) -> Iterator[str]:
        """Yield what a client asks before it starts the server, and where it reads another file."""
        client, scope = self.client, self.place.scope
        asks = scope == PROJECT or client.asks_for_users
        if asks and client.approval and not self.is_approved:
            yield f"{client.title} {client.approval.replace('NAME', self.name)}"
        if scope == USER and client.is_desktop and is_in_wsl():
            yield (
                f"if {client.title} runs on Windows, it reads another file: type this command"
                " there"
            )

    def switched_off(self) -> Iterator[Obstacle]:
        """Yield the files of settings that switch the server off, each with what switches it on again."""
        for row in self.client.lists:
            if self.place.scope not in row.scopes:
                continue
            for path in settings_files(self.client, row.file, self.project):
                # Either `false` for this server, or a list of names.
                value = value_at(path, self._filled(row.keys, root_of(self.project)))
                is_off = value is False
                if isinstance(value, list):
                    fold = str.lower if row.ignores_case else str
                    is_listed = fold(self.name) in [fold(str(item)) for item in value]
                    # Who is missing in a list of the allowed is off.
                    is_off = is_listed is not row.is_of_allowed
                if is_off:
                    yield path, row.hint.replace("NAME", self.name)

    def refused_by_policy(self, server: ServerCommand) -> Iterator[Obstacle]:
        """Yield the files in which a list of servers leaves this one out, each with what helps."""
        by_name, by_command = {"serverName": self.name}, {"serverCommand": server.words}
        templates = self.client.policy.files if self.client.policy else ()
        for template in templates:
            for path in settings_files(self.client, template, self.project):
                denied = value_at(path, ("deniedMcpServers",))
                allowed = value_at(path, ("allowedMcpServers",))
                if isinstance(denied, list) and (by_name in denied or by_command in denied):
                    yield path, f"take `{self.name}` out of its `deniedMcpServers`"
                elif isinstance(allowed, list) and by_command not in allowed:
                    rows = [row for row in allowed if isinstance(row, dict)]
                    names_commands = any("serverCommand" in row for row in rows)
                    # One command in the list, and a name is no longer enough.
                    if names_commands or by_name not in allowed:
                        command = (
                            f"leanspec-launcher mcp-config {self.client.name} --policy"
                        )
                        yield path, f"add what this prints: {command}"

    def others(self) -> Iterator[tuple[ServersFile, Any]]:
        """Yield the other files whose entry of the name is joined with this one, and that entry."""
        if not self.client.joins_members:
            return
        for other in places(self.client, self.project):
            if other.path != self.place.path and other.exists:
                yield other, servers_in(other).get(self.name)

    def _filled(self, keys: tuple[str, ...], folder: Path) -> tuple[str, ...]:
        return tuple(
            key.replace("{project}", str(folder)).replace("NAME", self.name) for key in keys
        )


def must_be_readable(place: ServersFile, after: str) -> None:
    """Raise CommandError if a client refuses the whole file, or would with a text in it."""
    refused = refusal(place) or refusal(place, after)
    if refused:
        raise CommandError(
            f"{place.client.title} refuses the whole file `{place.path}`: it has {refused}",
            hint="take that out of the file, and type this command again",
        )


def must_hide_nothing(place: ServersFile, project: Path) -> None:
    """Raise CommandError if a file would keep another client from servers that it reads now."""
    if place.scope != PROJECT:
        return
    for client in CLIENTS.values():
        if client.is_merged or place.path not in files(client, PROJECT, project):
            continue
        if client.takes_bare and client is not place.client and has_bare_servers(place):
            raise CommandError(
                f"a table of servers in `{place.path}` would hide those at its top level from"
                f" {client.title}",
                hint=f"move them into `{place.table[0]}`, and type this command again",
            )
        hidden = file_to_change(client, PROJECT, project)
        if hidden != place.path and not place.exists:
            raise CommandError(
                f"a new `{place.path}` would keep {client.title} from reading `{hidden}`",
                hint="write your own file, `--scope user`, or move that one's servers to the new file",
            )


def must_agree(entry: Entry, server: ServerCommand) -> None:
    """Raise CommandError if a client would join an entry with another one, and start something else then."""
    # Without a folder of its own, this entry would be started in the other one's.
    harmful = (*OF_ANOTHER_KIND, *([] if server.cwd else ["cwd"]))
    for other, members in entry.others():
        keys = members if isinstance(members, dict) else {}
        surplus = [key for key in harmful if key in keys]
        if surplus:
            raise CommandError(
                f"{entry.client.title} would merge `{entry.name}` with the one in `{other.path}`,"
                f" and use its `{surplus[0]}` for both",
                hint="rename that one, or choose another name: `--name NAME`",
            )


def remarks(entry: Entry, server: ServerCommand, *, enable: bool) -> Iterator[str]:
    """Yield what someone who changes this file has to know, a sentence each."""
    client, place, project = entry.client, entry.place, entry.project
    for other in our_servers(place, entry.name):
        if other != entry.name:
            yield (
                f"`{other}` in this file starts this server, too: `--remove --name {other}` removes it"
            )
    yield from readers(place, project)
    if place.scope == PROJECT and not is_project(project):
        yield f"there are no specs in `{project}` yet: `lean-spec init` creates them"
    yield from _hidden(entry)
    if not enable:
        yield from _switched_off_by_another(entry)
    for path, hint in entry.switched_off():
        yield f"it stays switched off, by `{path}`: {hint}"
    for path, hint in entry.refused_by_policy(server):
        yield f"{client.title} does not start it: the lists in `{path}` exclude it: {hint}"
    yield from entry.conditions()
    for path in files(client, USER, project) if place.scope == USER else ():
        if path != place.path and os.path.lexists(path) and not client.is_merged:
            yield f"`{path}` exists, too: it belongs to another installation, and is not changed"
    if client.remark:
        yield client.remark


def _switched_off_by_another(entry: Entry) -> Iterator[str]:
    """Name the files whose entry is joined with this one, and switches it off."""
    value = servers_in(entry.place).get(entry.name)
    answers = dict(entry.client.new_entry)
    answers.update(value if isinstance(value, dict) else {})
    for file, members in entry.others():
        key = switch(entry.client, members)
        if key and key not in answers:
            yield f"it stays switched off, by `{key}` in `{file.path}`"


def our_servers(place: ServersFile, name: str) -> dict[str, Any]:
    """Return the entries of a file that have a name, or start our server under another one."""
    entries = {}
    for other, value in servers_in(place).items():
        server = server_of(value)
        if other == name or (server and is_ours(server)):
            entries[other] = value
    return entries


def left(
    client: Client, name: str, project: Path, gone: Iterable[ServersFile]
) -> Iterator[str]:
    """Yield the files that still have a server of ours, each with the command that takes it out.

    The server of the name is not counted in the files `gone`.
    """
    for place in places(client, project):
        with contextlib.suppress(CommandError):
            for other in our_servers(place, name) if place.exists else ():
                if other != name or place not in gone:
                    command = Entry(place, other, project).remedy
                    yield f"{client.title}: `{other}` is still in `{place.path}`: {command}"


def readers(place: ServersFile, project: Path) -> Iterator[str]:
    """Yield the other clients that read a file, and why one of them refuses it."""
    for other in CLIENTS.values():
        with contextlib.suppress(CommandError):  # a variable of that one is no path
            paths = files(other, place.scope, project)
            paths += [project / name for name in other.other_project]
            if other is place.client or place.path not in paths:
                continue
            if place.exists and has_bare_servers(place):
                continue  # only the one that takes such a file writes into it
            refused = refusal(ServersFile(other, place.path, place.scope))
            reason = f", and refuses it: it has {refused}" if refused else ""
            yield f"{other.title} reads this file, too{reason}"


def _hidden(entry: Entry) -> Iterator[str]:
    """Name what decides about a server before a file is asked."""
    project, is_above = entry.project, True
    for place in places(entry.client, project):
        if place == entry.place:
            is_above = False
            if not entry.is_waiting:
                return
        if place == entry.place or not place.exists:
            continue
        if place.scope == MANAGED:
            title = entry.client.title
            yield f"the administrator's file `{place.path}` decides: {title} reads no other"
            return
        other = Entry(place, entry.name, project)
        value = servers_in(place).get(entry.name)
        if value is not None:
            server = server_of(value)
            starts = f", and starts `{server.command}`" if server else ""
            condition = ""
            # It comes later, but this one does not count before it is approved.
            if not is_above:
                condition = "until you approve this one, "
            elif other.is_waiting:
                condition = "once it is approved, "
            file, remedy = _short(place.path, project), other.remedy
            change = remedy if "`" in remedy else f"`{remedy}`"
            yield (
                f"in this project, {condition}`{file}` takes precedence{starts};"
                f" to use the entry of this file: {change}"
            )
            if is_above and not other.is_waiting:
                return


def _short(path: Path, project: Path) -> Path:
    """Return a path from the folder of the project, if it is below."""
    return path.relative_to(project) if project in path.parents else path

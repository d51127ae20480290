"""Effects of a change beyond its file: who else reads it, what hides it, and what the client asks before it starts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

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
from .table import CLIENTS, NAME, Client, name_of

APPROVED = ("trusted", "TRUST_FOLDER", "TRUST_PARENT")


def must_be_readable(client: Client, place: ServersFile, after: str) -> None:
    """Raise CommandError if a client refuses the whole file, or would with a text in it."""
    refused = refusal(client, place) or refusal(client, place, after)
    if refused:
        raise CommandError(
            f"{client.title} refuses the whole file `{place.path}`: it has {refused}",
            hint="take that out of the file, and type this command again",
        )


def must_hide_nothing(writer: Client, place: ServersFile, project: Path) -> None:
    """Raise CommandError if a file would keep another client from servers that it reads now."""
    if place.scope != PROJECT:
        return
    for client in CLIENTS.values():
        paths = files(client, PROJECT, project)
        if client.is_merged or place.path not in paths:
            continue
        if client.takes_bare and client is not writer and has_bare_servers(place):
            raise CommandError(
                f"a table of servers in `{place.path}` would hide those at its top level from"
                f" {client.title}",
                hint=f"move them into `{place.table[0]}`, and type this command again",
            )
        if os.path.lexists(place.path):
            continue
        hidden = file_to_change(client, PROJECT, project)
        if hidden != place.path:
            raise CommandError(
                f"a new `{place.path}` would keep {client.title} from reading `{hidden}`",
                hint="write your own file, `--scope user`, or move that one's servers to the new file",
            )


def must_agree(
    client: Client, place: ServersFile, name: str, server: ServerCommand, project: Path
) -> None:
    """Raise CommandError if a client would join an entry with another one, and start something else then."""
    # Without a folder of its own, this entry would be started in the other one's.
    harmful = (*OF_ANOTHER_KIND, *([] if server.cwd else ["cwd"]))
    for other in places(client, project) if client.joins_members else ():
        if other.path == place.path or not os.path.lexists(other.path):
            continue
        entry = servers_in(client, other).get(name)
        members = entry if isinstance(entry, dict) else {}
        surplus = [key for key in harmful if key in members]
        if surplus:
            raise CommandError(
                f"{client.title} would merge `{name}` with the one in `{other.path}`, and use its"
                f" `{surplus[0]}` for both",
                hint="rename that one, or choose another name: `--name NAME`",
            )


def remarks(
    client: Client,
    place: ServersFile,
    name: str,
    server: ServerCommand,
    project: Path,
    *,
    enable: bool,
) -> Iterator[str]:
    """Yield what someone who changes this file has to know, a sentence each."""
    yield from twice(client, place, name)
    yield from readers(client, place, project)
    if place.scope == PROJECT and not is_project(project):
        yield f"there are no specs in `{project}` yet: `lean-spec init` creates them"
    yield from _hidden(client, place, name, project)
    entry = servers_in(client, place).get(name)
    explicit = entry if isinstance(entry, dict) else {}
    for path, key in _switched_off_by_another(client, place, name, project):
        if key in explicit or enable:
            continue
        yield f"it stays switched off, by `{key}` in `{path}`"
    for path, hint in switched_off(client, place.scope, name, project):
        yield f"it stays switched off, by `{path}`: {hint}"
    for path, hint in refused_by_policy(client, name, server, project):
        yield f"{client.title} does not start it: the lists in `{path}` exclude it: {hint}"
    yield from conditions(client, place, name, project)
    for path in files(client, USER, project) if place.scope == USER else ():
        if path != place.path and os.path.lexists(path) and not client.is_merged:
            yield f"`{path}` exists, too: it belongs to another installation, and is not changed"
    if client.remark:
        yield client.remark


def conditions(
    client: Client, place: ServersFile, name: str, project: Path
) -> Iterator[str]:
    """Yield what a client asks before it starts a server of a file, and where it reads another one."""
    asks = place.scope == PROJECT or client.asks_for_users
    if asks and client.approval and not is_approved(client, name, project):
        yield f"{client.title} {client.approval.replace('NAME', name)}"
    if place.scope == USER and client.is_desktop and is_in_wsl():
        yield (
            f"if {client.title} runs on Windows, it reads another file: type this command"
            " there"
        )


def waits(client: Client, place: ServersFile, name: str, project: Path) -> bool:
    """Tell whether a project's file does not decide yet, because the user has not approved it."""
    if place.scope != PROJECT or not client.approvals:
        return False
    is_rejected = any(switched_off(client, PROJECT, name, project))
    return is_rejected or not is_approved(client, name, project)


def left(
    client: Client, name: str, project: Path, gone: Iterable[ServersFile]
) -> Iterator[str]:
    """Yield the files that still have a server of ours, each with the command that takes it out.

    The server of the name is not counted in the files `gone`.
    """
    for place in places(client, project):
        with contextlib.suppress(CommandError):
            servers = servers_in(client, place) if os.path.lexists(place.path) else {}
            for other, entry in servers.items():
                server = server_of(entry)
                if other == name and place in gone:
                    continue
                if other == name or (server and is_ours(server)):
                    command = remedy(client, place, other)
                    yield f"{client.title}: `{other}` is still in `{place.path}`: {command}"


def twice(client: Client, place: ServersFile, name: str) -> Iterator[str]:
    """Yield the other names under which a file starts our server."""
    for other, entry in servers_in(client, place).items():
        server = server_of(entry)
        if other != name and server and is_ours(server):
            yield (
                f"`{other}` in this file starts this server, too: `--remove --name {other}` removes it"
            )


def _switched_off_by_another(
    client: Client, place: ServersFile, name: str, project: Path
) -> Iterator[tuple[Path, str]]:
    """Yield the files whose entry of the name is joined with this one, and switches it off."""
    for other in places(client, project) if client.joins_members else ():
        if other.path != place.path and os.path.lexists(other.path):
            key = switch(client, servers_in(client, other).get(name))
            if key and key not in dict(client.new_entry):
                yield other.path, key


def switched_off(
    client: Client, scope: str, name: str, project: Path
) -> Iterator[tuple[Path, str]]:
    """Yield the files of settings that switch a server off, each with what switches it on again."""
    for row in client.lists:
        if scope not in row.scopes:
            continue
        for path in settings_files(client, row.file, project):
            # Either `false` for this server, or a list of names.
            value = value_at(path, _filled(row.keys, name, root_of(project)))
            is_off = value is False
            if isinstance(value, list):
                names = [str(item) for item in value]
                if row.ignores_case:
                    names = [item.lower() for item in names]
                listed = (name.lower() if row.ignores_case else name) in names
                # Who is missing in a list of the allowed is off.
                is_off = listed is not row.is_of_allowed
            if is_off:
                yield path, row.hint.replace("NAME", name)


def refused_by_policy(
    client: Client, name: str, server: ServerCommand, project: Path
) -> Iterator[tuple[Path, str]]:
    """Yield the files in which a list of servers leaves this one out, each with what helps."""
    by_name, by_command = {"serverName": name}, {"serverCommand": server.words}
    for template in client.policy.files if client.policy else ():
        for path in settings_files(client, template, project):
            denied = value_at(path, ("deniedMcpServers",))
            allowed = value_at(path, ("allowedMcpServers",))
            if isinstance(denied, list) and (by_name in denied or by_command in denied):
                yield path, f"take `{name}` out of its `deniedMcpServers`"
            elif isinstance(allowed, list) and by_command not in allowed:
                rows = [row for row in allowed if isinstance(row, dict)]
                names_commands = any("serverCommand" in row for row in rows)
                # One command in the list, and a name is no longer enough.
                if names_commands or by_name not in allowed:
                    command = f"leanspec-launcher mcp-config {name_of(client)} --policy"
                    yield path, f"add what this prints: {command}"


def is_approved(client: Client, name: str, project: Path) -> bool:
    """Tell whether the user has approved a project's server, or its folder or one above it."""
    for row in client.approvals:
        root = root_of(project)
        # A folder's approval may stand under the path of any folder above.
        folders = [project, *project.parents] if row.covers_below else [root]
        for path in settings_files(client, row.file, project):
            for folder in folders:
                value = value_at(path, _filled(row.keys, name, folder))
                if isinstance(value, list):
                    value = name in value or str(folder) in value
                if value is row.answer or value in APPROVED:
                    return True
    return False


def _filled(keys: tuple[str, ...], name: str, folder: Path) -> tuple[str, ...]:
    return tuple(
        key.replace("{project}", str(folder)).replace("NAME", name) for key in keys
    )


def readers(client: Client, place: ServersFile, project: Path) -> Iterator[str]:
    """Yield the other clients that read a file, and why one of them refuses it."""
    for other in CLIENTS.values():
        with contextlib.suppress(CommandError):  # a variable of that one is no path
            paths = files(other, place.scope, project)
            paths += [project / name for name in other.other_project]
            if other is client or place.path not in paths:
                continue
            if os.path.lexists(place.path) and has_bare_servers(place):
                continue  # only the one that takes such a file writes into it
            refused = refusal(other, place)
            yield f"{other.title} reads this file, too" + (
                f", and refuses it: it has {refused}" if refused else ""
            )


def _hidden(client: Client, place: ServersFile, name: str, project: Path) -> Iterator[str]:
    """Name what decides about a server before a file is asked."""
    is_above = True
    for other in places(client, project):
        if other == place:
            is_above = False
            if not waits(client, place, name, project):
                return
        if other == place or not os.path.lexists(other.path):
            continue
        if other.scope == MANAGED:
            yield f"the administrator's file `{other.path}` decides: {client.title} reads no other"
            return
        entry = servers_in(client, other).get(name)
        if entry is not None:
            server = server_of(entry)
            starts = f", and starts `{server.command}`" if server else ""
            condition = ""
            # It comes later, but this one does not count before it is approved.
            if not is_above:
                condition = "until you approve this one, "
            elif waits(client, other, name, project):
                condition = "once it is approved, "
            file = _short(other.path, project)
            change = remedy(client, other, name)
            change = change if "`" in change else f"`{change}`"
            yield (
                f"in this project, {condition}`{file}` takes precedence{starts};"
                f" to use the entry of this file: {change}"
            )
            if is_above and not waits(client, other, name, project):
                return


def _short(path: Path, project: Path) -> Path:
    """Return a path from the folder of the project, if it is below."""
    return path.relative_to(project) if project in path.parents else path


def remedy(client: Client, place: ServersFile, name: str) -> str:
    """Return what takes a server out of a place."""
    if place.scope == LOCAL:
        return f"claude mcp remove {name} -s local"
    if place.scope not in (PROJECT, USER):
        return f"take `{name}` out of that file"
    return change_command(client, place, name, "--remove")


def change_command(client: Client, place: ServersFile, name: str, change: str) -> str:
    """Return the command that changes a server in a file, typed in this folder."""
    words = ["leanspec-launcher", "mcp-config", name_of(client), change]
    words += ["--scope", place.scope]
    here = Path.cwd()
    if place.scope == PROJECT and place.folder not in (Path(), project_above(here) or here):
        words += ["--project", str(place.folder)]
    if name != NAME:
        words += ["--name", name]
    return shown([words])

"""Choice of the command that a file gets: this machine's or anybody's, and in which folder it starts."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from leanspec_launcher.commands import CommandError

from .places import PROJECT, project_above
from .server import (
    PORTABLE,
    ServerCommand,
    ends,
    has_uvx,
    in_folder,
    must_be_utf_8,
    pinned,
    this_server,
)
from .table import Client, ServerFolder


@dataclass(frozen=True)
class ChangeOptions:
    """Options of `mcp-config`, by their names on the command line."""

    write: bool
    every: bool
    policy: bool
    link: bool
    project: Path | None
    scope: str | None
    name: str
    remove: bool
    portable: bool | None
    pin: bool
    enable: bool
    yes: bool
    dry_run: bool
    force: bool

    @property
    def is_change(self) -> bool:
        """Whether a file is to be changed."""
        return self.write or self.remove

    @property
    def folder(self) -> Path:
        """The folder of the project: the one that is named, or that this folder is in."""
        here = Path.cwd()
        return (self.project or project_above(here) or here).absolute()


def choose(client: Client, scope: str, options: ChangeOptions) -> tuple[ServerCommand, str]:
    """Return the command for a client's file of a scope, and why it is this one.

    Raises CommandError if this installation has no such command, or if a folder is needed, and none is
    known.
    """
    folder = _folder(client, scope, options)
    is_portable = options.portable
    if is_portable is None:
        # A team shares a project's file, and has no path in common, but may have uv.
        is_shared = scope == PROJECT and not os.path.isabs(folder) and has_uvx()
        is_portable = is_shared or options.pin
    server = PORTABLE if is_portable else this_server()
    if is_portable and options.pin:
        server = pinned(server)
    if folder:
        server = (
            replace(server, cwd=folder) if client.has_cwd else in_folder(server, folder)
        )
    must_be_utf_8(server)
    if client.expands:
        _must_be_literal(client, server)
    return server, _reason(server, scope, folder, is_portable=is_portable)


def _must_be_literal(client: Client, server: ServerCommand) -> None:
    """Raise CommandError if a client would read a path as something else than it is."""
    for text in (*server.words, server.cwd):
        if os.path.isabs(text) and re.search(client.expands, text):
            raise CommandError(
                f"`{text}` contains a sign that {client.title} would take for a variable",
                hint="move the project, or install lean-spec, to a path without this sign",
            )


def _folder(client: Client, scope: str, options: ChangeOptions) -> str:
    """Return the folder that an entry has to name; empty if the client starts the server in the project."""
    start, variable = client.start, client.folder
    if scope == PROJECT:
        start, variable = client.start_in_project, client.folder_in_project
    elif options.project:
        return str(options.folder)
    if start is ServerFolder.PROJECT:
        return ""
    if variable:
        return variable
    if scope == PROJECT:
        # The client starts it elsewhere, and has no variable for the project's folder.
        return str(options.folder)
    project = project_above(Path.cwd())
    if project is None:
        raise CommandError(
            f"`{Path.cwd()}` is not in a project, and {client.title} starts servers {start.value}",
            hint=f"leanspec-launcher mcp-config {client.name} --write --project FOLDER",
        )
    return str(project)


def _reason(server: ServerCommand, scope: str, folder: str, *, is_portable: bool) -> str:
    """Return why a file gets this command, for the one who is asked."""
    if is_portable:
        return "`uvx` finds the server on every machine that has uv (`--absolute` names this installation)"
    if ends(server.command):
        return (
            "every upgrade moves this installation: type this command again after each one"
        )
    if scope != PROJECT:
        return "the path is this installation's own, because an editor may not know your `PATH`"
    if os.path.isabs(folder):
        return f"the entry names `{folder}`, so it works only on this machine: keep it out of version control"
    reason = "" if has_uvx() else ", because uvx is not installed here"
    return (
        f"this entry works only on this machine{reason}; `--portable` writes one for every"
        " machine with uv"
    )

"""What an MCP client is told to start: the absolute path of this installation's own command. No Node, no `PATH`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leanspec_launcher import _installer
from leanspec_launcher._families import FAMILIES
from leanspec_launcher._pins import VERSION
from leanspec_launcher._platforms import Platform

from . import links
from .errors import CommandError

NAME = "leanspec"
# client -> the table that it keeps its servers in, and what it wants to be told beside the command
CLIENTS: dict[str, tuple[str, dict[str, str]]] = {
    "claude": ("mcpServers", {}),
    "cursor": ("mcpServers", {}),
    "gemini": ("mcpServers", {}),
    "vscode": ("servers", {"type": "stdio"}),
    "windsurf": ("mcpServers", {}),
}


def configuration(client: str, project: Path | None, platform: Platform) -> dict[str, Any]:
    """Return the configuration that lets a client start the server, in a project's folder where one is given.

    Raises CommandError where this installation has no such command.
    """
    table, more = CLIENTS[client]
    server = _command(platform)
    if project is not None:
        server = _in_folder(server, str(project.absolute()), platform)
    return {table: {NAME: more | server}}


def _in_folder(server: dict[str, Any], folder: str, platform: Platform) -> dict[str, Any]:
    """Let a server start in a folder: 0.3.0 finds a project in no other way.

    Clients start one anywhere, and some ignore `cwd` (Claude Code, Cursor). Where there is a shell, it goes there, and
    then becomes the server.
    """
    if platform.system == "win32":
        return server | {"cwd": folder}
    script = 'cd "$1" && shift && exec "$@"'
    return {"command": "/bin/sh", "args": ["-c", script, "sh", folder, server["command"], *server["args"]]}


def _command(platform: Platform) -> dict[str, Any]:
    program = FAMILIES["mcp"].program
    if _installer.installer() == "uvx":
        # Its environment lies in a cache that may be cleaned at any time.
        return {"command": "uvx", "args": ["--from", f"{_installer.MAIN}=={VERSION}", program]}
    found = next((each for each in links.commands(platform) if each.name == program), None)
    if found is None or found.state == links.ABSENT:
        raise CommandError(f"this installation has no command `{program}`", hint=links.REINSTALL)
    return {"command": str(found.path), "args": []}

"""What an MCP client is told to start: the absolute path of this installation's own command. No Node, no `PATH`."""

from __future__ import annotations

import base64
import json
import os
import site
import sys
import sysconfig
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from leanspec_launcher._search import SITE
from leanspec_launcher._tables import FAMILIES, VERSION, Platform
from leanspec_launcher.diagnosis import installer
from leanspec_launcher.diagnosis.errors import CommandError
from leanspec_launcher.diagnosis.installer import Installer

from . import links

NAME = "leanspec"
# client -> the table that it keeps its servers in, and what it wants to be told in addition to the
# command
CLIENTS: dict[str, tuple[str, dict[str, str]]] = {
    "claude": ("mcpServers", {}),
    "cursor": ("mcpServers", {}),
    "gemini": ("mcpServers", {}),
    "vscode": ("servers", {"type": "stdio"}),
    "windsurf": ("mcpServers", {}),
}
# How an archive is told to start the server instead of its own command.
ARCHIVES = {
    Installer.PEX: {"PEX_SCRIPT": FAMILIES["mcp"].program},
    Installer.SHIV: {"SHIV_ENTRY_POINT": "leanspec_launcher:mcp"},
}
# Keeps the working directory, which a client chooses, out of the folders that Python imports from.
SAFE_PATH = "-P" if sys.version_info >= (3, 11) else "-I"


def configuration(
    client: str, project: Path | None, platform: Platform | None
) -> dict[str, Any]:
    """Return the configuration that lets a client start the server, in a project's folder if one is given.

    Raises CommandError if this installation has no such command.
    """
    table, more = CLIENTS[client]
    server = _command(platform)
    if project is not None:
        server = _in_folder(server, str(project.absolute()))
    return {table: {NAME: more | server}}


def install_link(client: str) -> str:
    """Return the address of a page that offers to add the server to a client.

    It starts `uvx leanspec-mcp`: a link is for any machine, so it names no path of this one. Raises
    CommandError for a client that has no such page.
    """
    server = {"command": "uvx", "args": [FAMILIES["mcp"].program]}
    text = json.dumps(server, separators=(",", ":"))
    if client == "vscode":
        query = urlencode({"name": NAME, "config": text})
        return f"https://vscode.dev/redirect/mcp/install?{query}"
    if client == "cursor":
        query = urlencode(
            {"name": NAME, "config": base64.b64encode(text.encode()).decode()}
        )
        return f"https://cursor.com/install-mcp?{query}"
    raise CommandError(
        f"`{client}` has no page that adds a server",
        hint=f"leanspec-launcher mcp-config {client}",
    )


def _in_folder(server: dict[str, Any], folder: str) -> dict[str, Any]:
    """Let a server start in a folder: 0.3.0 finds a project in no other way.

    Clients start one anywhere, and some ignore `cwd` (Claude Code, Cursor). If there is a shell, it
    goes there, and then becomes the server.
    """
    if sys.platform == "win32":
        return server | {"cwd": folder}
    script = 'cd "$1" && shift && exec "$@"'
    arguments = ["-c", script, "sh", folder, server["command"], *server["args"]]
    return server | {"command": "/bin/sh", "args": arguments}


def _command(platform: Platform | None) -> dict[str, Any]:
    program = FAMILIES["mcp"].program
    kind = installer.installer()
    # Environments that lie in a cache, which may be cleaned at any time.
    if kind is Installer.UVX:
        return {"command": _uvx(), "args": [f"{program}@{VERSION}"]}
    if kind is Installer.PIPX_RUN:
        pipx = installer.program("pipx") or "pipx"
        return {"command": pipx, "args": ["run", f"{program}=={VERSION}"]}
    if kind in ARCHIVES:
        archive = os.path.abspath(os.environ.get("PEX") or sys.argv[0])
        return {"command": archive, "args": [], "env": ARCHIVES[kind]}
    found = next((each for each in links.commands(platform) if each.name == program), None)
    if found is None or found.state is links.State.ABSENT:
        raise CommandError(
            f"this installation has no command `{program}`", hint=links.REINSTALL
        )
    if sys.platform == "win32" and _is_importable():
        # The installer's `.exe` is not signed, which Smart App Control may refuse; Python's is.
        arguments = [SAFE_PATH, "-m", "leanspec_launcher", "mcp"]
        return {"command": sys.executable, "args": arguments}
    return {"command": str(found.path), "args": []}


def _uvx() -> str:
    """Return the path of uvx, which an editor would not find: it does not know the shell's `PATH`.

    uv says in `UV` where it is; uvx is next to it.
    """
    uv = os.environ.get("UV", "")
    if uv:
        beside = os.path.join(os.path.dirname(uv), f"uvx{os.path.splitext(uv)[1]}")
        if os.path.isabs(beside) and os.path.isfile(beside):
            return beside
    return installer.program("uvx") or "uvx"


def _is_importable() -> bool:
    """Tell whether this Python finds the launcher by itself, in a place of its own."""
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    if SAFE_PATH == "-P":  # `-I` leaves the user's own packages out
        places.add(site.getusersitepackages())
    return os.path.realpath(SITE) in map(os.path.realpath, places)

"""Command of the MCP server for a client: an absolute path of this installation. No Node, no `PATH`."""

from __future__ import annotations

import base64
import json
import os
import site
import sys
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from leanspec_launcher._search import SITE
from leanspec_launcher._tables import FAMILIES, Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.table import in_use
from leanspec_launcher.installers.words import words
from leanspec_launcher.manage import link
from leanspec_launcher.processes import SAFE_PATH

from .table import NAME, Client, Shape

SHELL, GO_THERE = "/bin/sh", 'cd "$1" && shift && exec "$@"'
# The same where there is no shell, as in an image with nothing but its programs.
GO_BY_PYTHON = "import os, sys; os.chdir(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])"
# Seconds that Goose gives a call.
GOOSE_TIMEOUT = 300


@dataclass(frozen=True)
class Server:
    """A command of the MCP server, for a client."""

    command: str
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = ""


# For any machine: a file that a team shares, and a link, name no path of this one.
PORTABLE = Server("uvx", (FAMILIES["mcp"].program,))


def server(
    project: Path | None, platform: Platform | None, *, portable: bool = False
) -> Server:
    """Return how this installation's server is started, in a project's folder if one is given.

    Raises CommandError if this installation has no such command, or if it lies where no
    configuration could name it.
    """
    result = PORTABLE if portable else _command(platform)
    if project is not None and not portable:
        result = _in_folder(result, str(project.absolute()))
    for text in (result.command, *result.args, result.cwd):
        try:
            text.encode()
        except UnicodeEncodeError:  # noqa: PERF203 - a few texts
            raise CommandError(
                f"`{os.fsencode(text).decode('utf-8', 'backslashreplace')}` is not UTF-8, and a"
                " configuration is",
                hint="install lean-spec, and keep the project, in a folder with a name in UTF-8",
            ) from None
    return result


def describe(client: Client, started: Server) -> dict[str, Any]:
    """Return a server in a client's own words."""
    env = dict(started.env)
    described: dict[str, Any] = dict(client.more)
    if client.shape is Shape.LIST:
        described["command"] = [started.command, *started.args]
        described |= {"environment": env} if env else {}
    elif client.shape is Shape.GOOSE:
        described |= {"name": NAME, "type": "stdio", "enabled": True}
        described |= {"cmd": started.command, "args": list(started.args), "envs": env}
        described["timeout"] = GOOSE_TIMEOUT
    else:
        described |= {"command": started.command, "args": list(started.args)}
        described |= {"env": env} if env else {}
    if started.cwd:
        described["cwd"] = started.cwd
    return described


def install_link(client: str) -> str:
    """Return the address of a page that offers to add the server to a client.

    It starts `uvx leanspec-mcp`: a link is for any machine, so it names no path of this one. Raises
    CommandError for a client that has no such page.
    """
    described = {"command": PORTABLE.command, "args": list(PORTABLE.args)}
    text = json.dumps(described, separators=(",", ":"))
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


def _in_folder(started: Server, folder: str) -> Server:
    """Let a server start in a folder: 0.3.0 finds a project in no other way.

    Clients start one anywhere, and some ignore `cwd` (Claude Code, Cursor). A shell goes there, and
    then becomes the server.
    """
    if sys.platform == "win32":
        return replace(started, cwd=folder)
    program, words = SHELL, ("-c", GO_THERE, "sh")
    if not os.access(SHELL, os.X_OK):
        # Not the link in an environment, which may lie in a cache.
        program, words = os.path.realpath(sys.executable), ("-I", "-c", GO_BY_PYTHON)
    arguments = (*words, folder, started.command, *started.args)
    return replace(started, command=program, args=arguments)


def _command(platform: Platform | None) -> Server:
    program = FAMILIES["mcp"].program
    installer = in_use()
    if installer.server:
        path, *arguments = words(installer.server, FAMILIES["mcp"])
        return Server(path, tuple(arguments))
    if any(installer.entry):
        archive = os.path.abspath(os.environ.get("PEX") or sys.argv[0])
        return Server(archive, (), (installer.entry,))
    script = next((each for each in link.commands(platform) if each.name == program), None)
    if script is None or script.state is link.State.ABSENT:
        raise CommandError(
            f"this installation has no command `{program}`", hint=link.REINSTALL
        )
    if sys.platform == "win32" and _is_importable():
        # The installer's `.exe` is not signed, which Smart App Control may refuse; Python's is.
        options = SAFE_PATH or ["-I"]
        return Server(sys.executable, (*options, "-m", "leanspec_launcher", "mcp"))
    return Server(str(script.path), ())


def _is_importable() -> bool:
    """Tell whether this Python finds the launcher by itself, in a place of its own."""
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    if SAFE_PATH:  # `-I` leaves the user's own packages out
        places.add(site.getusersitepackages())
    return os.path.realpath(SITE) in map(os.path.realpath, places)

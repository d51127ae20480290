"""Entry of the server in a client's own words: made, joined with what is there, and read again."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from leanspec_launcher.commands import CommandError

from .places import is_project
from .server import MCP_COMMAND, PORTABLE, ServerCommand, out_of_folder
from .table import NAME, Client, Shape

# Members of an entry for a server of another kind: one that is reached by an address.
OF_ANOTHER_KIND = (
    *("url", "serverUrl", "httpUrl", "uri", "tcp", "headers", "http_headers"),
    *("env_http_headers", "bearer_token_env_var", "bearer_token", "oauth", "oauthClient"),
    *("requestOptions", "authProviderType", "transport", "transportType"),
)
# The types of a server that a client starts.
STARTED = ("stdio", "local")
# Seconds that Goose gives a call.
GOOSE_TIMEOUT = 300
# Programs that start a package of a registry.
RUNNERS_OF_NODE = ("npx", "npm", "bunx", "bun", "pnpm", "yarn")
RUNNERS = (*RUNNERS_OF_NODE, "uvx", "uv", "pipx")
PACKAGE = re.compile(
    r"(?:@leanspec/[\w-]+|lean-?spec(?:-mcp)?)(?:\[[\w,]*\])?(?:(?:@|==).*)?"
)
OF_NODE = re.compile(r".*[/\\](?:@leanspec[/\\]mcp|leanspec-mcp)[/\\].*")
LAUNCHER = ["-m", "leanspec_launcher"]


def describe(client: Client, server: ServerCommand) -> dict[str, Any]:
    """Return a server in a client's own words."""
    env = dict(server.env)
    entry: dict[str, Any] = dict(client.kind)
    if client.shape is Shape.LIST:
        entry["command"] = server.words
        entry |= {"environment": env} if env else {}
    elif client.shape is Shape.GOOSE:
        entry |= {"name": NAME, "type": "stdio", "enabled": True}
        entry |= {"cmd": server.command, "args": list(server.args), "envs": env}
        entry["timeout"] = GOOSE_TIMEOUT
    else:
        entry |= {"command": server.command, "args": list(server.args)}
        entry |= {"env": env} if env else {}
    if server.cwd:
        entry["cwd"] = server.cwd
    return entry


def join(
    client: Client,
    old: Any,  # noqa: ANN401 - whatever stands there
    server: ServerCommand,
    *,
    enable: bool,
) -> tuple[dict[str, Any], list[str]]:
    """Return the entry of a server for the place of an older one, and remarks: what the user has added stays.

    A switch stays off, unless it is to be switched on.
    """
    new = describe(client, server)
    if not isinstance(old, dict):
        return {**dict(client.new_entry), **new}, []
    entry = dict(old)
    remarks = [*_other_project(entry, server), *_without_surplus(entry, new, server)]
    if enable and client.joins_members:
        # Another file may switch it off.
        new = {**{key: True for key, value in client.off if value is False}, **new}
    off = switch(client, entry)
    if off and enable:
        del entry[off]
        new = {**{key: on for key, on in client.new_entry if key == off}, **new}
        remarks.append("it is switched on")
    elif off:
        remarks.append(f"it stays switched off, by `{off}`: `--enable` switches it on")
    return entry | new, remarks


def _other_project(old: dict[str, Any], server: ServerCommand) -> Iterator[str]:
    """Say that the server of another project goes, for clients that have one folder per entry."""
    former = server_of(old)
    folder = out_of_folder(former)[1] if former else ""
    new_folder = out_of_folder(server)[1]
    if folder and new_folder not in ("", folder) and is_project(Path(folder)):
        yield f"the server of `{folder}` is replaced: another `--name` keeps both"


def _without_surplus(
    entry: dict[str, Any], new: dict[str, Any], server: ServerCommand
) -> Iterator[str]:
    """Take out of an entry what cannot belong to our server; yield a word on each."""
    for key in OF_ANOTHER_KIND:
        if key in entry and key not in new:
            del entry[key]
            yield f"`{key}` is removed: it belongs to a server of another kind"
    if "type" in entry and "type" not in new and entry["type"] not in STARTED:
        del entry["type"]
        yield "`type` is removed: it is for a server of another kind"
    cwd = entry.get("cwd")
    if isinstance(cwd, str) and "cwd" not in new:
        is_wrong = os.path.isabs(cwd) and not is_project(Path(cwd))
        if is_wrong or out_of_folder(server)[1]:
            del entry["cwd"]
            yield f"`cwd` is removed: `{cwd}` is not the project"


def switch(client: Client, entry: Any) -> str:  # noqa: ANN401 - whatever stands there
    """Return the member that switches an entry off; empty if none does."""
    for key, value in client.off:
        if isinstance(entry, dict) and entry.get(key) is value:
            return key
    return ""


def server_of(entry: Any) -> ServerCommand | None:  # noqa: ANN401 - whatever stands there
    """Return the command that an entry names, in whichever client's words; None if it names none."""
    if not isinstance(entry, dict):
        return None
    transport = entry.get("transport")
    members: dict[str, Any] = dict(entry)
    if isinstance(transport, dict):
        members.update(transport)
    command, more = members.get("command") or members.get("cmd"), members.get("args")
    if isinstance(command, dict):  # Zed, before 2025-11
        members = command
        command, more = members.get("path"), members.get("args")
    words = command if isinstance(command, list) else [command]
    words = words + (more if isinstance(more, list) else [])
    texts = [word for word in words if isinstance(word, str)]
    cwd = members.get("cwd")
    if not texts:
        return None
    return ServerCommand(
        texts[0], tuple(texts[1:]), cwd=cwd if isinstance(cwd, str) else ""
    )


def is_ours(server: ServerCommand) -> bool:
    """Tell whether a command starts this server, whichever release or package of it."""
    words = out_of_folder(server)[0].words
    name = _name(words[0])
    if name == MCP_COMMAND:
        return True
    if name in RUNNERS:
        return any(PACKAGE.fullmatch(word) for word in words[1:])
    if name.startswith("python"):
        return LAUNCHER in (words[start : start + 2] for start in range(1, len(words)))
    if name.startswith("node"):
        return any(OF_NODE.fullmatch(word) for word in words[1:])
    return name == "lean-spec" and words[1:2] == ["mcp"]


def is_written(server: ServerCommand) -> bool:
    """Tell whether `--write` makes such a command: ours alone, or by uvx, pipx or Python, with nothing added."""
    inner = out_of_folder(server)[0]
    name = _name(inner.command)
    if name == MCP_COMMAND:
        return not inner.args
    if name.startswith("python"):
        return list(inner.args[-3:]) == [*LAUNCHER, "mcp"]
    package = inner.args[-1] if inner.args else ""
    is_runner = name in ("uvx", "pipx") and inner.args[:-1] in ((), ("run",))
    return is_runner and bool(PACKAGE.fullmatch(package))


def address_of(entry: Any) -> str:  # noqa: ANN401 - whatever stands there
    """Return the member by which an entry names an address, and not a command alone; empty if none does."""
    members = entry if isinstance(entry, dict) else {}
    return next((key for key in ("url", "httpUrl", "serverUrl") if key in members), "")


def is_server(entry: Any) -> bool:  # noqa: ANN401 - whatever stands there
    """Tell whether something is an entry of a server, of whichever kind."""
    return server_of(entry) is not None or bool(address_of(entry))


def is_by_node(server: ServerCommand) -> bool:
    """Tell whether a command needs Node.js."""
    return _name(server.command) in (*RUNNERS_OF_NODE, "node")


def _name(path: str) -> str:
    """Return the name of a program, on whichever system: without its folder, and without `.exe` or `.cmd`."""
    name = re.split(r"[/\\]", path)[-1].lower()
    return re.sub(r"\.(?:exe|cmd|bat|ps1)$", "", name)


def install_link(client: str) -> str:
    """Return the address of a page that offers to add the server to a client.

    It starts `uvx leanspec-mcp`: a link is for any machine, so it names no path of this one. Raises
    CommandError for a client that has no such page.
    """
    entry = {"command": PORTABLE.command, "args": list(PORTABLE.args)}
    text = json.dumps(entry, separators=(",", ":"))
    pages = {
        "vscode": ("https://vscode.dev/redirect/mcp/install", text),
        "cursor": (
            "https://cursor.com/install-mcp",
            base64.b64encode(text.encode()).decode(),
        ),
    }
    if client not in pages:
        raise CommandError(
            f"`{client}` has no page that adds a server",
            hint=f"leanspec-launcher mcp-config {client}",
        )
    page, config = pages[client]
    return f"{page}?{urlencode({'name': NAME, 'config': config})}"

"""Files of MCP clients for tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from leanspec_launcher.manage.clients.configured import Configured, configured

PROGRAM = "/an environment/bin/leanspec-mcp"
NPX = {"command": "npx", "args": ["-y", "@leanspec/mcp"]}
STDIO = {"type": "stdio", "command": "uvx", "args": ["leanspec-mcp"]}
TEAM = {"mcpServers": {"team": {"type": "local", "command": "/bin/cat", "args": []}}}
# A program that is there, and is called like ours.
ENDURING = "${HOME}/leanspec-mcp"
Ask = Callable[..., Result]


def configured_as(client: str) -> list[Configured]:
    """Return what `doctor` finds for a client in this folder."""
    return [entry for entry in configured(Path.cwd()) if entry.client == client]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def quoted(path: Path) -> str:
    """Return a path as it stands between the quotes of JSON and TOML."""
    return json.dumps(str(path))[1:-1]


def put(path: Path, entry: object, name: str = "leanspec") -> Path:
    """Write a file with one server."""
    return write(path, json.dumps({"mcpServers": {name: entry}}))


def entry_in(path: Path, *table: str) -> dict[str, object]:
    """Return the server's entry in a file."""
    value = json.loads(path.read_text())
    for key in table or ("mcpServers",):
        value = value[key]
    entry: dict[str, object] = value["leanspec"]
    return entry


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, and every folder, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }

"""Files of MCP clients for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

PROGRAM = "/an environment/bin/leanspec-mcp"
Ask = Callable[..., Result]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, and every folder, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }

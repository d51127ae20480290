"""The root `pyproject.toml`: its whole text as tables, and the table of the release plan."""

import tomllib
from pathlib import Path
from typing import Any

from scripts.environment import ROOT


def read_manifest(path: Path = ROOT / "pyproject.toml") -> dict[str, Any]:
    """Return the tables of a `pyproject.toml`."""
    return tomllib.loads(path.read_text("utf-8"))


def release_table(root: Path = ROOT) -> dict[str, Any]:
    """Return the table `[tool.leanspec-release]` of a tree."""
    table: dict[str, Any] = read_manifest(root / "pyproject.toml")["tool"]
    return dict(table["leanspec-release"])

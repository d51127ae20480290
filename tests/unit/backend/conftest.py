"""A small project for the backend, which a test may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.environment import ROOT
from tests.support import headers
from tests.support.sample import STATED, Sample
from tests.support.tool import MANIFEST, Tool
from tests.support.versions import OURS


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """Return a copy of the cli program's project with a small program for linux-x64."""
    source = ROOT / "platform_wheels/cli"
    shutil.copytree(
        source,
        tmp_path / "sample",
        ignore=shutil.ignore_patterns("binaries", "bin", "__pycache__"),
    )
    project = Sample(tmp_path / "sample")
    project.edit(f'version = "{OURS}"', STATED)
    project.collect(headers.elf())
    return project


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """Return a project of one program, which is not built yet."""
    root = tmp_path / "a tool"
    root.mkdir()
    (root / "pyproject.toml").write_text(MANIFEST, "utf-8")
    return Tool(root)

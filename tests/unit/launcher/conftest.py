"""A launcher with pins of its own, next to small programs that say what they see."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.environment import ROOT
from tests.support.site import Site
from tests.support.surroundings import clean


@pytest.fixture
def site(tmp_path: Path) -> Site:
    root = tmp_path / "site packages"
    shutil.copytree(
        ROOT / "leanspec_launcher",
        root / "leanspec_launcher",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return Site(root, clean(tmp_path / "home"))

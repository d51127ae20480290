"""A release that passes every gate, and its plan."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.gates import same_bytes
from scripts.model.plan import Plan
from tests.support.releases import plan_of_this_machine


@pytest.fixture
def dist(stand_in: Path, tmp_path: Path) -> Path:
    """Return a copy of a release that passes, which a test may break."""
    shutil.copytree(stand_in / "dist", tmp_path / "dist")
    return tmp_path / "dist"


@pytest.fixture
def plan(released_tree: Path) -> Plan:
    return plan_of_this_machine(released_tree)


@pytest.fixture
def built(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tree build what it built before, without the ten seconds that this takes."""

    @contextlib.contextmanager
    def rebuilt(*_: object, **__: object) -> Iterator[Path]:
        yield stand_in / "dist"

    monkeypatch.setattr(same_bytes, "rebuilt", rebuilt)

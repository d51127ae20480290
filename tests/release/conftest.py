"""The stage of a rehearsal: the real programs, on a real index server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.environment import ROOT
from scripts.model.programs import PROJECTS
from tests.support import devpi
from tests.support.devpi import USER, Devpi
from tests.support.stage import Stage
from tests.support.tree_copy import copy_tree
from tests.support.wheel_files import required


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devpi]:
    with devpi.running(tmp_path_factory.mktemp("devpi")) as server:
        yield server


@pytest.fixture(scope="session")
def stage(
    server: Devpi,
    released_tree: Path,
    binaries: Path,
    wheelhouse: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stage:
    """Return a copy of the project on its tag, with grafted wheels of the real programs and pages."""
    folder = tmp_path_factory.mktemp("stage")
    stage = Stage(folder, server, folder / "tree", folder / "dist")
    copy_tree(stage.tree, released_tree)
    shutil.copytree(binaries, stage.tree / PROJECTS.relative_to(ROOT), dirs_exist_ok=True)
    stage.run("bump")
    stage.run("collect", "pages")
    stage.build()
    server.upload(server.make_index("base"), *required(wheelhouse))
    return stage


@pytest.fixture
def url(server: Devpi, request: pytest.FixtureRequest) -> str:
    """Return an empty index for a test."""
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    return server.make_index(name, f"{USER}/base")

"""A launcher with pins of its own, next to small programs that say what they see."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.installation import Installation, install
from tests.support.site import Site, copy_launcher
from tests.support.surroundings import clean, once


@pytest.fixture(scope="session")
def launcher(shared: Path) -> Path:
    """Return a folder with a launcher that was compiled, for all tests of this run."""
    return once(shared / "launcher", copy_launcher)


@pytest.fixture
def site(launcher: Path, tmp_path: Path) -> Site:
    """Return a site of links to that launcher: `write_module` puts new files in their places."""
    root = tmp_path / "site packages"
    shutil.copytree(launcher, root, copy_function=os.link)
    return Site(root, clean(tmp_path / "home"))


@pytest.fixture
def installed(site: Site, tmp_path: Path) -> Installation:
    """Return a site with its record, its scripts and an installer."""
    return install(site, tmp_path)

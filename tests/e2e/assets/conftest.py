"""Artifacts of a run, the release that is assembled from them, and a GitHub to upload it to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from minisign import KeyPair, SecretKey

from scripts.collect.bundles import write_checksum
from scripts.github.assemble import assemble, assemble_addition
from scripts.github.assembled import sign_assembled
from scripts.github.listing import Listing
from scripts.model.plan import Plan, read_plan
from scripts.tools.processes import OWN_COMMAND
from tests.support.assets import LATER, AssetsCommand
from tests.support.desktop import make_deb
from tests.support.github import GitHub, serving, write_assets
from tests.support.keys import without_password
from tests.support.preconditions import require
from tests.support.releases import write_tagged_tree
from tests.support.surroundings import clean, once, run


@pytest.fixture(scope="session")
def key(shared: Path) -> SecretKey:
    def make(folder: Path) -> None:
        key = KeyPair.generate().secret_key
        (folder / "key").write_text(without_password(key))

    text = (once(shared / "signing-key", make) / "key").read_text()
    return SecretKey.from_bytes(text.encode().strip())


def lay_out(folder: Path, binaries: Path, dist: Path, version: str) -> None:
    """Lay out the artifacts of a run as GitHub's actions leave them: no file has a run bit."""
    shutil.copytree(binaries, folder / "binaries-linux-x64")
    shutil.copytree(dist, folder / "dist")
    program = next((binaries / "cli").rglob("leanspec")).read_bytes()
    place = folder / "desktop-linux-x64"
    place.mkdir()
    bundle = make_deb(place / f"LeanSpec_{version}_amd64.deb", version, "amd64", program)
    write_checksum(bundle)
    shutil.rmtree(place / f"{bundle.name}.tree")
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)


@pytest.fixture(scope="session")
def real_artifacts(shared: Path, binaries: Path, grafted: Path, version: str) -> Path:
    """Return the artifacts of a run with the real programs."""
    place = shared / "real-artifacts"
    return once(place, lambda folder: lay_out(folder, binaries, grafted, version))


@pytest.fixture(scope="session")
def artifacts(shared: Path, stand_in: Path, version: str) -> Path:
    """Return the artifacts of a run with small programs."""
    binaries, dist = stand_in / "binaries", stand_in / "dist"
    return once(
        shared / "artifacts", lambda folder: lay_out(folder, binaries, dist, version)
    )


@pytest.fixture(scope="session")
def tree(shared: Path, released_tree: Path, key: SecretKey) -> Path:
    """Return a copy of the project on its tag, which states a key and expects a desktop bundle."""
    public = key.get_public_key()
    return once(
        shared / "tagged-tree",
        lambda folder: write_tagged_tree(folder, released_tree, public),
    )


@pytest.fixture(scope="session")
def plan(tree: Path) -> Plan:
    return read_plan(tree)


@pytest.fixture(scope="session")
def assets(shared: Path, artifacts: Path, plan: Plan, key: SecretKey, tree: Path) -> Path:
    """Return the folder of a release of small programs."""

    def make(folder: Path) -> None:
        assemble(artifacts, folder, plan, tree)
        sign_assembled(folder, plan, key, Listing(), tree)

    return once(shared / "assets", make)


@pytest.fixture(scope="session")
def real_assets(
    shared: Path, real_artifacts: Path, plan: Plan, key: SecretKey, tree: Path
) -> Path:
    """Return the folder of a release of the real programs."""

    def make(folder: Path) -> None:
        assemble(real_artifacts, folder, plan, tree)
        sign_assembled(folder, plan, key, Listing(), tree)

    return once(shared / "real-assets", make)


@pytest.fixture
def spoiled(tmp_path: Path, artifacts: Path) -> Path:
    """Return a copy of the artifacts, to be spoiled."""
    return Path(shutil.copytree(artifacts, tmp_path / "artifacts"))


@pytest.fixture
def github(version: str) -> Iterator[GitHub]:
    require("gh")
    with serving(GitHub(tags={f"v{version}"})) as server:
        yield server


@pytest.fixture
def few(tmp_path: Path, version: str, key: SecretKey) -> Path:
    """Return the folder of a release of one archive, to be uploaded or spoiled."""
    return write_assets(tmp_path / "few", version, key)


@pytest.fixture
def upload(few: Path, tree: Path, github: GitHub, tmp_path: Path) -> AssetsCommand:
    """Return `assets --upload` of a few assets, in the copy, as a maintainer runs it."""

    def call(
        *arguments: str | Path, folder: Path = few, mode: str = "--upload", **settings: str
    ) -> CompletedProcess[str]:
        variables = github.environment() | settings
        env = clean(tmp_path / "home", **variables, PYTHONPATH=str(tree))
        command = [*OWN_COMMAND, "assets", mode, "--out", folder, *arguments]
        return run(command, env, cwd=tree, code=None)

    return call


@pytest.fixture
def publish(upload: AssetsCommand) -> AssetsCommand:
    """Return `assets --publish`, in the same way."""
    return partial(upload, mode="--publish")


@pytest.fixture
def added(tmp_path: Path, artifacts: Path, plan: Plan, key: SecretKey, tree: Path) -> Path:
    """Return the folder of a desktop bundle that comes later."""
    folder = tmp_path / "added"
    assemble_addition(artifacts, folder, plan, LATER, tree)
    sign_assembled(folder, plan, key, LATER, tree)
    return folder

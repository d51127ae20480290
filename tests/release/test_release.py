"""A release of the real programs to a real index, without a fault: `python3 -m scripts rehearse`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.devpi import USER, Devpi
from tests.support.installers import Installation
from tests.support.stage import INSTALLERS, Stage, must_install_upgrade_and_uninstall

pytestmark = [pytest.mark.network, pytest.mark.slow]
PRE_RELEASE = ("pre-release", "--skip-rust", "--skip-tests", "--repair", "auditwheel")


@pytest.fixture(scope="module")
def published(stage: Stage, server: Devpi) -> str:
    """Return an index that has the release, published with all checks."""
    url = server.make_index("published", f"{USER}/base")
    stage.run(*stage.publish(url))
    return url


@pytest.fixture(scope="module")
def fix(stage: Stage, published: str, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Return the stage of a packaging-only fix that followed the release."""
    return stage.publish_fix(published, tmp_path_factory.mktemp("fix"))


def test_pre_release_passes(stage: Stage, tmp_path: Path) -> None:
    stage.run(*PRE_RELEASE, "--dist", tmp_path)


def test_publish_dry_run_uploads_nothing(stage: Stage, url: str) -> None:
    process = stage.run(*stage.publish(url, "--dry-run"))
    assert process.stderr.count("to be uploaded") == len(stage.files)
    assert stage.served(url) == {}


def test_publish_uploads_every_file(stage: Stage, published: str) -> None:
    stage.must_be_complete(published)


def test_publish_uploads_nothing_twice(stage: Stage, published: str) -> None:
    stage.publish_again(published)


def test_bump_refuses_a_published_version(stage: Stage, published: str) -> None:
    stage.refuse_bump(published)


def test_publish_adds_a_packaging_only_fix(
    stage: Stage, published: str, fix: Stage
) -> None:
    assert len(stage.served(published)) == len(stage.files) + len(fix.files)


@pytest.mark.parametrize("kind", INSTALLERS, ids=lambda kind: kind.__name__)
def test_release_is_installed_upgraded_and_uninstalled(
    stage: Stage, published: str, fix: Stage, kind: type[Installation]
) -> None:
    installation = stage.installation(kind, published)
    must_install_upgrade_and_uninstall(installation, stage.version, fix.version)


def test_verify_release_compares_with_npm_and_a_rebuild(published: str, fix: Stage) -> None:
    fix.verify(published)

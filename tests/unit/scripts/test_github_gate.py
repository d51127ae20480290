"""What would make the GitHub release fail after the upload to the index: `check` refuses it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from minisign import KeyPair
from packaging.version import Version

from leanspec_launcher._tables import current
from scripts.github.gate import GitHubRelease
from scripts.model.files import read_files
from scripts.model.finding import Finding, to_its_end
from scripts.model.plan import Plan
from scripts.model.programs import binary_path, load_programs
from tests.support.desktop import make_deb
from tests.support.releases import plan_of_this_machine
from tests.support.versions import RELEASED


@dataclass
class Release:
    """A release that a test may break: its plan, its tree, and its folders."""

    plan: Plan
    root: Path
    dist: Path
    binaries: Path
    artifacts: Path

    def findings(self, out: Path | None = None) -> list[Finding]:
        """Run the gate, as `check` does."""
        gate = GitHubRelease(self.binaries, self.artifacts, out, self.root)
        files = read_files(self.dist)[0]
        return [*to_its_end("GitHub release", lambda: gate.check(self.plan, files))]

    def problems(self) -> list[str]:
        return [finding.actual for finding in self.findings() if not finding.passed]


@pytest.fixture
def release(released_tree: Path, stand_in: Path, tmp_path: Path) -> Release:
    root = tmp_path / "tree"
    shutil.copytree(released_tree / ".git", root / ".git")
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(released_tree / name, root)
    shutil.copytree(stand_in / "binaries", tmp_path / "binaries")
    (tmp_path / "artifacts").mkdir()
    return Release(
        plan=plan_of_this_machine(root),
        root=root,
        dist=stand_in / "dist",
        binaries=tmp_path / "binaries",
        artifacts=tmp_path / "artifacts",
    )


def test_check_assembles_the_github_release(release: Release, tmp_path: Path) -> None:
    findings = release.findings(tmp_path / "out")
    assert all(finding.passed for finding in findings)
    (keys,) = [finding for finding in findings if finding.is_gap]
    assert keys.actual == "none signs this release, as the plan says"
    expected = {"SHA256SUMS", "release.json", "RELEASE_NOTES.md"}
    assert expected <= {path.name for path in (tmp_path / "out").iterdir()}


def empty_entry(release: Release) -> None:
    changelog = f"## [{RELEASED}] - 2026-01-01\n\n## [0.2.9] - 2025-01-01\n\nNews.\n"
    (release.root / "CHANGELOG.md").write_text(changelog)


def no_entry(release: Release) -> None:
    (release.root / "CHANGELOG.md").write_text("## [Unreleased]\n\nNews.\n")


def state_key(release: Release, key: str) -> None:
    path = release.root / "pyproject.toml"
    text = path.read_text().replace('signing = "none"', f'public-key = "{key}"')
    path.write_text(text)
    release.plan = replace(release.plan, public_key=key)


def nonsense_key(release: Release) -> None:
    state_key(release, "RWQnonsense")


def nonsense_next_key(release: Release) -> None:
    path = release.root / "pyproject.toml"
    path.write_text(
        path.read_text().replace('next-public-key = ""', 'next-public-key = "x"')
    )


def lying_record(release: Release) -> None:
    (project, *_) = load_programs(("cli",))
    platform = current()
    assert platform is not None
    record = binary_path(release.binaries, project.program, platform).with_name(
        "binary.json"
    )
    content = json.loads(record.read_text()) | {"reported": "0.2.9"}
    record.write_text(json.dumps(content))


def bundle_of_another_version(release: Release) -> None:
    release.plan = replace(release.plan, bundles=("linux-x64",), no_desktop="")
    place = release.artifacts / "desktop-linux-x64"
    place.mkdir()
    make_deb(place / "LeanSpec_0.2.9_amd64.deb", "0.2.9", "amd64", b"program")


def no_binary(release: Release) -> None:
    shutil.rmtree(release.binaries / "http")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (empty_entry, f"the entry of {RELEASED} in `CHANGELOG.md` is empty"),
        (no_entry, f"`CHANGELOG.md` has no entry for {RELEASED}"),
        (nonsense_key, "this is not a minisign public key"),
        (nonsense_next_key, "this is not a minisign public key"),
        (lying_record, f"is of version `0.2.9`, the release is {RELEASED}"),
        (bundle_of_another_version, f"is of version `0.2.9`, the release is {RELEASED}"),
        (no_binary, "lacks a program for"),
    ],
)
def test_check_refuses_a_release_that_cannot_be_assembled(
    release: Release, spoil: Callable[[Release], None], words: str
) -> None:
    spoil(release)
    (problem,) = release.problems()
    assert words in problem


def test_check_shows_a_desktop_bundle_that_is_missing(release: Release) -> None:
    release.plan = replace(release.plan, bundles=("linux-x64",), no_desktop="")
    findings = release.findings()
    assert all(finding.passed for finding in findings)
    gaps = [finding.subject for finding in findings if finding.is_gap]
    assert "desktop bundle for linux-x64" in gaps


def test_check_accepts_a_plan_with_a_key(release: Release) -> None:
    state_key(release, KeyPair.generate().public_key.to_base64().decode())
    findings = release.findings()
    assert all(finding.passed and not finding.is_gap for finding in findings)


def test_a_dev_version_has_no_release_on_github(release: Release) -> None:
    release.plan = replace(release.plan, version=Version("0.3.1.dev1"))
    (finding,) = release.findings()
    assert finding.actual == "a dev version has no release on GitHub"

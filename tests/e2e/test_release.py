"""Commands of a release, used wrongly, and what they say of the plan."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher._tables import PLATFORMS
from scripts.collect.pages import PACKAGE
from scripts.environment import ROOT
from scripts.gates.pages import pages_gate
from scripts.model.files import File, FileKind, read_files
from scripts.model.version_places import home_version, planned
from scripts.model.versions import next_dev
from scripts.tools.processes import capture, clean_environment
from tests.support.releases import Scripts

PUBLISH = ("publish", "--allow-local", "--index")


def tracked_changes() -> str:
    return capture(["git", "-C", str(ROOT), "status", "--porcelain"]).stdout


@pytest.mark.network
def test_the_plan_names_what_the_real_server_lacks_for_the_real_pages(
    scripts: Scripts, dist: Path, tmp_path: Path
) -> None:
    """`collect pages` takes them from npm; the gate starts the server."""
    scripts("collect", "pages", "--into", tmp_path)
    wheel = tmp_path / "leanspec_ui-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in (tmp_path / "ui").rglob("*"):
            archive.write(path, f"{PACKAGE}/{path.relative_to(tmp_path / 'ui')}")
    files = [file for file in read_files(dist)[0] if file.kind != FileKind.PAGES]
    pages = File(wheel, FileKind.PAGES, "leanspec-ui", "1", None)
    findings = list(pages_gate([*files, pages]))
    assert [finding for finding in findings if not finding.passed] == []
    assert [finding.subject for finding in findings] == ["package", "API"]
    assert not findings[-1].is_gap, "the server was started"


@pytest.mark.parametrize(
    "arguments",
    [
        ("bump", "1.2.3", "--dev", "7"),
        ("bump", "1.2.3", "--check"),
        ("bump", "--check", "--dev", "7"),
        ("bump", "--commit"),
        ("bump", "1.2.3", "--nonsense"),
        ("bump", "--dev", "minus"),
        ("bump", "--dev=-1"),
        ("bump", "nonsense", "--offline"),
        ("bump", "0.3.0rc1.dev1", "--offline"),
        ("bump", "1.0.0+local", "--offline"),
        ("collect", "npm", "1.x"),
        ("verify-release", "nonsense", "--index", "x"),
        ("rehearse", "--only", "nonsense"),
        ("publish",),
        ("publish", "--index", "x", "--wait", "0"),
        ("verify-release",),
        ("verify-release", "1.2.3"),
        ("verify-release", "1.2.3", "--index", "x", "--against", "pypi"),
        ("bump", "--check", "--cargo", "/nowhere"),
        ("check", "unexpected"),
        ("check", "--bytes", "--github-output"),
        ("assets",),
        ("assets", "artifacts", "--dry-run"),
        ("assets", "artifacts", "--sign"),
        ("assets", "--publish", "--key", "pyproject.toml"),
        ("assets", "--publish", "--add", "desktop"),
        ("assets", "--assembled", ""),
        # An empty variable would let the gates run beside the token.
        ("publish", "--index", "x", "--checked", ""),
        ("publish", "--index", "x", "--checked", "x"),
        ("rehearse", "--faults"),
        ("matrix", "--all"),
        ("pre-release", "--repair", "magic"),
    ],
)
def test_wrong_usage_ends_with_2_and_changes_nothing(
    arguments: tuple[str, ...], scripts: Scripts
) -> None:
    before = tracked_changes()
    process = scripts(*arguments, code=2)
    assert process.stdout == ""
    assert process.stderr.startswith("error: ")
    assert " --help` explains the usage" in process.stderr
    # Click's own messages begin with a capital letter.
    assert not re.search(r"`: [A-Z]", process.stderr)
    assert tracked_changes() == before


def test_matrix_tagged_refuses_a_commit_without_the_tag(
    scripts: Scripts, version: str
) -> None:
    output = scripts("matrix", "--tagged", code=1).stdout
    assert "1 of 1 fact is wrong" in output
    assert f"hint: `git tag v{version}`" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*PUBLISH, "nowhere"), "no index called `nowhere` is configured"),
        ((*PUBLISH, "https://u:p@example.org/"), "with a secret in it"),
        (("pre-release",), "no Cargo workspace to build from is given"),
        (("check", "--dist", "/nowhere"), "there is no folder `/nowhere`"),
    ],
)
def test_a_command_that_fails_prints_one_message_and_changes_nothing(
    arguments: tuple[str, ...], words: str, scripts: Scripts
) -> None:
    before = tracked_changes()
    output = scripts(*arguments, code=1).stderr
    assert words in output
    assert "u:p" not in output
    assert tracked_changes() == before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "error: refusing to publish outside CI"),
        ({"CI": "true"}, "error: no index called `nowhere` is configured"),
    ],
)
def test_publish_outside_ci_has_to_be_allowed(
    settings: dict[str, str], words: str, scripts: Scripts
) -> None:
    env = clean_environment()
    env.pop("CI", None)
    process = scripts("publish", "--index", "nowhere", env=env | settings, code=1)
    assert words in process.stderr


def test_the_matrix_names_the_platforms_of_the_plan(scripts: Scripts) -> None:
    entries = json.loads(scripts("matrix").stdout)["include"]
    assert [entry["platform"] for entry in entries] == list(PLATFORMS)
    assert not any("latest" in entry["runner"] for entry in entries)
    targets = {entry["platform"]: entry["target"] for entry in entries}
    assert targets["linux-x64"] == "x86_64-unknown-linux-gnu.2.17"


def test_versions_agree_in_this_tree() -> None:
    places = [place for edit in planned(home_version()) for place in edit.places]
    actual = {place.subject for place in places if not place.agrees}
    assert actual <= {"heading"}, "a release gets its heading"


def test_publish_dry_run_changes_nothing(scripts: Scripts, version: str) -> None:
    before = tracked_changes()
    output = scripts("bump", "--dev", "7", "--offline", "--dry-run").stdout
    assert f"`{next_dev(Version(version), 7)}`" in output
    assert scripts("bump", "--dry-run").returncode == 0
    assert tracked_changes() == before

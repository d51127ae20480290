"""A whole release on a real index, and what its commands say when they are used wrongly."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest
from packaging.version import Version

from scripts.environment import ROOT
from scripts.model.version_places import home_version, planned
from scripts.model.versions import next_dev

Scripts = Callable[..., CompletedProcess[str]]


def tracked_changes() -> str:
    return subprocess.run(
        ["git", "status", "--porcelain"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.network
@pytest.mark.long
def test_a_release_is_rehearsed_as_it_is_meant_to_go(
    scripts: Scripts, version: str
) -> None:
    """Publish, publish again, pip, pipx, uv tool, uvx, upgrade, uninstall, verify against npm; two minutes."""
    before = tracked_changes()
    rows = json.loads(scripts("rehearse", "--json", timeout=900).stdout)
    assert [row["what"] for row in rows if not row["passed"]] == []
    assert {"publish it again", f"uvx: install and run {version}"} <= {
        row["what"] for row in rows
    }
    assert len(rows) == 15
    assert tracked_changes() == before, "nothing of this tree is changed"


@pytest.mark.network
@pytest.mark.slow
def test_every_fault_of_an_index_is_rehearsed(scripts: Scripts) -> None:
    """Some ten minutes."""
    rows = json.loads(scripts("rehearse", "--faults", "--json", timeout=3000).stdout)
    assert [(row["what"], row["saw"]) for row in rows if not row["passed"]] == []
    assert len(rows) >= 19


@pytest.mark.parametrize(
    "arguments",
    [
        ("bump",),
        ("bump", "1.2.3", "--nonsense"),
        ("bump-dev", "minus"),
        ("bump-dev", "--", "-1"),
        ("publish",),
        ("publish", "--index", "x", "--wait", "0"),
        ("verify-release",),
        ("verify-release", "1.2.3"),
        ("verify-release", "1.2.3", "--index", "x", "--against", "pypi"),
        ("sync-versions", "--cargo", "/nowhere"),
        ("check", "unexpected"),
        ("rehearse", "--fault"),
        ("matrix", "--all"),
        ("pre-release", "--repair", "magic"),
    ],
)
def test_wrong_usage_ends_with_2_and_changes_nothing(
    arguments: tuple[str, ...], scripts: Scripts
) -> None:
    before = tracked_changes()
    done = scripts(*arguments, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert " --help` explains the usage" in done.stderr
    assert tracked_changes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bump", "0.3.0rc1.dev1", "--offline"), "pre-release of a pre-release"),
        (("bump", "nonsense", "--offline"), "invalid version: `nonsense`"),
        (("bump", "1.0.0+local", "--offline"), "no counterpart in SemVer"),
        (("publish", "--index", "nowhere"), "no index called `nowhere` is configured"),
        (("publish", "--index", "https://u:p@example.org/"), "with a secret in it"),
        (("pre-release",), "no Cargo workspace is named to build from"),
        (("check", "--dist", "/nowhere"), "there is no folder `/nowhere`"),
    ],
)
def test_what_cannot_be_done_is_one_message_and_changes_nothing(
    arguments: tuple[str, ...], words: str, scripts: Scripts
) -> None:
    before = tracked_changes()
    said = scripts(*arguments, code=1).stderr
    assert words in said
    assert "u:p" not in said
    assert tracked_changes() == before


def test_the_matrix_names_the_platforms_of_the_plan(scripts: Scripts) -> None:
    found = json.loads(scripts("matrix").stdout)["include"]
    assert [each["platform"] for each in found] == ["linux-x64"]
    assert not any("latest" in each["runner"] for each in found)
    assert found[0]["target"] == "x86_64-unknown-linux-gnu.2.28"


def test_versions_agree_in_this_tree() -> None:
    places = [place for edit in planned(home_version()) for place in edit.places]
    assert {place.what for place in places if not place.agrees} <= {"heading"}, (
        "a release gets its heading"
    )


def test_a_dry_run_changes_nothing(scripts: Scripts, version: str) -> None:
    before = tracked_changes()
    said = scripts("bump-dev", "7", "--offline", "--dry-run").stdout
    assert f"`{next_dev(Version(version), 7)}`" in said
    assert scripts("sync-versions", "--dry-run").returncode == 0
    assert tracked_changes() == before

"""`pre-release`: every step of a good release, and what a wrong one makes of the table."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from minisign import KeyPair

from scripts.collect.staging import read_collected
from scripts.dev import cli
from scripts.dev import pre_release as module
from scripts.dev.suite import CHECKS
from scripts.gates.check import Further
from scripts.github.gate import GitHubRelease
from scripts.model.finding import Finding, confirm, problem
from scripts.model.plan import Plan, read_plan
from scripts.model.programs import PROJECTS
from tests.support.releases import write_tagged_tree
from tests.support.versions import RELEASED

VALIDATE = "lean-spec validate --warnings-only"


@pytest.fixture
def findings() -> list[Finding]:
    """Return what the gates find, which a test may change."""
    return [confirm("gate", "subject", "good")]


@pytest.fixture
def release(
    stand_in: Path,
    released_tree: Path,
    findings: list[Finding],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Return where the wheels go, of a tree on its tag whose wheels are built and checked already.

    The play of the workflow builds and checks such wheels.
    """
    tree, dist = tmp_path / "tree", tmp_path / "dist"
    write_tagged_tree(tree, released_tree, KeyPair.generate().public_key)
    plan = read_plan(tree)

    def build_wheels(binaries: Path, out: Path, *_: object) -> list[Path]:
        assert (binaries, out) == (PROJECTS, dist)
        shutil.copytree(stand_in / "dist", out)
        return list(out.iterdir())

    def check(
        out: Path, *, cargo: Path | None, collected: Path, plan: Plan, github: Further
    ) -> list[Finding]:
        assert (out, cargo, collected) == (dist, None, PROJECTS)
        assert getattr(github, "__self__", None) == GitHubRelease(PROJECTS)
        assert plan.is_draft, "the commit and the tag come later"
        return findings

    monkeypatch.setattr(module, "ROOT", tree)
    monkeypatch.setattr(module, "read_plan", lambda: plan)
    commands = dict(CHECKS)
    starts = [(name, (commands[name][0], "--help")) for name in ("lint", "layers")]
    monkeypatch.setattr(module, "CHECKS", tuple(starts))
    monkeypatch.setattr(module, "build_wheels", build_wheels)
    monkeypatch.setattr(module, "check", check)
    collected = read_collected(stand_in / "binaries")
    monkeypatch.setattr(module, "read_collected", lambda _: collected)
    monkeypatch.setattr(module, "_pages", lambda: "those there")
    return dist


def pre_release(dist: Path, *options: str) -> Result:
    arguments = ["--skip-rust", "--skip-tests", "--dist", str(dist), *options]
    return CliRunner().invoke(cli.pre_release, arguments, standalone_mode=False)


@pytest.mark.network
def test_pre_release_passes_every_step_of_a_good_release(release: Path) -> None:
    result = pre_release(release, "--json")
    assert result.return_value == 0, result.output
    steps = json.loads(result.stdout)["steps"]
    assert {step["name"]: step["state"] for step in steps} == {
        "versions": "passed",
        "binaries": "passed",
        "pages": "passed",
        "lint": "passed",
        "layers": "passed",
        "tests": "skipped",
        "wheels": "passed",
        "check": "passed",
        VALIDATE: "exception",
    }
    details = {step["name"]: step["detail"] for step in steps}
    assert details["binaries"].startswith("not built; collected before for ")
    assert details["versions"].startswith(f"{RELEASED} in all ")
    assert details["wheels"] == f"{len(list(release.iterdir()))} files in {release}"
    # The installed program ran.
    assert details[VALIDATE].endswith(
        "; it ended with exit 1: validate is not migrated yet"
    )


def test_pre_release_goes_on_after_a_failed_step(
    release: Path, findings: list[Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    findings.append(problem("gate", "subject", "good", "bad"))
    monkeypatch.setattr(module, "CHECKS", (("lint", ("ruff", "nonsense")),))
    monkeypatch.setattr(module, "_validate", lambda *_: "")
    changelog = release.with_name("tree") / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(f"[{RELEASED}]", "[9.9.9]"))
    result = pre_release(release)
    assert result.return_value == 1
    failed = re.findall(r"^failed +(.*?)  ", result.stdout, re.MULTILINE)
    assert failed == ["versions", "lint", "check"]
    assert "1 of 2 facts is wrong" in result.stdout
    assert "gate: subject: expected good, found bad" in result.stdout
    assert release.is_dir(), "the wheels were built all the same"


@pytest.mark.long
def test_pre_release_finds_every_program_of_its_checks() -> None:
    for _, command in CHECKS:
        name = command[0]
        assert module._tool((name, "--help"))() == name  # noqa: SLF001 - types take minutes

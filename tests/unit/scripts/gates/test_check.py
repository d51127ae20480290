"""All gates together, in `check` and in `publish`: a release that passes, and one that is stopped before any upload."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from scripts.gates import binaries, check, index_rules, same_bytes
from scripts.gates.expected_set import expected_set
from scripts.index.client import Index
from scripts.model.files import fingerprint, read_files, snapshot
from scripts.model.finding import Finding
from scripts.model.plan import Plan
from scripts.publish import publish
from tests.support.release_files import CLI, MAIN, MCP, failures, release_files
from tests.support.versions import RELEASED


def set_failures(plan: Plan, dist: Path) -> list[str]:
    return failures(expected_set(plan, *read_files(dist)))


def same_bytes_failures(dist: Path) -> list[str]:
    return failures(same_bytes.same_bytes(release_files(dist), Path("unused")))


def index_failures(dist: Path) -> list[str]:
    return failures(index_rules.index_rules(release_files(dist)))


@pytest.mark.usefixtures("built")
def test_a_good_release_passes_every_gate_on_its_files(dist: Path, plan: Plan) -> None:
    assert set_failures(plan, dist) == []
    assert failures(binaries.binaries(plan, release_files(dist))) == []
    assert index_failures(dist) == []
    assert same_bytes_failures(dist) == []


def test_expected_set_names_missing_extra_and_second_files(dist: Path, plan: Plan) -> None:
    (dist / CLI).rename(dist / CLI.replace(RELEASED, "0.2.9"))
    (dist / MCP).unlink()
    (dist / "notes.txt").touch()
    errors = set_failures(plan, dist)
    assert f"{CLI.replace(RELEASED, '0.2.9')}: expected {RELEASED}, found 0.2.9" in errors
    assert "leanspec-mcp-bin (linux-x64): expected in the release, found missing" in errors
    assert "notes.txt: expected no such file in a release, found there" in errors
    shutil.copy(dist / MAIN, dist / MAIN.replace("py3", "py2.py3"))
    assert any("found a second one next to" in line for line in set_failures(plan, dist))


def test_expected_set_takes_no_reason_of_another_source(dist: Path, plan: Plan) -> None:
    """The reasons of npm are none for what a workspace builds."""
    planned = replace(plan, reasons=plan.reasons | {"cargo": {}})
    note = "`missing.npm` does not apply to binaries from cargo"
    missing = (
        f"leanspec-cli-bin (darwin-x64): expected in the release, found missing; {note}"
    )
    assert missing in set_failures(planned, dist)
    assert set_failures(planned.built_from({"npm"}), dist) == []


def test_check_and_publish_expect_the_set_of_the_source_in_the_wheels(
    dist: Path, monkeypatch: pytest.MonkeyPatch, plan: Plan
) -> None:
    """In `check`, and where the files that passed it are published."""
    reasons = plan.reasons | {"npm": {}}
    npm = replace(plan, reasons=reasons).built_from({"npm"})
    for name in ("index_rules", "same_bytes", "_installs", "pages_gate"):
        monkeypatch.setattr(check, name, lambda *_: iter(()))
    for module in (publish, check):
        monkeypatch.setattr(module, "read_plan", lambda *_: npm)
    findings = [*check.check(dist), *publish.has_passed("", dist)]
    sets = [finding for finding in findings if finding.gate == "set"]
    gaps = [finding.subject for finding in sets if finding.is_gap]
    assert gaps == 2 * list(plan.missing)
    assert failures(iter(sets)) == []


def test_check_fails_if_a_gate_crashes(
    dist: Path, monkeypatch: pytest.MonkeyPatch, plan: Plan
) -> None:
    monkeypatch.setattr(check, "read_plan", lambda *_: plan)
    monkeypatch.setattr(binaries, "binaries", lambda *_: iter([1 / 0]))
    for name in ("index_rules", "same_bytes", "expected_set", "_installs"):
        monkeypatch.setattr(check, name, lambda *_, **__: iter(()))
    errors = failures(iter(check.check(dist)))
    assert "gate: expected completed, found crashed: division by zero" in errors


@pytest.mark.parametrize(
    "name", ["leanspec_cli_bin-{}-py3-none-manylinux_2_34_x86_64.whl", "notes.txt"]
)
def test_snapshot_refuses_a_symbolic_link(name: str, dist: Path) -> None:
    path = dist / name.format(RELEASED)
    path.unlink(missing_ok=True)
    path.symlink_to(dist / MCP)
    with pytest.raises(CommandError, match="is a symbolic link"), snapshot(dist):
        pass


def test_snapshot_keeps_the_bytes_that_were_checked(dist: Path) -> None:
    with snapshot(dist) as copy:
        before = fingerprint(release_files(copy))
        (dist / CLI).write_bytes(b"other")
        assert fingerprint(release_files(copy)) == before
        assert fingerprint(release_files(dist)) != before


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_publish_runs_in_ci(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", value)
    publish.must_be_ci()


@pytest.mark.parametrize("value", ["", "false", "0"])
def test_publish_refuses_to_run_outside_ci(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(CommandError, match="refusing to publish outside CI"):
        publish.must_be_ci()


def test_publish_reaches_no_index_unless_every_gate_passes(
    dist: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index would be reached last: here it may not be reached at all."""
    index = Index("http://127.0.0.1:9/simple/", "http://127.0.0.1:9/")

    def forbidden(*_: object) -> list[Finding]:
        raise AssertionError("the index was reached")

    for module in (publish, check):
        monkeypatch.setattr(module, "read_plan", lambda *_: plan)
    monkeypatch.setattr(publish, "upload_all", forbidden)
    monkeypatch.setattr(publish, "IndexClient", forbidden)
    monkeypatch.setattr(check, "_installs", lambda *_: iter(()))  # fails for seconds
    (dist / CLI).unlink()
    gates = partial(check.check, collected=dist.parent / "binaries")
    with pytest.raises(publish.GatesError) as error:
        publish.publish(
            dist,
            index,
            publish.ReleaseChecks(gates, forbidden),
            dry_run=False,
            resume=False,
            wait=1,
        )
    missing = "leanspec-cli-bin (linux-x64): expected in the release, found missing"
    assert missing in str(error.value)
    assert f"tag: HEAD: expected v{RELEASED}" in str(error.value)

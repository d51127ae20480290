"""Release notes: the changelog's entry, what is special about the binaries, what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.github.notes import release_notes
from scripts.model.plan import Plan, read_plan
from tests.support.versions import RELEASED


@pytest.fixture
def plan(released_tree: Path) -> Plan:
    return read_plan(released_tree)


@pytest.fixture
def changelog(tmp_path: Path) -> Path:
    path = tmp_path / "CHANGELOG.md"
    path.write_text(f"## [{RELEASED}] - 2026-01-01\n\nNews.\n")
    return path


def test_release_notes_show_the_gaps_of_the_source_in_use(
    plan: Plan, changelog: Path
) -> None:
    assert "npm has no binaries" not in release_notes(changelog, plan, [])
    lines = release_notes(changelog, plan.built_from({"npm"}), []).splitlines()
    reason = plan.reasons["npm"]["darwin-arm64"]
    assert any(line.endswith(f"(`darwin-arm64`): {reason}") for line in lines)


def test_release_notes_tell_why_binaries_are_rebuilt(plan: Plan, changelog: Path) -> None:
    assert "### Binaries" not in release_notes(changelog, plan, [])
    exceptions = plan.exceptions | {"rebuild": "OpenSSL 3.5.9: CVE-2026-1"}
    notes = release_notes(changelog, replace(plan, exceptions=exceptions), [])
    rebuilt = "- rebuilt from the same LeanSpec: OpenSSL 3.5.9: CVE-2026-1"
    assert f"News.\n\n### Binaries\n\n{rebuilt}\n\n### Not in this release" in notes
    assert "- `lean-spec validate`: " in notes
    assert "lean-spec rebuild" not in notes

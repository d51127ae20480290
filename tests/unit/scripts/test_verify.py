"""`verify-release` of a late index, and of grafted wheels, whose binaries are not those of npm any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher.commands import CommandError
from scripts.gates.expected_set import expected
from scripts.index.client import Index
from scripts.model.files import File
from scripts.model.finding import Finding
from scripts.model.plan import Plan, read_plan
from scripts.publish import verify
from scripts.publish.verify import verify_release
from scripts.wheels.rebuild import rebuilt
from tests.support.pages import put_pages
from tests.support.releases import plan_of_this_machine
from tests.support.small_index import SmallIndex
from tests.support.versions import RELEASED

INDEX = Index("http://127.0.0.1:9/simple/", "http://127.0.0.1:9/")


@pytest.fixture
def plan(grafted: Path, released_tree: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return the plan of a release that an index serves; another test installs it."""

    def fetch(
        _client: object, _version: object, folder: Path, _dist: object
    ) -> Iterator[Finding]:
        shutil.copytree(grafted, folder, dirs_exist_ok=True)
        yield from ()

    plan = read_plan(released_tree)
    monkeypatch.setattr(verify, "read_plan", lambda: plan)
    monkeypatch.setattr(verify, "fetch", fetch)
    monkeypatch.setattr(verify, "provenance", lambda *_: iter(()))
    monkeypatch.setattr(verify, "_listed", lambda *_: expected(plan.built_from({"npm"})))
    monkeypatch.setattr(verify, "installed_from", lambda *_, **__: iter(()))
    return plan


@pytest.fixture
def npm(
    binaries: Path, released_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a copy of the binaries that npm has of this release."""
    folder = tmp_path / "npm"
    shutil.copytree(binaries, folder)
    monkeypatch.setattr(verify, "_from_npm", lambda *_: folder)
    monkeypatch.setattr(
        verify, "collect_pages", lambda _, base: put_pages(base, released_tree)
    )
    return folder


def test_verify_release_compares_grafted_binaries_with_npm(plan: Plan, npm: Path) -> None:
    findings = verify_release(plan.version, INDEX, against_npm=True)
    assert [finding for finding in findings if not finding.passed] == []
    subjects = [finding.subject for finding in findings if finding.gate == "against npm"]
    assert len(subjects) == 4, "three programs and the pages"
    assert sum("grafted with libcrypto" in subject for subject in subjects) == 2
    for path in npm.rglob("leanspec"):
        path.write_bytes(path.read_bytes() + b"x")
    findings = verify_release(plan.version, INDEX, against_npm=True)
    (wrong,) = [finding.subject for finding in findings if not finding.passed]
    assert wrong.startswith("leanspec_cli_bin-")


def test_verify_release_grafts_again_to_rebuild(
    plan: Plan, npm: Path, grafted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A published wheel does not hold what its binary was before: that comes from npm."""
    (missing,) = grafted.glob("lean_spec-*.tar.gz")
    (other,) = grafted.glob("leanspec_mcp_bin-*linux*.whl")

    def build_wheels(base: Path, out: Path, *options: object) -> None:
        assert (base, options) == (npm, ((), (), "auditwheel"))
        shutil.copytree(grafted, out)
        (out / missing.name).unlink()
        (out / other.name).write_bytes(b"other")

    monkeypatch.setattr(verify, "build_wheels", build_wheels)
    findings = verify_release(plan.version, INDEX, rebuild=True)
    wrong = {finding.subject: finding.actual for finding in findings if not finding.passed}
    assert wrong == {missing.name: "not built", other.name: "other bytes"}


@pytest.fixture
def late(
    quick_index: SmallIndex,
    stand_in: Path,
    released_tree: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> SmallIndex:
    """Return an index that has a release, and lists each file at the fourth look."""
    plan = plan_of_this_machine(released_tree)
    monkeypatch.setattr(verify, "read_plan", lambda: plan)
    monkeypatch.setattr(verify, "installed_from", lambda *_, **__: iter(()))
    files = sorted((stand_in / "dist").iterdir())
    quick_index.files = {path.name: path.read_bytes() for path in files}
    quick_index.hidden_looks = 3
    return quick_index


def test_verify_release_waits_for_an_index_that_is_late(
    late: SmallIndex, version: str
) -> None:
    findings = verify_release(Version(version), late.place, wait=5)
    assert [finding for finding in findings if not finding.passed] == []


def test_verify_release_ends_with_what_is_missing(late: SmallIndex, version: str) -> None:
    missing = next(name for name in late.files if name.startswith("leanspec_ui-"))
    del late.files[missing]
    findings = verify_release(Version(version), late.place, wait=1)
    (wrong,) = [finding for finding in findings if not finding.passed]
    assert wrong.subject.startswith("leanspec-ui ")


def test_verify_release_installs_only_compared_files(
    late: SmallIndex, stand_in: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late.hidden_looks = 0
    forged = next(name for name in late.files if name.startswith("leanspec_mcp_bin-"))
    late.forged.add(forged)
    installed: list[str] = []

    def install(
        _: object, files: list[File], *__: object, **___: object
    ) -> Iterator[Finding]:
        installed.extend(file.path.name for file in files)
        yield from ()

    monkeypatch.setattr(verify, "installed_from", install)
    findings = verify_release(Version(version), late.place, stand_in / "dist")
    assert forged in {finding.subject for finding in findings if not finding.passed}
    assert set(installed) == late.files.keys() - {forged}


def test_verify_release_of_an_unknown_version_is_one_line(late: SmallIndex) -> None:
    late.hidden_looks = 0
    with pytest.raises(CommandError, match=r"has no file of 9\.9$") as error:
        verify_release(Version("9.9"), late.place)
    assert error.value.hint == f"the newest version there is {RELEASED}"


def test_a_grafted_wheel_is_built_again_byte_for_byte(
    binaries: Path, grafted: Path, tmp_path: Path
) -> None:
    """In other surroundings; the CLI alone, as each program takes seconds."""
    shutil.copytree(binaries / "cli", tmp_path / "cli")
    (wheel,) = grafted.glob("leanspec_cli_bin-*linux*.whl")
    with rebuilt(tmp_path, "auditwheel", is_draft=True) as folder:
        assert (folder / wheel.name).read_bytes() == wheel.read_bytes()

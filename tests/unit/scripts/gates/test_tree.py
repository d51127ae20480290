"""The gates that need no built file: tag, tree, repository, versions, locks, manifests, names."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from scripts.environment import ROOT, Group
from scripts.gates import commit, tree
from scripts.model.plan import Plan
from scripts.model.repository import MENTIONS, read_repository
from tests.support.release_files import failures
from tests.support.versions import RELEASED


def commit_files(root: Path, *names: tuple[str, bytes]) -> Path:
    """Make a git repository of files."""
    root.mkdir()
    for name, data in names:
        (root / name).write_bytes(data)
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    git += ["-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], check=True)
    return root


@pytest.mark.long
def test_tree_refuses_a_program_and_a_large_file_in_git(tmp_path: Path, plan: Plan) -> None:
    root = commit_files(
        tmp_path / "r",
        ("program", b"\x7fELF"),
        ("large", bytes((1 << 20) + 1)),
        ("fine", b"x"),
    )
    errors = failures(commit.tree(plan, root))
    assert errors == [
        "large: expected at most 1048576 bytes, found 1048577",
        "program: expected no program in git, found a program",
    ]


def test_tag_and_tree_must_be_those_of_the_release(tmp_path: Path, plan: Plan) -> None:
    root = commit_files(tmp_path / "r", ("a", b"1"))
    assert failures(commit.tag(plan, root)) == [f"HEAD: expected v{RELEASED}, found no tag"]
    subprocess.run(["git", "-C", root, "tag", "v0.2.9"], check=True)
    assert failures(commit.tag(plan, root)) == [f"HEAD: expected v{RELEASED}, found v0.2.9"]
    subprocess.run(["git", "-C", root, "tag", f"v{RELEASED}"], check=True)
    assert failures(commit.tag(plan, root)) == []
    assert failures(commit.tag(replace(plan, version=Version("0.3.1.dev1")), root)) == []
    (root / "a").write_text("2")
    changes = "changed or unknown files: 1, such as `M a`"
    expected = [f"git status: expected clean, found {changes}"]
    assert failures(commit.tree(plan, root)) == expected
    draft = replace(plan, is_draft=True)
    assert next(commit.tree(draft, root)).is_gap, "it comes before the commit"
    assert not next(commit.tag(draft, root)).is_gap, "it is there already"
    later = replace(draft, version=Version("9.9"))
    assert next(commit.tag(later, root)).is_gap, "it comes after the commit"
    (root / "new").write_text("not in git")
    changes = "changed or unknown files: 2, such as `?? new`"
    correct = [f"git status: expected clean, found {changes}"]
    assert failures(commit.tree(draft, root)) == correct


def test_workflow_runs_in_the_repository_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    slug = read_repository().slug
    monkeypatch.setenv("GITHUB_REPOSITORY", slug)
    assert failures(commit.publishing_repository(tmp_path)) == []
    monkeypatch.setenv("GITHUB_REPOSITORY", "example/fork")
    errors = failures(tree.repository(Plan(Version(RELEASED), {}, {}), ROOT, None))
    assert f"repository: expected example/fork, found {slug}" in errors


@pytest.mark.parametrize(
    ("origin", "is_gap"),
    [
        ("https://github.com/{}.git", False),
        ("git@github.com:{}", False),
        ("https://example.org/other", True),
        ("", True),
    ],
)
def test_clone_of_another_repository_is_a_remark(
    origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_gap: bool
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    root = commit_files(
        tmp_path / "r", ("pyproject.toml", (ROOT / "pyproject.toml").read_bytes())
    )
    if origin:
        url = origin.format(read_repository().slug)
        subprocess.run(["git", "-C", root, "remote", "add", "origin", url], check=True)
    (finding,) = commit.publishing_repository(root)
    assert (finding.passed, finding.is_gap) == (True, is_gap)


def test_versions_need_a_heading_in_the_changelog(
    plan: Plan, released_tree: Path, tmp_path: Path
) -> None:
    ignored = shutil.ignore_patterns("binaries")
    wheels = "platform_wheels"
    shutil.copytree(released_tree / wheels, tmp_path / wheels, ignore=ignored)
    shutil.copytree(released_tree / "build_backend", tmp_path / "build_backend")
    names = ["pyproject.toml", "server.json", *(mention.file for mention in MENTIONS)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(released_tree / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    (errors,) = failures(tree.versions(plan, tmp_path, None))
    assert errors == f"CHANGELOG.md: heading: expected [{RELEASED}], found none"


def test_lock_that_misses_a_requirement_is_refused(tmp_path: Path) -> None:
    for path in (ROOT / "pyproject.toml", *(group.lock for group in Group)):
        shutil.copy(path, tmp_path)
    shutil.copytree(ROOT / "build_backend", tmp_path / "build_backend")
    assert failures(tree.lock(tmp_path)) == []
    text = (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace('"twine>=6.1"', '"twine>=999"'))
    assert any(
        line.startswith("twine: expected twine>=999, found ")
        for line in failures(tree.lock(tmp_path))
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "Environment :: Console",
            "Environment :: Consoles",
            "`project.classifiers[1]` must be trove-classifier",
        ),
        ('"click>=8.1"', "'click >='", "`project.dependencies[2]` must be pep508"),
        ("description =", "descripton =", "must not contain {'descripton'} properties"),
        ("[project]", "[project", "Expected ']'"),
    ],
)
def test_manifest_that_breaks_the_standard_is_refused(
    old: str, new: str, words: str, released_tree: Path, tmp_path: Path
) -> None:
    shutil.copytree(released_tree / "platform_wheels", tmp_path / "platform_wheels")
    text = (released_tree / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text)
    assert failures(tree.manifests(tmp_path)) == []
    (tmp_path / "pyproject.toml").write_text(text.replace(old, new, 1))
    (error,) = failures(tree.manifests(tmp_path))
    assert error.startswith("pyproject.toml: expected a manifest by the standards")
    assert words in error


def test_names_are_not_to_be_confused() -> None:
    assert failures(tree.names()) == []
    assert (
        tree.confusable("lean-spec")
        == tree.confusable("Lean.Spec")
        == tree.confusable("1ean_spec")
    )

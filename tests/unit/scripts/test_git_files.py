"""What a release is built from: the commit, or its draft, and nothing else that lies in the folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from packaging.version import Version

from leanspec_launcher.commands import CommandError
from scripts.gates import commit
from scripts.model.plan import Plan
from scripts.tools.git_files import copy_tracked, has_commit, write_commit
from scripts.wheels import build, rebuild
from tests.support.preconditions import needs
from tests.support.tree_copy import git
from tests.support.versions import RELEASED

pytestmark = needs("git")
MODULE = "leanspec_launcher/_search.py"
BACKEND = "build_backend/leanspec_build/wheel.py"
STUB = "platform_wheels/cli/leanspec_cli_bin/__init__.py"
PNG = b"\x89PNG\r\n\x1a\n\0\xff\r\n"
FILES = {
    MODULE: b"PLACES = 4\n",
    "leanspec_launcher/data.png": PNG,
    BACKEND: b"LEVEL = 10\n",
    STUB: b"",
    "pyproject.toml": b"[project]\n",
    "README.md": b"LeanSpec\n",
    "LICENSE": b"MIT\n",
    ".gitignore": b"*.so\n__pycache__/\n/platform_wheels/*/binaries/\n",
    ".gitattributes": b"* text=auto eol=lf\n",
    "scripts/run.sh": b"#!/bin/sh\n",
}
PLAN = Plan(Version(RELEASED), {}, {})
Tamper = Callable[[Path], object]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a small project in git, with a binary that was collected."""
    root = tmp_path / "project"
    for name, data in FILES.items():
        put(root, name, data)
    (root / "scripts/run.sh").chmod(0o755)
    git_init(root)
    put(root, "platform_wheels/cli/binaries/linux-x64/leanspec", b"\x7fELF")
    return root


def git_init(root: Path) -> None:
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "A release")


def put(root: Path, name: str, data: bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def hidden_edit(root: Path, option: str) -> None:
    git(root, "update-index", option, MODULE)
    put(root, MODULE, b"PLACES = 5\n")


def excluded(root: Path) -> None:
    put(root, ".git/info/exclude", b"*.py\n")
    put(root, "leanspec_launcher/extra.py", b"import os\n")


def nested_ignore(root: Path) -> None:
    put(root, "leanspec_launcher/web/.gitignore", b"*\n")
    put(root, "leanspec_launcher/web/extra.py", b"import os\n")


def replaced_object(root: Path) -> None:
    """Let git show another content for an object than it has."""
    put(root, "other", b"PLACES = 6\n")
    git(root, "add", "other")
    git(root, "replace", f"HEAD:{MODULE}", ":other")
    git(root, "rm", "--quiet", "--force", "other")


def staged_edit(root: Path) -> None:
    put(root, MODULE, b"PLACES = 7\n")
    git(root, "add", MODULE)


def attribute(text: str) -> Tamper:
    return lambda root: put(root, ".git/info/attributes", f"{text}\n".encode())


def linked_folder(root: Path) -> None:
    """Put a link in the place of a folder, and hide it."""
    (root / "leanspec_launcher").rename(root.with_name("elsewhere"))
    (root / "leanspec_launcher").symlink_to(root.with_name("elsewhere"))


IGNORED: dict[str, Tamper] = {
    "an ignored library": lambda root: put(root, "leanspec_launcher/extra.so", b"\x7fELF"),
    "a library in the place of a module": lambda root: put(
        root, "leanspec_launcher/_search.abi3.so", b"\x7fELF"
    ),
    "an ignored library in the backend": lambda root: put(
        root, "build_backend/leanspec_build/wheel.abi3.so", b"\x7fELF"
    ),
    "an ignored library in a platform wheel": lambda root: put(
        root, "platform_wheels/cli/leanspec_cli_bin/extra.so", b"\x7fELF"
    ),
    "an untracked startup file": lambda root: put(root, "leanspec_launcher/x.pth", b"x"),
    "a file of .git/info/exclude": excluded,
    "a file of a nested .gitignore": nested_ignore,
}
HIDDEN: dict[str, Tamper] = {
    "skip-worktree": lambda root: hidden_edit(root, "--skip-worktree"),
    "assume-unchanged": lambda root: hidden_edit(root, "--assume-unchanged"),
}
NOT_OF_THE_COMMIT: dict[str, Tamper] = {
    "an edit": lambda root: put(root, MODULE, b"PLACES = 7\n"),
    "a staged edit": staged_edit,
    "a replaced object": replaced_object,
    "export-ignore": attribute(f"{MODULE} export-ignore"),
    "line endings": attribute("* text eol=crlf"),
    "autocrlf": lambda root: git(root, "config", "core.autocrlf", "true"),
}


@pytest.fixture
def of_project(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the small project as that which is built."""
    for module in (build, rebuild):
        monkeypatch.setattr(module, "ROOT", root)
    return root


def rebuilt_from(
    root: Path, monkeypatch: pytest.MonkeyPatch, *, is_draft: bool = False
) -> dict[str, bytes]:
    """Return the files that a rebuild would build from."""
    trees: list[dict[str, bytes]] = []
    monkeypatch.setattr(rebuild, "_build", lambda tree, *_: trees.append(content(tree)))
    with rebuild.rebuilt(root / "platform_wheels", None, is_draft=is_draft):
        return trees[0]


@pytest.mark.parametrize("attack", [*IGNORED, *HIDDEN, *NOT_OF_THE_COMMIT])
def test_rebuild_is_of_the_commit(
    attack: str, of_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (IGNORED | HIDDEN | NOT_OF_THE_COMMIT)[attack](of_project)
    assert rebuilt_from(of_project, monkeypatch) == FILES


BUILDER = b"""from pathlib import Path
def build_wheel(folder, settings=None, metadata=None):
    Path(folder, "x.whl").write_text("by the backend of the copy")
    return "x.whl"
"""
PROJECT = b"""[build-system]
requires = []
build-backend = "leanspec_build"
"""


def test_rebuild_runs_the_code_of_the_commit(
    of_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[tuple[Path, str]] = []

    def capture(command: list[str], **options: Any) -> CompletedProcess[str]:  # noqa: ANN401 - as it is called
        places.append((options["cwd"], options["env"]["PYTHONPATH"]))
        return CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(rebuild, "capture", capture)
    with rebuild.rebuilt(of_project / "platform_wheels", None):
        ((tree, code),) = places
        assert content(tree) == FILES
        assert code.split(os.pathsep) == [str(tree), str(tree / "build_backend")]


def test_wheels_are_built_by_the_backend_that_git_tracks(
    of_project: Path, tmp_path: Path
) -> None:
    put(of_project, "build_backend/leanspec_build/__init__.py", BUILDER)
    project = of_project / "platform_wheels/cli"
    (project / "pyproject.toml").write_bytes(PROJECT)
    git(of_project, "add", "--all")
    build._copy_sources(tmp_path / "sources")  # noqa: SLF001 - the build takes seconds
    wheel, _ = build._call_backend(project, "wheel", tmp_path, "building")  # noqa: SLF001
    assert wheel.read_text() == "by the backend of the copy"


@pytest.mark.parametrize("attack", IGNORED)
def test_wheels_and_drafts_are_of_the_tracked_files(
    attack: str,
    of_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    IGNORED[attack](of_project)
    put(of_project, BACKEND, b"LEVEL = 11\n")
    now = FILES | {BACKEND: b"LEVEL = 11\n"}
    assert rebuilt_from(of_project, monkeypatch, is_draft=True) == now
    build._copy_sources(tmp_path / "sources")  # noqa: SLF001 - the build takes seconds
    names = {name for name in now if name.startswith(build.BUILT_FROM)}
    assert content(tmp_path / "sources") == {name: now[name] for name in names}
    message = capsys.readouterr().err
    assert "left out, because git does not track it: `" in message
    assert "binaries" not in message


@pytest.mark.parametrize("attack", HIDDEN)
def test_wheels_refuse_files_hidden_from_git(
    attack: str, of_project: Path, tmp_path: Path
) -> None:
    HIDDEN[attack](of_project)
    with pytest.raises(CommandError, match=rf"look for changes in `{MODULE}`") as error:
        build._copy_sources(tmp_path / "sources")  # noqa: SLF001 - the build takes seconds
    assert "--no-skip-worktree --no-assume-unchanged" in str(error.value.hint)


@needs("POSIX")
def test_wheels_follow_no_link_out_of_the_tree(root: Path, tmp_path: Path) -> None:
    linked_folder(root)
    with pytest.raises(CommandError, match="is a symbolic link, or reached by one"):
        copy_tracked(root, tmp_path / "copy")


@needs("POSIX")
def test_commit_with_a_link_is_not_built(root: Path, tmp_path: Path) -> None:
    (root / "leanspec_launcher/secret.py").symlink_to("/etc/hostname")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "A link")
    words = "`leanspec_launcher/secret.py` is a symbolic link in git"
    with pytest.raises(CommandError, match=words):
        write_commit(root, tmp_path / "copy")


@needs("POSIX")
def test_modes_are_those_of_git(root: Path, tmp_path: Path) -> None:
    git(root, "config", "core.fileMode", "false")
    (root / MODULE).chmod(0o4777)
    (root / "scripts/run.sh").chmod(0o600)
    for copy, write in (("commit", write_commit), ("tracked", copy_tracked)):
        write(root, tmp_path / copy)
        assert (tmp_path / copy / MODULE).stat().st_mode & 0o7777 == 0o644
        assert (tmp_path / copy / "scripts/run.sh").stat().st_mode & 0o7777 == 0o755


def test_folder_without_a_commit_is_built_as_it_is(
    of_project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As an archive of the sources, or a copy in another project's repository."""
    (of_project / ".git").rename(tmp_path / "git")
    assert not has_commit(of_project)
    put(of_project, "leanspec_launcher/new.py", b"")
    build._copy_sources(tmp_path / "sources")  # noqa: SLF001 - the build takes seconds
    copied = content(tmp_path / "sources")
    assert "leanspec_launcher/new.py" in copied
    assert not [name for name in copied if "binaries" in name]
    assert "leanspec_launcher/new.py" in rebuilt_from(of_project, monkeypatch)


def test_object_that_is_gone_is_one_message(root: Path, tmp_path: Path) -> None:
    for path in (root / ".git/objects").glob("??/*"):
        if path.stat().st_size < 40:
            path.unlink()
    with pytest.raises(CommandError):
        write_commit(root, tmp_path / "copy")


@pytest.mark.parametrize("attack", HIDDEN)
@pytest.mark.parametrize("is_draft", [False, True])
def test_check_names_files_hidden_from_git(
    attack: str, root: Path, *, is_draft: bool
) -> None:
    plan = replace(PLAN, is_draft=is_draft)
    assert [finding for finding in commit.tree(plan, root) if not finding.passed] == []
    HIDDEN[attack](root)
    (wrong,) = [finding for finding in commit.tree(plan, root) if not finding.passed]
    assert (wrong.subject, wrong.actual) == (MODULE, "hidden")


@pytest.mark.parametrize(
    "name",
    [
        "leanspec_launcher/_search.abi3.so",
        "build_backend/leanspec_build/wheel.abi3.so",
        "scripts/extra.so",
    ],
)
def test_check_names_code_that_git_does_not_track(root: Path, name: str) -> None:
    """The commands themselves would import it, and so no gate could be trusted."""
    cache = f"leanspec_launcher/__pycache__/x.{sys.implementation.cache_tag}.pyc"
    put(root, cache, b"")
    put(root, name, b"\x7fELF")
    (wrong,) = [finding for finding in commit.tree(PLAN, root) if not finding.passed]
    assert (wrong.subject, wrong.actual) == (name, "there")

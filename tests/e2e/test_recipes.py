"""The recipes and hooks that others copy: run as written, on wheels built here."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from scripts.tools.processes import clean_environment
from tests.support.installers import Fresh, Installation, Lend, Pip, Pipx
from tests.support.programs import install_programs
from tests.support.surroundings import run
from tests.support.tree_copy import copy_tree, git

GOOD = "---\nstatus: planned\ncreated: 2026-01-01\npriority: medium\n---\n\n# First\n"
BAD = GOOD.replace("planned", "nonsense")


def shell(script: str, env: dict[str, str], folder: Path, code: int = 0) -> str:
    result = run(["bash", "-eo", "pipefail", "-c", script], env, cwd=folder, code=code)
    return result.stdout + result.stderr


def with_commands(installation: Installation) -> dict[str, str]:
    """Return an environment with the installed commands on its path."""
    path = f"{installation.commands}:{installation.env['PATH']}"
    return installation.env | {"PATH": path}


@pytest.fixture
def recipes(released_tree: Path) -> Path:
    return released_tree / "docs/recipes"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a repository with one spec."""
    spec = tmp_path / "project/specs/001-first/README.md"
    spec.parent.mkdir(parents=True)
    spec.write_text(GOOD)
    git(tmp_path / "project", "init", "--quiet")
    git(tmp_path / "project", "add", "--all")
    git(tmp_path / "project", "commit", "--quiet", "--message", "Specs")
    return tmp_path / "project"


def test_a_container_gets_its_version_or_fails(
    fresh: Fresh, project: Path, recipes: Path, version: str
) -> None:
    """No container runs here: the commands of its build are run in an environment instead."""
    recipe = (recipes / "Containerfile").read_text()
    match = re.search(r"^RUN (.*?)(?=^\S)", recipe, re.MULTILINE | re.DOTALL)
    assert match
    script = match[1].replace("\\\n", " ")
    installation = fresh(Pip)
    installation.prepare()
    pip = installation.commands / "pip"
    pip.write_text(f'#!/bin/sh\nexec {installation.pip_python} -m pip "$@"\n')
    pip.chmod(0o755)
    env = with_commands(installation)
    shell(script, env, project)
    assert "001-first" in shell("lean-spec list", env, project)
    expected = f"leanspec-launcher {version}"
    assert expected in script
    shell(script.replace(expected, "leanspec-launcher 9.9.9"), env, project, code=1)


def test_a_workflow_reads_every_spec(fresh: Fresh, project: Path, recipes: Path) -> None:
    pipx = fresh(Pipx)
    env = with_commands(pipx) | {"PIPX_DEFAULT_PYTHON": str(pipx.python)}
    job = yaml.safe_load((recipes / "github-action.yml").read_text())["jobs"]["specs"]
    steps = [step["run"] for step in job["steps"] if "run" in step]
    for step in steps:
        shell(step, env, project)
    (project / "specs/001-first/README.md").write_text(BAD)
    assert "specs/001-first/README.md" in shell(steps[-1], env, project, code=1)


@pytest.fixture(scope="module")
def pre_commit(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Install pre-commit."""
    return str(install_programs(tmp_path_factory.mktemp("programs")) / "pre-commit")


def check(
    pre_commit: str, env: dict[str, str], project: Path, *options: str, code: int = 0
) -> str:
    """Run the hooks on all files."""
    command = [pre_commit, "run", "--all-files", "--color=never", *options]
    result = run(command, env, cwd=project, code=code)
    return result.stdout + result.stderr


@pytest.mark.network
def test_pre_commit_installs_an_exact_version(
    dist: Path, project: Path, recipes: Path, pre_commit: str, tmp_path: Path
) -> None:
    shutil.copy(recipes / "pre-commit-config.yaml", project / ".pre-commit-config.yaml")
    git(project, "add", "--all")
    # What pre-commit's own placeholder is built with comes from the configured index, ours from the
    # folder.
    home = str(tmp_path / "pre-commit")
    env = clean_environment(PIP_FIND_LINKS=str(dist), PRE_COMMIT_HOME=home)
    output = check(pre_commit, env, project)
    assert "every spec can be read" in output
    (project / "specs/001-first/README.md").write_text(BAD)
    output = check(pre_commit, env, project, code=1)
    assert "Invalid field value: status = nonsense" in output


@pytest.mark.network
def test_our_own_hooks_run_what_is_installed(
    lend: Lend, project: Path, pre_commit: str, released_tree: Path, tmp_path: Path
) -> None:
    copy_tree(tmp_path / "repository", released_tree)
    git(tmp_path / "repository", "add", "--all")
    git(tmp_path / "repository", "commit", "--quiet", "--message", "Hooks")
    git(tmp_path / "repository", "tag", "v1")
    hooks = [{"id": "lean-spec"}, {"id": "lean-spec-doctor"}]
    repository = {"repo": str(tmp_path / "repository"), "rev": "v1", "hooks": hooks}
    (project / ".pre-commit-config.yaml").write_text(
        yaml.safe_dump({"repos": [repository]})
    )
    git(project, "add", "--all")
    env = with_commands(lend(Pip)) | {"PRE_COMMIT_HOME": str(tmp_path / "pre-commit")}
    check(pre_commit, env, project)
    check(pre_commit, env, project, "--hook-stage", "manual", "lean-spec-doctor")
    (project / "specs/001-first/README.md").write_text(BAD)
    assert "specs/001-first/README.md" in check(pre_commit, env, project, code=1)

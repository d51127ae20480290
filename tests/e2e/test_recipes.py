"""The recipes and hooks that others copy: run as written, on wheels built here."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from scripts.tools.processes import clean_environment, own_program
from scripts.tools.tree_copy import copy_tree, git
from tests.support.installations import Source, by_pip
from tests.support.surroundings import run

GOOD = "---\nstatus: planned\ncreated: 2026-01-01\npriority: medium\n---\n\n# First\n"
BAD = GOOD.replace("planned", "nonsense")


def shell(script: str, env: dict[str, str], folder: Path, code: int = 0) -> str:
    done = run(["bash", "-eo", "pipefail", "-c", script], env, cwd=folder, code=code)
    return done.stdout + done.stderr


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
    source: Source, project: Path, recipes: Path, version: str
) -> None:
    """No container runs here: the commands of its build are run in an environment instead."""
    recipe = (recipes / "Containerfile").read_text()
    found = re.search(r"^RUN (.*?)(?=^\S)", recipe, re.MULTILINE | re.DOTALL)
    assert found
    run(
        [source.python, "-m", "venv", source.home / "venv"], source.env
    )  # with a `pip` command
    env = source.env | {"PATH": f"{source.home / 'venv/bin'}:{source.env['PATH']}"}
    shell(found[1].replace("\\\n", " "), env, project)
    assert "001-first" in shell("lean-spec list", env, project)
    other = (
        found[1]
        .replace("\\\n", " ")
        .replace(f"leanspec-launcher {version}", "leanspec-launcher 9.9.9")
    )
    shell(other, env, project, code=1)


def test_a_workflow_reads_every_spec(source: Source, project: Path, recipes: Path) -> None:
    env = source.env | {
        "PATH": f"{source.home / 'pipx-bin'}:{Path(own_program('pipx')).parent}:{source.env['PATH']}",
        "PIPX_DEFAULT_PYTHON": str(source.python),
    }
    job = yaml.safe_load((recipes / "github-action.yml").read_text())["jobs"]["specs"]
    steps = [step["run"] for step in job["steps"] if "run" in step]
    for step in steps:
        shell(step, env, project)
    (project / "specs/001-first/README.md").write_text(BAD)
    assert "specs/001-first/README.md" in shell(steps[-1], env, project, code=1)


@pytest.fixture
def pre_commit() -> str:
    return own_program("pre-commit")


def check(
    pre_commit: str, env: dict[str, str], project: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    return run(
        [pre_commit, "run", "--all-files", "--color=never", *more],
        env,
        cwd=project,
        code=None,
    )


@pytest.mark.network
def test_pre_commit_installs_an_exact_version(
    source: Source, project: Path, recipes: Path, pre_commit: str
) -> None:
    shutil.copy(recipes / "pre-commit-config.yaml", project / ".pre-commit-config.yaml")
    git(project, "add", "--all")
    # What pre-commit's own placeholder is built with comes from the configured index, ours from the
    # folder.
    env = clean_environment(
        PIP_FIND_LINKS=str(source.dist), PRE_COMMIT_HOME=str(source.home / "pre-commit")
    )
    done = check(pre_commit, env, project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every spec can be read" in done.stdout
    (project / "specs/001-first/README.md").write_text(BAD)
    done = check(pre_commit, env, project)
    assert done.returncode == 1
    assert "Invalid field value: status = nonsense" in done.stdout


@pytest.mark.network
def test_our_own_hooks_run_what_is_installed(
    source: Source, project: Path, pre_commit: str, released_tree: Path, tmp_path: Path
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
    installed = by_pip(source)
    env = source.env | {"PRE_COMMIT_HOME": str(source.home / "pre-commit")}
    env["PATH"] = f"{installed.scripts}:{env['PATH']}"
    done = check(pre_commit, env, project)
    assert done.returncode == 0, done.stdout + done.stderr
    done = check(pre_commit, env, project, "--hook-stage", "manual", "lean-spec-doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    (project / "specs/001-first/README.md").write_text(BAD)
    done = check(pre_commit, env, project)
    assert done.returncode == 1
    assert "specs/001-first/README.md" in done.stdout

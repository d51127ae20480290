"""Workflows: lawful, audited, and everything that they name is there."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from scripts.cli import root
from scripts.environment import ROOT
from scripts.processes import own_program
from tests.surroundings import clean, run

FOLDER = ROOT / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values():
        yield from job["steps"]


def named_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each of our commands that a workflow runs, with its arguments."""
    for path in WORKFLOWS:
        for step in steps(path):
            for line in step.get("run", "").splitlines():
                found = re.search(r"python3? -m scripts (.*)", line)
                assert found, f"{path.name}: `{line}` holds logic of its own"
                yield path.name, shlex.split(found[1])


@pytest.mark.parametrize(("workflow", "arguments"), list(named_commands()))
def test_every_command_of_a_workflow_exists(workflow: str, arguments: list[str]) -> None:
    command: click.Command = root
    while isinstance(command, click.Group) and arguments:
        name, *arguments = arguments
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"{workflow}: no command `{name}`"
        command = found
    known = {option for parameter in command.params for option in parameter.opts}
    for argument in arguments:
        if argument.startswith("--"):
            assert argument.partition("=")[0] in known, f"{workflow}: no option `{argument}`"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_permissions_are_granted_one_by_one(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert "latest" not in str(job["runs-on"])
        assert "permissions" in job
        assert job["timeout-minutes"] <= 60
    for step in steps(path):
        if "uses" in step:
            assert re.search(r"@[0-9a-f]{40}$", step["uses"]), step["uses"]


def test_zizmor_finds_nothing(tmp_path: Path) -> None:
    run([own_program("zizmor"), "--offline", "--pedantic", "--no-progress", FOLDER], clean(tmp_path))


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    run([own_program("actionlint"), "-no-color", *WORKFLOWS], clean(tmp_path), cwd=ROOT)


def test_workflows_keep_githubs_schema(tmp_path: Path) -> None:
    command: list[str | Path] = [
        own_program("check-jsonschema"),
        "--builtin-schema",
        "vendor.github-workflows",
        *WORKFLOWS,
    ]
    run(command, clean(tmp_path))


def test_the_linters_do_find_something(tmp_path: Path) -> None:
    bad = tmp_path / ".github/workflows/bad.yml"
    bad.parent.mkdir(parents=True)
    text = (FOLDER / "ci.yml").read_text("utf-8")
    bad.write_text(re.sub(r"@[0-9a-f]{40} # v[\d.]+", "@main", text).replace("runs-on", "runs_on", 1))
    commands: tuple[list[str | Path], ...] = (
        [own_program("zizmor"), "--offline", "--no-progress", bad],
        [own_program("actionlint"), "-no-color", bad],
        [own_program("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", bad],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, check=False, env=clean(tmp_path / "home"))
        assert done.returncode != 0, command[0]

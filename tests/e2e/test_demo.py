"""`demo`, as a newcomer sees it, and where npm has nothing for the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.tools.processes import clean_environment
from tests.support.preconditions import needs
from tests.support.registry import serving
from tests.support.releases import Scripts
from tests.support.surroundings import run
from tests.support.versions import RELEASED

pytestmark = needs("npm")


def test_demo_names_another_source_if_npm_has_no_binary(
    scripts: Scripts, tmp_path: Path
) -> None:
    with serving(tmp_path / "npm") as registry:
        env = clean_environment(**registry.settings())
        error = scripts("demo", code=1, env=env).stderr
    assert f"error: npm has no LeanSpec {RELEASED} for " in error
    command = "python3 -m scripts collect cargo"
    assert f"hint: build the binaries from a workspace: `{command}" in error


@pytest.mark.network
def test_demo_runs_the_program_and_prints_commands_that_work(
    scripts: Scripts, released_tree: Path, version: str
) -> None:
    result = scripts("demo")
    assert f"lean-spec {version}\n" in result.stdout
    assert "001-my-first-spec" in result.stdout
    assert "PROJECT BOARD" in result.stdout
    assert f"leanspec-mcp {version} offers 11 tools" in result.stderr
    lines = result.stderr.split("next:")[1].strip().splitlines()
    commands = [line.strip().split("  ")[0] for line in lines]
    assert commands[0].endswith("lean-spec --help")
    for command in commands[:3]:
        run(command.split(), clean_environment(), cwd=released_tree)

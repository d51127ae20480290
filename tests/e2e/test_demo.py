"""`demo`, as a newcomer sees it, and where npm has nothing for the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from scripts.tools.processes import clean_environment
from tests.support.preconditions import needs
from tests.support.registry import serving
from tests.support.surroundings import run
from tests.support.versions import RELEASED

Scripts = Callable[..., CompletedProcess[str]]
pytestmark = needs("npm")


def test_where_npm_has_no_binary_it_says_what_to_do_instead(
    scripts: Scripts, tmp_path: Path
) -> None:
    with serving(tmp_path / "npm") as registry:
        done = scripts("demo", code=1, env=clean_environment(**registry.settings()))
    assert f"error: npm has no LeanSpec {RELEASED} for " in done.stderr
    assert (
        "hint: build the binaries from a workspace: `python -m scripts collect cargo"
        in done.stderr
    )


@pytest.mark.network
def test_the_whole_way(scripts: Scripts, released_tree: Path, version: str) -> None:
    done = scripts("demo")
    assert f"lean-spec {version}\n" in done.stdout
    assert "001-my-first-spec" in done.stdout
    assert "PROJECT BOARD" in done.stdout
    assert f"leanspec-mcp {version} offers 11 tools" in done.stderr
    lines = [
        line.strip().split("  ")[0]
        for line in done.stderr.split("next:")[1].strip().splitlines()
    ]
    assert lines[0].endswith("lean-spec --help")
    for line in lines[:3]:
        run(line.split(), clean_environment(), cwd=released_tree)

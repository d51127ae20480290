"""`server.json`, as the registry of MCP servers takes it, and everything that it refuses."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.gates.mcp_registry import FILE, mcp_registry
from scripts.model.plan import Plan, read_plan
from scripts.publish.registry import PUBLISHER, publish_server
from tests.support.preconditions import missing

README = "platform_wheels/mcp-command/README.md"
SCHEMA = "LEANSPEC_MCP_SCHEMA"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / README).parent.mkdir(parents=True)
    shutil.copy(ROOT / FILE, tmp_path / FILE)
    shutil.copy(ROOT / README, tmp_path / README)
    return tmp_path


@pytest.fixture
def plan() -> Plan:
    return read_plan()


def wrong(tree: Path, plan: Plan) -> list[str]:
    return [each.subject for each in mcp_registry(plan, tree) if not each.passed]


def package(key: str, value: object) -> Change:
    return lambda stated: stated["packages"][0].update({key: value})


def test_ours_is_taken(tree: Path, plan: Plan) -> None:
    assert wrong(tree, plan) == []


CHANGES: list[tuple[Change, str]] = [
    (lambda stated: stated.update(description="x" * 101), "description"),
    (lambda stated: stated.update(description=""), "description"),
    (lambda stated: stated.update(title="x" * 101), "title"),
    (lambda stated: stated.update(name="io.github.someone/leanspec"), "name"),
    (lambda stated: stated.update(name="io.github.codervisor/lean spec"), "name"),
    (lambda stated: stated.update(version="0.0.1"), "version"),
    (lambda stated: stated.update(packages=[]), "packages"),
    (lambda stated: stated.update(packages=["leanspec-mcp"]), "packages"),
    (lambda stated: stated.pop("repository"), "name"),
    (lambda stated: stated.update({"$schema": "x"}), "$schema"),
    (package("registryType", "pip"), "packages: registryType"),
    (package("identifier", "lean-spec"), "packages: identifier"),
    (package("version", "^0.3.0"), "packages: version"),
    (package("version", "latest"), "packages: version"),
    (package("registryBaseUrl", "https://example.org"), "packages: registryBaseUrl"),
    (package("transport", {"type": "sse", "url": "x"}), "packages: transport"),
]


@pytest.mark.parametrize(("change", "subject"), CHANGES)
def test_what_is_wrong_is_named(
    tree: Path, plan: Plan, change: Change, subject: str
) -> None:
    stated = json.loads((tree / FILE).read_text())
    change(stated)
    (tree / FILE).write_text(json.dumps(stated))
    assert subject in wrong(tree, plan)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_what_is_no_object_is_named(tree: Path, plan: Plan, text: str) -> None:
    (tree / FILE).write_text(text)
    assert wrong(tree, plan) == [FILE]


def test_the_package_says_which_server_it_is_of(tree: Path, plan: Plan) -> None:
    path = tree / README
    path.write_text(path.read_text().replace("mcp-name: ", "mcp-name: x"))
    assert wrong(tree, plan) == ["README.md of leanspec-mcp"]


def test_the_registrys_own_schema_agrees(pytestconfig: pytest.Config) -> None:
    """Where it is given: it names hosts of registries, so it is not in this repository."""
    path = pytestconfig.getoption("--mcp-schema")
    if not path:
        missing("the MCP registry's schema", "see `--mcp-schema` in tests/conftest.py")
    # Its import compiles grammars for three seconds, which no other test shall wait for.
    from jsonschema import Draft7Validator  # noqa: PLC0415

    validator = Draft7Validator(json.loads(Path(path).read_text("utf-8")))
    assert list(validator.iter_errors(json.loads((ROOT / FILE).read_text("utf-8")))) == []


GO = """#!/bin/sh
echo "$*" >> "$0.log"
echo "published"
exit {}
"""


@pytest.mark.posix
def test_the_registrys_own_publisher_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    go.write_text(GO.format(0))
    go.chmod(0o755)
    publish_server(dry_run=True)
    assert not (tmp_path / "go.log").exists()
    publish_server(dry_run=False)
    told = (tmp_path / "go.log").read_text().splitlines()
    assert told == [f"run {PUBLISHER} login github-oidc", f"run {PUBLISHER} publish"]
    go.write_text(GO.format(1))
    with pytest.raises(CommandError, match="the registry's publisher"):
        publish_server(dry_run=False)
    go.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="`go` is not installed"):
        publish_server(dry_run=False)


def test_a_wrong_description_is_not_published(tree: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tree)
    publish_server(tree, dry_run=True)
    stated = json.loads((tree / FILE).read_text())
    (tree / FILE).write_text(json.dumps(stated | {"version": "0.0.1"}))
    with pytest.raises(CommandError, match=r"version: expected .*, found 0\.0\.1"):
        publish_server(tree, dry_run=False)

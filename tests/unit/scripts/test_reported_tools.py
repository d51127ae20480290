"""Tools of a release: asked of the server for each adapter, and compared after an installation."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from leanspec_launcher.tools import AS_RELEASED
from scripts.collect.reported import ADAPTERS, reported_tools
from scripts.gates.installation import compare_tools
from tests.support.preconditions import missing
from tests.support.surroundings import shebang

if sys.platform == "win32":
    missing("POSIX", "the server is a script")

SERVER = """
import json, os, pathlib, sys

adapter = pathlib.Path("leanspec.adapter.yaml").read_text().split()[1]
names = ["list", adapter, os.environ["HTTPS_PROXY"]]
identity = {"name": "leanspec-mcp", "version": "1.2.3"}
for line in sys.stdin:
    message = json.loads(line)
    answer = {"error": {"code": -32601}}
    if message["method"] == "initialize":
        answer = {"result": {"serverInfo": identity}}
    if message["method"] == "tools/list":
        answer = {"result": {"tools": [{"name": name} for name in names]}}
    print(json.dumps({"id": message.get("id")} | answer), flush=True)
"""


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """Return a folder with a server that has a tool for its project's adapter."""
    path = tmp_path / "leanspec-mcp"
    path.write_text(f"{shebang()}{SERVER}")
    path.chmod(0o755)
    return tmp_path


def test_tools_are_listed_per_adapter_without_a_network(commands: Path) -> None:
    tools = reported_tools(commands / "leanspec-mcp")
    assert [*tools] == [*ADAPTERS]
    for adapter, outlines in tools.items():
        assert [*outlines] == ["list", adapter, "http://127.0.0.1:9"]


@pytest.mark.long
def test_check_names_a_tool_that_differs_from_the_release(commands: Path) -> None:
    tools = reported_tools(commands / "leanspec-mcp")
    findings = [*compare_tools(commands, tools, "gate")]
    assert [(each.passed, each.actual) for each in findings] == [(True, AS_RELEASED)] * 4
    released = json.loads(json.dumps(tools))
    released["github"]["board"] = released["github"].pop("list")
    del released["jira"]
    findings = [*compare_tools(commands, released, "gate")]
    wrong = {each.subject: each.actual for each in findings if not each.passed}
    assert wrong == {
        "leanspec-mcp tools of a github project": "tool `board` is gone; tool `list` is new",
        "leanspec-mcp tools of a jira project": "`lean-spec` does not state the released ones",
    }


def test_a_server_that_does_not_start_is_a_finding(tmp_path: Path) -> None:
    (finding,) = compare_tools(tmp_path, {}, "gate")
    assert not finding.passed
    assert "leanspec-mcp" in str(finding.actual)

"""Tools of the server: what a release states of them, and the change in words, in doctor too."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from leanspec_launcher.tools import adapter, change, digest, outlines
from tests.support.site import Site, script


def tool(name: str, *required: str, description: str = "", **types: str) -> dict[str, Any]:
    """Return a tool whose parameters have these types."""
    properties = {parameter: {"type": kind} for parameter, kind in types.items()}
    schema = {"type": "object", "properties": properties, "required": [*required]}
    return {"name": name, "description": description, "inputSchema": schema}


BEFORE = [tool("create", "title", title="string", status="string"), tool("list")]


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (BEFORE[::-1], "as released"),
        ([*BEFORE, tool("board")], "tool `board` is new"),
        (BEFORE[:1], "tool `list` is gone"),
        ([tool("a"), tool("b")], "tools `create`, `list` are gone; tools `a`, `b` are new"),
        (
            [tool("create", "title", title="string"), BEFORE[1]],
            "`create`: parameter `status` is gone",
        ),
        (
            [tool("create", "status", status="string", x="string"), BEFORE[1]],
            "`create`: parameter `title` is gone, parameter `x` is new, parameter `status` is now required",
        ),
        (
            [tool("create", title="string", status="string"), BEFORE[1]],
            "`create`: parameter `title` is no longer required",
        ),
        (
            [tool("create", "title", title="string", status="number"), BEFORE[1]],
            "`create`: its description, or the type of a parameter, changed",
        ),
        (
            [BEFORE[0], tool("list", description="Lists.")],
            "`list`: its description, or the type of a parameter, changed",
        ),
    ],
)
def test_a_change_of_tools_is_named_in_words(
    after: list[dict[str, Any]], words: str
) -> None:
    assert change(outlines(BEFORE), outlines(after)) == words


def test_digest_ignores_the_order_of_tools() -> None:
    expected = digest(outlines(BEFORE))
    other = [dict(reversed(each.items())) | {"title": "T"} for each in reversed(BEFORE)]
    assert digest(outlines(other)) == expected
    assert digest(outlines(BEFORE[:1])) != expected


def test_a_tool_needs_no_schema() -> None:
    (outline,) = outlines([{"name": "bare", "inputSchema": None}]).values()
    assert " " not in outline


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({}, "markdown"),
        ({"leanspec.adapter.yaml": "# ours\nadapter: github\nowner: a\n"}, "github"),
        ({".lean-spec/adapter.yaml": "adapter: 'ado'\n"}, "ado"),
        ({"leanspec.provider.yaml": 'provider: "jira" # old\n'}, "jira"),
        (
            {
                "leanspec.adapter.yaml": "owner: a\n",
                "leanspec.provider.yaml": "provider: x\n",
            },
            "markdown",
        ),
        ({"leanspec.adapter.yaml": b"\xff\xfe"}, ""),
    ],
)
def test_the_adapter_is_that_of_the_first_file(
    files: dict[str, str | bytes], name: str, tmp_path: Path
) -> None:
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert adapter(tmp_path) == name


def server(protocol: str, tools: list[dict[str, Any]]) -> bytes:
    """Return a server that speaks one version of the protocol."""
    identity = {"name": "leanspec-mcp", "version": "9.9.9"}
    discovered = {
        "supportedVersions": [protocol],
        "_meta": {"io.modelcontextprotocol/serverInfo": identity},
    }
    method, result = "initialize", {"serverInfo": identity, "protocolVersion": protocol}
    if protocol == "2026-07-28":
        method, result = "server/discover", discovered
    answers = {method: result, "tools/list": {"tools": tools}}
    code = (
        "import json, sys\n"
        "answers = json.loads(sys.argv[1])\n"
        "for line in sys.stdin:\n"
        "    message = json.loads(line)\n"
        "    result = answers.get(message['method'])\n"
        "    answer = {'result': result} if result else {'error': {'code': -32601}}\n"
        "    print(json.dumps({'id': message.get('id')} | answer), flush=True)\n"
    )
    words = [sys.executable, "-I", "-S", "-c", code, json.dumps(answers)]
    return script(f"exec {shlex.join(words)}")


def findings(site: Site, **env: str) -> dict[str, tuple[str, str]]:
    """Return what doctor reports of the server: name -> status and value."""
    report = json.loads(site.manage("doctor", "--json", env=env).stdout)
    return {
        each["name"]: (each["status"], each["value"])
        for each in report["findings"]
        if each["section"] == "leanspec-mcp"
    }


@pytest.mark.long
@pytest.mark.posix
def test_doctor_reports_tools_that_differ_from_the_release(site: Site) -> None:
    program = server("2024-11-05", BEFORE)
    site.tools = {"markdown": outlines(BEFORE)}
    site.install("mcp", program)
    report = findings(site)
    assert report["protocol"] == ("ok", "MCP 2024-11-05")
    assert report["tools"] == ("ok", "2 tools, as released")
    binary = site.root / "own"
    binary.write_bytes(server("2024-11-05", BEFORE[:1]))
    binary.chmod(0o755)
    report = findings(site, LEANSPEC_MCP_BINARY=str(binary))
    assert report["tools"] == ("warning", "1 tools, not as released: tool `list` is gone")
    # The same program: the project's own schema made the difference.
    site.tools = {"markdown": outlines(BEFORE[:1])}
    site.write_pins()
    words = "2 tools; by this project's schema, tool `list` is new"
    assert findings(site)["tools"] == ("ok", words)
    site.tools = {"github": {}}
    site.write_pins()
    words = "2 tools; the release lists no tools for this project's adapter"
    assert findings(site)["tools"] == ("ok", words)


@pytest.mark.long
@pytest.mark.posix
def test_doctor_names_the_clients_that_would_refuse_the_server(site: Site) -> None:
    program = server("2026-07-28", BEFORE)
    site.install("mcp", program)
    assert findings(site)["protocol"] == ("ok", "MCP 2026-07-28")
    for name in (".gemini/settings.json", ".claude.json", ".cursor/mcp.json"):
        path = Path(site.env["HOME"], name)
        path.parent.mkdir(exist_ok=True)
        entry = {"command": "/bin/leanspec-mcp", "args": []}
        path.write_text(json.dumps({"mcpServers": {"leanspec": entry}}))
    words = "MCP 2026-07-28: gemini would refuse this server"
    assert findings(site)["protocol"] == ("warning", words)

"""The official MCP client of Python against the installed server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanspec_launcher.protocol import INITIALIZED, handshake
from tests.support.installers import Installation
from tests.support.programs import install_programs
from tests.support.surroundings import run

CLIENT = """
import json, os, sys
import anyio
from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

async def talk():
    server = StdioServerParameters(command=sys.argv[1], env=dict(os.environ))
    with anyio.fail_after(60):
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            hello = await session.initialize()
            tools = await session.list_tools()
            result = await session.call_tool("list_specs", {})
            names = [tool.name for tool in tools.tools]
            return hello.server_info.version, names, result.model_dump(mode="json")

print(json.dumps(anyio.run(talk)))
"""


@pytest.mark.network
def test_the_official_client_lists_the_tools_and_calls_one(
    installed: Installation, tmp_path: Path, version: str
) -> None:
    python = install_programs(tmp_path) / "python"
    project = tmp_path / "project"
    project.mkdir()
    for arguments in (["init", "-y"], ["create", "first-spec"]):
        installed.start("lean-spec", *arguments, cwd=project)
    command: list[str | Path] = [python, "-c", CLIENT, installed.commands / "leanspec-mcp"]
    # LeanSpec 0.3.0 answers a notification: the client logs that with a traceback, and goes on.
    output = run(command, installed.env, cwd=project, traceback=True).stdout
    announced, tools, result = json.loads(output)
    assert announced == version
    assert len(tools) == 11
    assert "list_specs" in tools
    assert "001-first-spec" in json.dumps(result)


def test_the_server_makes_no_specs_in_the_home_folder(
    installed: Installation, tmp_path: Path
) -> None:
    call = {"name": "create_spec", "arguments": {"title": "First"}}
    request = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": call}
    text = "".join(
        f"{json.dumps(message)}\n" for message in (handshake(), INITIALIZED, request)
    )
    env, command = (
        installed.env | {"HOME": str(tmp_path)},
        installed.commands / "leanspec-mcp",
    )
    for folder in (tmp_path, Path("/")):
        refused = run([command], env, cwd=folder, text=text, code=126)
        assert refused.stderr.startswith("error: refusing to start `leanspec-mcp` in `")
        assert refused.stdout == ""
    assert not (tmp_path / "specs").exists()
    run([command], env | {"LEANSPEC_MCP_ANYWHERE": "1"}, cwd=tmp_path, text=text)
    assert (tmp_path / "specs/001-first/README.md").exists(), "which nobody asked for"
    again = run([command], env, cwd=tmp_path, text=text).stdout
    assert "002-first" in again, "now the folder is a project"

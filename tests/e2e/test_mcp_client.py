"""The official MCP client of Python against the installed server."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.installers import Installation


def test_the_official_client_lists_the_tools_and_calls_one(
    installed: Installation, tmp_path: Path, version: str
) -> None:
    # Takes a second to import, which no other test shall wait for.
    import anyio  # noqa: PLC0415
    from mcp import ClientSession  # noqa: PLC0415
    from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: PLC0415

    project = tmp_path / "project"
    project.mkdir()
    for arguments in (["init", "-y"], ["create", "first-spec"]):
        installed.start("lean-spec", *arguments, cwd=project)
    command = str(installed.commands / "leanspec-mcp")
    server = StdioServerParameters(command=command, env=installed.env, cwd=project)

    async def talk() -> tuple[str, list[str], str]:
        with anyio.fail_after(60):
            async with stdio_client(server) as streams, ClientSession(*streams) as session:
                hello = await session.initialize()
                tools = await session.list_tools()
                result = await session.call_tool("list_specs", {})
                text = json.dumps(result.model_dump(mode="json"))
                return hello.server_info.version, [tool.name for tool in tools.tools], text

    announced, tools, text = anyio.run(talk)
    assert announced == version
    assert len(tools) == 11
    assert "list_specs" in tools
    assert "001-first-spec" in text

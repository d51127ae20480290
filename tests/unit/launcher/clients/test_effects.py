"""`mcp-config`: who else reads a file, what a client refuses, and what switches a server off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.clients.places import file_to_change
from leanspec_launcher.manage.clients.table import CLIENTS
from tests.support.clients import NPX, PROGRAM, STDIO, TEAM, Ask, configured_as, put, write


def test_claude_and_copilot_accept_the_same_entry_in_one_file(ask: Ask) -> None:
    first = ask("claude", "--write", "--yes").stdout
    for reader in ("GitHub Copilot CLI", "VS Code"):
        assert f"{reader} reads this file, too" in first
    assert json.loads(Path(".mcp.json").read_text())["mcpServers"]["leanspec"] == STDIO
    assert "has it already" in ask("copilot", "--write", "--yes").stdout
    assert "Claude Code reads this file, too" in ask("copilot", "--remove", "--yes").stdout


def test_the_word_of_copilot_alone_is_replaced(ask: Ask) -> None:
    entry = {"type": "local", "command": "leanspec-mcp", "args": [], "tools": ["*"]}
    put(Path(".mcp.json"), entry)
    (finding,) = configured_as("claude")
    assert "has the type `local`, which Claude Code does not know" in finding.problem
    ask("claude", "--write", "--yes")
    servers = json.loads(Path(".mcp.json").read_text())["mcpServers"]
    assert servers["leanspec"] == STDIO | {"tools": ["*"]}


def test_copilot_gets_its_server_where_the_teams_are(ask: Ask) -> None:
    write(Path(".github/mcp.json"), json.dumps(TEAM))
    ask("copilot", "--write", "--yes")
    expected = ["team", "leanspec"]
    assert list(json.loads(Path(".github/mcp.json").read_text())["mcpServers"]) == expected
    assert not Path(".mcp.json").exists()


def test_a_new_file_hides_no_other_from_its_second_reader(ask: Ask) -> None:
    write(Path(".github/mcp.json"), json.dumps(TEAM))
    with pytest.raises(CommandError, match="would keep GitHub Copilot CLI from reading"):
        ask("claude", "--write", "--yes")
    assert not Path(".mcp.json").exists()


@pytest.mark.parametrize("client", ["claude", "copilot"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{\n  // mine\n  "mcpServers": {}\n}', "it has a comment in line 2"),
        ('{"mcpServers": {},\n}', "it has a comma after the last member in line 1"),
    ],
)
def test_a_file_that_a_client_refuses_is_not_added_to(
    client: str, text: str, reason: str, ask: Ask
) -> None:
    file = write(Path(".mcp.json"), text)
    refused = rf"{CLIENTS[client].title} refuses the whole file `.*`: {reason}"
    with pytest.raises(CommandError, match=refused):
        ask(client, "--write", "--yes")
    assert file.read_text() == text


def test_doctor_says_that_a_client_refuses_the_whole_file(ask: Ask) -> None:
    ask("claude", "--write", "--yes")
    file = Path(".mcp.json")
    write(file, "// mine\n" + file.read_text())
    (finding,) = configured_as("claude")
    expected = "Claude Code refuses the whole file: it has a comment in line 1"
    assert finding.problem == expected


def test_comments_that_a_client_takes_stay(ask: Ask) -> None:
    for client, name in (("vscode", ".vscode/mcp.json"), ("zed", ".zed/settings.json")):
        file = write(Path(name), "{\n  // mine\n}\n")
        ask(client, "--write", "--yes")
        assert "// mine" in file.read_text()


@pytest.mark.parametrize("text", ['{"mcpServers": {"leanspec": null}}', "", "{}"])
def test_what_says_nothing_is_filled_and_emptied_again(
    text: str, ask: Ask, home: Path
) -> None:
    file = write(home / ".qwen/settings.json", text)
    ask("qwen", "--write", "--scope", "user", "--yes")
    assert PROGRAM in file.read_text()
    ask("qwen", "--remove", "--scope", "user", "--yes")
    assert "leanspec" not in file.read_text() or file.read_text() == text


@pytest.mark.parametrize(
    ("client", "file", "member"),
    [
        ("kiro", ".kiro/settings/mcp.json", {"disabled": True}),
        ("devin", ".devin/mcp_config.json", {"disabled": True}),
        ("copilot", ".mcp.json", {"disabled": True}),
        ("zed", ".zed/settings.json", {"enabled": False}),
        ("codex", ".codex/config.toml", {"enabled": False}),
    ],
)
def test_a_server_that_is_off_stays_off_and_is_said(
    client: str, file: str, member: dict[str, bool], ask: Ask, home: Path
) -> None:
    (home / ".copilot").mkdir()
    (key,) = member
    ask(client, "--write", "--yes")
    written = file_to_change(CLIENTS[client], "project", Path.cwd())
    if file.endswith(".toml"):
        written.write_text(f"{written.read_text()}{key} = false\n")
    else:
        document = json.loads(written.read_text())
        document[CLIENTS[client].table[0]]["leanspec"].update(member)
        written.write_text(json.dumps(document, indent=2))
    again = ask(client, "--write", "--yes").stdout
    assert f"it stays switched off, by `{key}`: `--enable` switches it on" in again
    (finding,) = configured_as(client)
    assert finding.problem == f"is switched off, by `{key}`"
    assert finding.hint.endswith("--enable")
    assert "it is switched on" in ask(client, "--write", "--yes", "--enable").stdout
    assert not any("switched off" in entry.problem for entry in configured_as(client))


@pytest.mark.parametrize(
    ("client", "file", "document"),
    [
        ("claude", ".claude/settings.local.json", {"disabledMcpjsonServers": ["leanspec"]}),
        ("copilot", ".github/copilot/settings.json", {"disabledMcpServers": ["leanspec"]}),
        ("gemini", ".gemini/settings.json", {"mcp": {"excluded": ["LeanSpec"]}}),
        ("qwen", ".qwen/settings.json", {"mcp": {"allowed": ["other"]}}),
    ],
)
def test_a_list_that_switches_the_server_off_is_said(
    client: str, file: str, document: object, ask: Ask, home: Path
) -> None:
    (home / ".copilot").mkdir()
    write(Path(file), json.dumps(document))
    output = ask(client, "--write", "--yes").stdout
    assert f"it stays switched off, by `{Path(file).absolute()}`" in output
    (finding,) = configured_as(client)
    assert finding.problem == f"is switched off, by `{Path(file).absolute()}`"


def test_members_of_another_kind_of_server_go_with_a_word(ask: Ask) -> None:
    entry = NPX | {"url": "https://x", "headers": {"Key": "secret"}, "timeout": 9}
    entry |= {"type": "http"}
    file = put(Path(".gemini/settings.json"), entry)
    output = ask("gemini", "--write", "--yes").stdout
    assert "`url` is removed: it belongs to a server of another kind" in output
    assert "`type` is removed: it is for" in output
    assert "secret" not in output
    server = json.loads(file.read_text())["mcpServers"]["leanspec"]
    assert server == {"command": "uvx", "args": ["leanspec-mcp"], "timeout": 9}


def test_a_users_own_tools_and_variables_stay(ask: Ask, home: Path) -> None:
    entry = NPX | {"tools": ["list_specs"], "env": {"A": "1"}}
    file = put(home / ".copilot/mcp-config.json", entry)
    ask("copilot", "--write", "--scope", "user", "--yes")
    server = json.loads(file.read_text())["mcpServers"]["leanspec"]
    assert (server["tools"], server["env"]) == (["list_specs"], {"A": "1"})

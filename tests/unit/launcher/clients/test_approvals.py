"""`mcp-config` and `doctor`: approvals and trust of a client, and a second entry of the server."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.clients.configured import configured
from leanspec_launcher.manage.clients.table import CLIENTS
from tests.support.clients import (
    NPX,
    PROGRAM,
    Ask,
    configured_as,
    contents,
    put,
    quoted,
    write,
)


def test_a_projects_server_decides_once_it_is_approved(ask: Ask, home: Path) -> None:
    ask("claude", "--write", "--yes")
    ask("claude", "--write", "--scope", "user", "--yes")
    project, user = configured_as("claude")
    assert "`Pending approval`" in project.starts
    assert user.starts == f"`{PROGRAM}` in the project that is open"
    write(home / ".claude/settings.json", '{"enabledMcpjsonServers": ["leanspec"]}')
    project, user = configured_as("claude")
    assert "Pending" not in project.starts
    assert user.starts == f"`leanspec` is not used: `{project.path}` decides"


@pytest.mark.parametrize(
    ("client", "file", "text"),
    [
        ("copilot", ".copilot/config.json", '{"trusted_folders": ["PLACE"]}'),
        ("codex", ".codex/config.toml", '[projects."PLACE"]\ntrust_level = "trusted"\n'),
        ("gemini", ".gemini/trustedFolders.json", '{"PLACE": "TRUST_FOLDER"}'),
    ],
)
def test_a_folder_that_is_trusted_is_no_longer_asked_about(
    client: str, file: str, text: str, ask: Ask, home: Path
) -> None:
    question = CLIENTS[client].approval
    assert question in ask(client, "--write", "--yes").stdout
    write(home / file, text.replace("PLACE", quoted(Path.cwd().parent)))
    assert question not in ask(client, "--write", "--yes").stdout


def test_a_list_of_the_projects_servers_is_not_one_of_the_users(
    ask: Ask, home: Path
) -> None:
    write(home / ".claude/settings.json", '{"disabledMcpjsonServers": ["leanspec"]}')
    ask("claude", "--write", "--scope", "user", "--yes")
    (finding,) = configured_as("claude")
    assert "switched off" not in finding.problem


def test_a_folder_that_the_client_ignores_is_no_problem(home: Path, tmp_path: Path) -> None:
    program = write(tmp_path / "leanspec-mcp", "")
    program.chmod(0o755)
    entry = {"command": str(program), "cwd": "/"}
    put(home / ".claude.json", entry)
    put(home / ".qwen/settings.json", entry)
    claude, qwen = [*configured_as("claude"), *configured_as("qwen")]
    assert claude.problem == ""
    assert qwen.problem == "is started in `/`, which has no specs"


def test_a_second_entry_of_the_server_is_said(ask: Ask, home: Path) -> None:
    put(home / ".qwen/settings.json", NPX, "specs")
    output = ask("qwen", "--write", "--scope", "user", "--yes").stdout
    assert "`specs` in this file starts this server, too" in output
    first, second = configured_as("qwen")
    assert first.starts.startswith("`specs` starts ")
    assert second.starts.startswith(f"`{PROGRAM}`")
    output = ask("qwen", "--remove", "--scope", "user", "--yes").stdout
    assert "`specs` is still in " in output
    assert "mcp-config qwen --remove --scope user --name specs" in output


def test_an_entry_that_names_an_address_too_is_said(home: Path) -> None:
    entry = {
        "command": sys.executable,
        "args": ["-m", "leanspec_launcher"],
        "url": "https://x",
    }
    put(home / ".gemini/settings.json", entry)
    (finding,) = configured_as("gemini")
    expected = "also has `url`, which a client may use instead of the command"
    assert finding.problem == expected


def test_a_file_below_the_project_is_the_projects(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, below = Path.cwd(), Path.cwd() / "specs/001-first"
    below.mkdir()
    monkeypatch.chdir(below)
    ask("kiro", "--write", "--yes")
    assert (project / ".kiro/settings/mcp.json").is_file()
    assert [entry.client for entry in configured(below)] == ["kiro"]
    ask("qwen", "--write", "--yes")
    # It looks nowhere else.
    assert [entry.client for entry in configured(below)] == ["kiro"]
    assert [entry.client for entry in configured(project)] == ["kiro", "qwen"]
    monkeypatch.chdir("/")
    words = f"`{Path.cwd()}` is not the folder of a project"
    with pytest.raises(CommandError, match=re.escape(words)):
        ask("kiro", "--write", "--yes")
    monkeypatch.chdir(home.parent)
    output = ask("kiro", "--write", "--dry-run").stdout
    assert "there are no specs in" in output


def test_a_list_of_a_policy_that_leaves_the_server_out_is_said(
    ask: Ask, home: Path
) -> None:
    settings = home / ".claude/settings.json"
    policies: list[dict[str, object]] = [
        {"deniedMcpServers": [{"serverName": "leanspec"}]},
        {"allowedMcpServers": [{"serverName": "other"}]},
        {"allowedMcpServers": [{"serverName": "leanspec"}, {"serverCommand": ["x"]}]},
        {"allowedMcpServers": []},
    ]
    for policy in policies:
        write(settings, json.dumps(policy))
        output = ask("claude", "--write", "--yes", "--scope", "user").stdout
        assert f"the lists in `{settings}` exclude it" in output
        (finding,) = configured_as("claude")
        assert finding.problem == f"is excluded by the lists in `{settings}`"
    lines = ask("claude", "--policy", "--scope", "user").stdout.splitlines()[1:]
    write(settings, json.dumps({"allowedMcpServers": [json.loads(line) for line in lines]}))
    (finding,) = configured_as("claude")
    assert "lists" not in finding.problem


def test_an_entry_with_nothing_but_a_switch_is_completed(ask: Ask, home: Path) -> None:
    servers = {"mcpServers": {"leanspec": {"disabled": True}}}
    file = write(home / ".kiro/settings/mcp.json", json.dumps(servers))
    (finding,) = configured_as("kiro")
    assert finding.hint.endswith("--enable")
    ask("kiro", "--write", "--yes", "--scope", "user", "--enable")
    entry = json.loads(file.read_text())["mcpServers"]["leanspec"]
    assert (entry["command"], "disabled" in entry) == (PROGRAM, False)


@pytest.mark.parametrize("text", ["", '{\n  "a": 1\n}\n'])
def test_several_changes_leave_nothing_either(text: str, ask: Ask, home: Path) -> None:
    if text:
        write(home / ".qwen/settings.json", text)
    before = contents(home)
    for options in ((), ("--portable",), ("--name", "b"), ("--name", "b", "--portable")):
        ask("qwen", "--write", "--yes", "--scope", "user", *options)
    ask("qwen", "--remove", "--yes", "--scope", "user")
    ask("qwen", "--remove", "--yes", "--scope", "user", "--name", "b")
    assert contents(home) == before


def test_a_hint_names_the_project_of_a_file_above(ask: Ask) -> None:
    above, below = Path.cwd(), Path.cwd() / "below"
    entry = {"mcpServers": {"leanspec": NPX}}
    write(above / ".mcp.json", json.dumps(entry))
    (below / "specs").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(below)
        (finding,) = configured_as("claude")
    assert finding.hint.endswith(f"--write --scope project --project {above}")
    ask(*finding.hint.split()[2:], "--yes")
    assert "npx" not in (above / ".mcp.json").read_text()


@pytest.mark.parametrize("name", ["", " ", "a b", "__proto__", "constructor", "workspace"])
def test_a_name_that_no_client_takes_is_refused(name: str, ask: Ask) -> None:
    error = ask("claude", "--write", "--yes", "--name", name).exception
    assert "invalid name of a server" in str(error)


BARE = {"other": {"command": "/bin/true"}}


def test_servers_at_the_top_level_stay_there_for_copilot(ask: Ask, home: Path) -> None:
    (home / ".copilot").mkdir()
    file = write(Path(".mcp.json"), json.dumps(BARE))
    ask("copilot", "--write", "--yes")
    assert list(json.loads(file.read_text())) == ["other", "leanspec"]
    (finding,) = configured_as("copilot")
    assert finding.path == file.absolute()
    ask("copilot", "--remove", "--yes")
    assert json.loads(file.read_text()) == BARE


def test_servers_at_the_top_level_are_hidden_by_no_table(ask: Ask) -> None:
    file = write(Path(".mcp.json"), json.dumps(BARE))
    with pytest.raises(CommandError, match="would hide those at its top level from GitHub"):
        ask("claude", "--write", "--yes")
    assert json.loads(file.read_text()) == BARE


def test_a_table_goes_that_came_with_the_server(ask: Ask) -> None:
    """The client has added a member of its own meanwhile."""
    ask("opencode", "--write", "--yes")
    file = Path("opencode.json")
    document = json.loads(file.read_text()) | {"$schema": "https://x"}
    file.write_text(json.dumps(document))
    ask("opencode", "--remove", "--yes")
    assert json.loads(file.read_text()) == {"$schema": "https://x"}


def test_the_server_of_another_project_goes_with_a_word(ask: Ask, home: Path) -> None:
    ask("cline", "--write", "--yes")
    other = home.parent / "other"
    (other / "specs").mkdir(parents=True)
    output = ask("cline", "--write", "--yes", "--project", str(other)).stdout
    words = f"the server of `{Path.cwd()}` is replaced: another `--name` keeps both"
    assert words in output


def test_a_rejected_server_of_a_project_decides_nothing(ask: Ask, home: Path) -> None:
    write(home / ".claude/settings.json", '{"disabledMcpjsonServers": ["leanspec"]}')
    ask("claude", "--write", "--yes")
    ask("claude", "--write", "--scope", "user", "--yes")
    project, user = configured_as("claude")
    assert project.problem.startswith("is switched off, by ")
    assert "not used" not in user.starts


@pytest.mark.parametrize("entry", [NPX, {"command": "leanspec-mcp", "args": ["--own"]}])
def test_an_entry_that_somebody_else_wrote_is_kept_in_a_copy(
    entry: dict[str, object], ask: Ask, home: Path
) -> None:
    text = json.dumps({"mcpServers": {"leanspec": entry}}, indent=2) + "\n"
    file = write(home / ".qwen/settings.json", text)
    ask("qwen", "--write", "--scope", "user", "--yes")
    assert file.with_name(f"{file.name}.before-leanspec").read_text() == text
    write(file, text).with_name(f"{file.name}.before-leanspec").unlink()
    ask("qwen", "--remove", "--scope", "user", "--yes")
    assert file.with_name(f"{file.name}.before-leanspec").read_text() == text


def test_a_runner_without_a_package_is_another_program(ask: Ask, home: Path) -> None:
    entry = {"mcpServers": {"leanspec": {"command": "uvx"}, "b": {"command": ""}}}
    write(home / ".qwen/settings.json", json.dumps(entry))
    with pytest.raises(CommandError, match="another server under the name"):
        ask("qwen", "--write", "--scope", "user", "--yes")
    ask("qwen", "--write", "--scope", "user", "--yes", "--force")
    assert len(configured_as("qwen")) == 1


def test_a_project_of_another_tracker_has_no_specs(ask: Ask, home: Path) -> None:
    project = home.parent / "tracked"
    write(project / "leanspec.adapter.yaml", "adapter: github\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        output = ask("cline", "--write", "--yes").stdout
        assert quoted(project) in output
        assert "no specs" not in ask("kiro", "--write", "--dry-run").stdout
        assert not any("no specs" in entry.problem for entry in configured(project))

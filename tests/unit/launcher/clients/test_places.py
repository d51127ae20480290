"""`mcp-config`: which of a client's files decides, who else reads it, and what the client would refuse."""

from __future__ import annotations

import datetime as dt
import json
import sys
import warnings
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.clients import effects, places
from leanspec_launcher.manage.clients.configured import Configured, configured
from leanspec_launcher.manage.clients.places import file_to_change
from leanspec_launcher.manage.clients.table import CLIENTS
from tests.support.clients import PROGRAM, Ask, contents, write

LONGEST = dt.timedelta(days=120)
NPX = {"command": "npx", "args": ["-y", "@leanspec/mcp"]}
TEAM = {"mcpServers": {"team": {"type": "local", "command": "/bin/cat", "args": []}}}
# A program that is there, and is called like ours.
ENDURING = "${HOME}/leanspec-mcp"
STDIO = {"type": "stdio", "command": "uvx", "args": ["leanspec-mcp"]}


def of(client: str) -> list[Configured]:
    """Return what doctor finds for a client in this folder."""
    return [each for each in configured(Path.cwd()) if each.client == client]


def test_each_row_was_checked_in_the_last_120_days() -> None:
    for client in CLIENTS.values():
        age = dt.datetime.now(tz=dt.UTC).date() - client.checked
        if age > LONGEST:
            warnings.warn(
                f"{client.title} was checked {age.days} days ago: see {client.source}",
                stacklevel=1,
            )


# Two readers of one file.


def test_claude_and_copilot_accept_the_same_entry_in_one_file(ask: Ask) -> None:
    first = ask("claude", "--write", "--yes").stdout
    for reader in ("GitHub Copilot CLI", "VS Code"):
        assert f"{reader} reads this file, too" in first
    assert json.loads(Path(".mcp.json").read_text())["mcpServers"]["leanspec"] == STDIO
    assert "has it already" in ask("copilot", "--write", "--yes").stdout
    assert "Claude Code reads this file, too" in ask("copilot", "--remove", "--yes").stdout


def test_the_word_of_copilot_alone_is_replaced(ask: Ask) -> None:
    entry = {"type": "local", "command": "leanspec-mcp", "args": [], "tools": ["*"]}
    write(Path(".mcp.json"), json.dumps({"mcpServers": {"leanspec": entry}}))
    (finding,) = of("claude")
    assert "has the type `local`, which Claude Code does not know" in finding.problem
    ask("claude", "--write", "--yes")
    servers = json.loads(Path(".mcp.json").read_text())["mcpServers"]
    assert servers["leanspec"] == STDIO | {"tools": ["*"]}


def test_copilot_gets_its_server_where_the_teams_are(ask: Ask) -> None:
    write(Path(".github/mcp.json"), json.dumps(TEAM))
    ask("copilot", "--write", "--yes")
    assert list(json.loads(Path(".github/mcp.json").read_text())["mcpServers"]) == [
        "team",
        "leanspec",
    ]
    assert not Path(".mcp.json").exists()


def test_a_new_file_hides_no_other_from_its_second_reader(ask: Ask) -> None:
    write(Path(".github/mcp.json"), json.dumps(TEAM))
    with pytest.raises(CommandError, match="would keep GitHub Copilot CLI from reading"):
        ask("claude", "--write", "--yes")
    assert not Path(".mcp.json").exists()


# The order of places.


@pytest.mark.parametrize("scope", ["user", "project"])
def test_opencode_is_changed_in_the_file_that_decides(
    scope: str, ask: Ask, home: Path
) -> None:
    folder = home / ".config/opencode" if scope == "user" else Path.cwd()
    entry = {"type": "local", "command": ["npx", "@leanspec/mcp"], "enabled": False}
    text = f'{{\n  // team\n  "mcp": {{"leanspec": {json.dumps(entry)}}}\n}}\n'
    file = write(folder / "opencode.jsonc", text)
    other = write(folder / "opencode.json", "{}")
    output = ask("opencode", "--write", "--scope", scope, "--yes", "--absolute").stdout
    assert "it stays switched off, by `enabled`: `--enable` switches it on" in output
    assert PROGRAM in file.read_text()
    assert "// team" in file.read_text()
    assert other.read_text() == "{}"
    ask("opencode", "--write", "--scope", scope, "--yes", "--absolute", "--enable")
    assert '"enabled": true' in file.read_text()


def test_opencode_keeps_the_newer_form_of_a_file(ask: Ask) -> None:
    write(Path("opencode.json"), '{"mcp": {"servers": {"x": {"command": ["y"]}}}}')
    ask("opencode", "--write", "--yes")
    table = json.loads(Path("opencode.json").read_text())["mcp"]
    assert list(table) == ["servers"]
    assert table["servers"]["leanspec"]["command"] == ["uvx", "leanspec-mcp"]


def test_a_server_of_the_local_scope_is_said_to_decide(ask: Ask, home: Path) -> None:
    local = {"mcpServers": {"leanspec": NPX}}
    write(home / ".claude.json", json.dumps({"projects": {str(Path.cwd()): local}}))
    for scope in ("project", "user"):
        output = ask("claude", "--write", "--scope", scope, "--yes").stdout
        assert ".claude.json` takes precedence, and starts `npx`" in output
        assert "claude mcp remove leanspec -s local" in output
    local_one, project, user = of("claude")
    assert "needs Node.js" in local_one.problem
    decides = f"`leanspec` is not used: `{home / '.claude.json'}` decides for this project"
    assert project.starts == user.starts == decides


def test_the_projects_server_is_said_to_decide_about_the_users(ask: Ask) -> None:
    ask("qwen", "--write", "--yes")
    output = ask("qwen", "--write", "--scope", "user", "--yes").stdout
    assert (
        "in this project, `.qwen/settings.json` takes precedence, and starts `uvx`; to use the"
        " entry of this file: `leanspec-launcher mcp-config qwen --remove --scope project`"
    ) in output
    again = ask("qwen", "--write", "--yes").stdout
    assert "precedence" not in again, "it is this file that does"
    project, user = of("qwen")
    assert user.starts == f"`leanspec` is not used: `{project.path}` decides"
    left = ask("qwen", "--remove", "--scope", "project", "--yes").stdout
    assert "is left: leanspec-launcher mcp-config qwen --remove --scope user" in left


def test_an_administrators_file_decides_alone(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "etc/managed-mcp.json", json.dumps(TEAM))
    folders = places.folders() | {"claude-code": str(tmp_path / "etc")}
    monkeypatch.setattr(places, "folders", lambda: folders)
    output = ask("claude", "--write", "--yes").stdout
    assert "an administrator decides alone" in output
    (finding,) = of("claude")
    assert "and nothing else" in finding.problem
    assert "mcp-config claude --policy" in finding.hint


def test_codex_is_not_given_two_kinds_of_server_under_one_name(
    ask: Ask, home: Path
) -> None:
    write(home / ".codex/config.toml", '[mcp_servers.leanspec]\nurl = "https://x"\n')
    with pytest.raises(CommandError, match="whose `url` would count for both"):
        ask("codex", "--write", "--yes")
    assert not Path(".codex").exists()


def test_a_joined_entry_is_examined_as_the_client_joins_it(ask: Ask, home: Path) -> None:
    ask("opencode", "--write", "--yes", "--absolute")
    entry = {"enabled": True, "cwd": "/"}
    user = write(
        home / ".config/opencode/opencode.json", json.dumps({"mcp": {"leanspec": entry}})
    )
    project, _ = of("opencode")
    assert "which is not there" in project.problem
    write(
        Path("opencode.json"), Path("opencode.json").read_text().replace(PROGRAM, ENDURING)
    )
    project, _ = of("opencode")
    assert project.problem == "is started in `/`, which has no specs"
    Path("opencode.json").unlink()
    with pytest.raises(CommandError, match="whose `cwd` would count for both"):
        ask("opencode", "--write", "--yes")
    assert user.exists()


TRUSTED = '[projects."{}"]\ntrust_level = "trusted"\n'


def test_what_another_file_switches_off_is_switched_on_by_this_one(
    ask: Ask, home: Path
) -> None:
    text = TRUSTED.format(Path.cwd())
    write(home / ".codex/config.toml", f"{text}[mcp_servers.leanspec]\nenabled = false\n")
    ask("codex", "--write", "--yes", "--absolute")
    project, _ = of("codex")
    assert project.problem == "is switched off, by `enabled`"
    output = ask(*project.hint.split()[2:], "--yes", "--absolute").stdout
    assert "stays switched off" not in output
    project, _ = of("codex")
    assert "switched off" not in project.problem
    assert "stays" not in ask("codex", "--write", "--yes", "--absolute").stdout


def test_the_users_own_server_counts_until_the_projects_is_approved(
    ask: Ask, home: Path
) -> None:
    user = write(
        home / ".codex/config.toml", '[mcp_servers.leanspec]\ncommand = "/bin/true"\n'
    )
    output = ask("codex", "--write", "--yes", "--absolute").stdout
    assert "until you approve this one, " in output
    assert "takes precedence, and starts `/bin/true`" in output
    project, own = of("codex")
    assert "which is not there" in project.problem
    assert (own.path, own.problem) == (
        user,
        "starts `/bin/true`, which is not this server",
    )


def test_a_folder_that_is_no_project_goes_out_of_an_entry(ask: Ask, home: Path) -> None:
    entry = NPX | {"cwd": "/"}
    file = write(
        home / ".qwen/settings.json", json.dumps({"mcpServers": {"leanspec": entry}})
    )
    output = ask("qwen", "--write", "--scope", "user", "--yes").stdout
    assert "`cwd` goes: `/` is not the project" in output
    entry["cwd"] = str(Path.cwd())
    write(file, json.dumps({"mcpServers": {"leanspec": entry}}))
    ask("qwen", "--write", "--scope", "user", "--yes")
    assert json.loads(file.read_text())["mcpServers"]["leanspec"]["cwd"] == entry["cwd"]


def test_a_switch_of_another_file_that_is_joined_is_said(ask: Ask, home: Path) -> None:
    write(home / ".codex/config.toml", "[mcp_servers.leanspec]\nenabled = false\n")
    output = ask("codex", "--write", "--yes").stdout
    assert "it stays switched off, by `enabled` in " in output
    write(Path("opencode.jsonc"), '{"mcp": {"leanspec": {"enabled": false}}}')
    (finding,) = of("opencode")
    assert finding.problem == "is switched off, by `enabled`"


def test_files_above_the_project_are_looked_at(ask: Ask) -> None:
    ask("claude", "--write", "--yes")
    below = Path.cwd() / "src/deep"
    below.mkdir(parents=True)
    assert [each.client for each in configured(below)] == ["claude"]


# What a client would refuse.


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
    refused = f"is refused by {CLIENTS[client].title}: {reason}"
    with pytest.raises(CommandError, match=refused):
        ask(client, "--write", "--yes")
    assert file.read_text() == text


def test_doctor_says_that_a_client_refuses_the_whole_file(ask: Ask) -> None:
    ask("claude", "--write", "--yes")
    file = Path(".mcp.json")
    write(file, "// mine\n" + file.read_text())
    (finding,) = of("claude")
    assert (
        finding.problem == "Claude Code refuses the whole file: it has a comment in line 1"
    )


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


# Switches, and what is left over.


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
    (finding,) = of(client)
    assert finding.problem == f"is switched off, by `{key}`"
    assert finding.hint.endswith("--enable")
    assert "it is switched on" in ask(client, "--write", "--yes", "--enable").stdout
    assert not any("switched off" in each.problem for each in of(client))


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
    (finding,) = of(client)
    assert finding.problem == f"is switched off, by `{Path(file).absolute()}`"


def test_members_of_another_kind_of_server_go_with_a_word(ask: Ask) -> None:
    entry = NPX | {"url": "https://x", "headers": {"Key": "secret"}, "timeout": 9}
    entry |= {"type": "http"}
    file = write(
        Path(".gemini/settings.json"), json.dumps({"mcpServers": {"leanspec": entry}})
    )
    output = ask("gemini", "--write", "--yes").stdout
    assert "`url` goes: it belongs to a server of another kind" in output
    assert "`type` goes" in output
    assert "secret" not in output
    server = json.loads(file.read_text())["mcpServers"]["leanspec"]
    assert server == {"command": "uvx", "args": ["leanspec-mcp"], "timeout": 9}


def test_a_users_own_tools_and_variables_stay(ask: Ask, home: Path) -> None:
    entry = NPX | {"tools": ["list_specs"], "env": {"A": "1"}}
    file = write(
        home / ".copilot/mcp-config.json", json.dumps({"mcpServers": {"leanspec": entry}})
    )
    ask("copilot", "--write", "--scope", "user", "--yes")
    server = json.loads(file.read_text())["mcpServers"]["leanspec"]
    assert (server["tools"], server["env"]) == (["list_specs"], {"A": "1"})


# Clients that moved, or ended.


def test_a_client_that_moved_is_written_anew_and_removed_from_both(
    ask: Ask, home: Path
) -> None:
    old = write(
        home / ".codeium/windsurf/mcp_config.json",
        json.dumps({"mcpServers": {"leanspec": NPX}}),
    )
    (finding,) = of("devin")
    assert finding.problem == "Devin Desktop reads this file no more"
    ask("windsurf", "--write", "--scope", "user", "--yes")
    new = home / ".config/devin/mcp_config.json"
    assert PROGRAM in new.read_text()
    ask("devin", "--remove", "--scope", "user", "--yes")
    assert not new.exists()
    assert json.loads(old.read_text()) == {"mcpServers": {}}


def test_an_ended_client_is_only_removed_from(ask: Ask) -> None:
    file = write(Path(".roo/mcp.json"), json.dumps({"mcpServers": {"leanspec": NPX}}))
    with pytest.raises(
        CommandError, match="cannot add a server to Roo Code: it ended on 2026-05-15"
    ) as error:
        ask("roo", "--write", "--yes")
    assert error.value.hint == "leanspec-launcher mcp-config roo --remove"
    (finding,) = of("roo")
    assert finding.hint == "leanspec-launcher mcp-config roo --remove"
    ask("roo", "--remove", "--yes")
    assert "leanspec" not in file.read_text()


@pytest.mark.parametrize(
    ("variable", "client", "file"),
    [
        ("COPILOT_HOME", "copilot", "mcp-config.json"),
        ("CODEX_HOME", "codex", "config.toml"),
        ("CLAUDE_CONFIG_DIR", "claude", ".claude.json"),
        ("GEMINI_CLI_HOME", "gemini", ".gemini/settings.json"),
        ("QWEN_HOME", "qwen", "settings.json"),
        ("CLINE_DIR", "cline", "data/settings/cline_mcp_settings.json"),
        ("CLINE_DATA_DIR", "cline", "settings/cline_mcp_settings.json"),
        ("CLINE_MCP_SETTINGS_PATH", "cline", ""),
        ("AMP_SETTINGS_FILE", "amp", ""),
        ("LMSTUDIO_HOME", "lmstudio", "mcp.json"),
        ("CONTINUE_GLOBAL_DIR", "continue", "mcpServers/leanspec.json"),
        ("XDG_CONFIG_HOME", "zed", "zed/settings.json"),
        ("GOOSE_PATH_ROOT", "goose", "config/config.yaml"),
    ],
)
def test_a_variable_moves_the_users_file(
    variable: str, client: str, file: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = home / "else where {x}"
    monkeypatch.setenv(variable, str(moved))
    expected = moved / file if file else moved
    assert file_to_change(CLIENTS[client], "user", Path.cwd()) == expected


def test_claude_desktop_from_the_store_has_a_folder_of_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    local = home / "AppData/Local"
    monkeypatch.setenv("LOCALAPPDATA", str(local))
    client = CLIENTS["claude-desktop"]
    classic = home / "AppData/Roaming/Claude/claude_desktop_config.json"
    assert file_to_change(client, "user", Path.cwd()) == classic
    packaged = local / "Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude"
    packaged.mkdir(parents=True)
    file = packaged / classic.name
    assert file_to_change(client, "user", Path.cwd()) == file
    assert places.is_present(client)


def test_flatpak_and_an_older_folder_are_the_ones_that_are_read(home: Path) -> None:
    (home / ".var/app/dev.zed.Zed/config/zed").mkdir(parents=True)
    (home / ".cache/lm-studio").mkdir(parents=True)
    zed = file_to_change(CLIENTS["zed"], "user", Path.cwd())
    assert zed.is_relative_to(home / ".var/app")
    lmstudio = file_to_change(CLIENTS["lmstudio"], "user", Path.cwd())
    assert lmstudio == home / ".cache/lm-studio/mcp.json"


def test_the_other_side_of_wsl_is_said(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "is_in_wsl", lambda: True)
    output = ask("claude-desktop", "--write", "--yes").stdout
    assert "on Windows, Claude Desktop reads a file of Windows" in output
    assert "on Windows" not in ask("codex", "--write", "--scope", "user", "--yes").stdout


def test_the_home_folder_is_no_project(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    ask("qwen", "--write", "--yes")
    assert PROGRAM in (home / ".qwen/settings.json").read_text()
    with pytest.raises(CommandError, match="is not the folder of a project"):
        ask("qwen", "--write", "--yes", "--scope", "project")


def test_an_entry_under_an_older_name_is_found(home: Path) -> None:
    write(home / ".qwen/settings.json", json.dumps({"mcpServers": {"lean-spec": NPX}}))
    (finding,) = of("qwen")
    assert "needs Node.js" in finding.problem
    assert finding.hint.endswith("--write --scope user --name lean-spec")


def test_copies_go_with_the_server_even_if_the_client_writes_its_file_anew(
    ask: Ask, home: Path
) -> None:
    file = write(home / ".claude.json", '{"a":1}')
    ask("claude", "--write", "--scope", "user", "--yes")
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document, indent=7))
    ask("claude", "--remove", "--scope", "user", "--yes")
    assert json.loads(file.read_text()) == {"a": 1}
    assert list(contents(home)) == [".claude.json"]


# What people asked of an approval, and of a second entry.


def test_a_projects_server_decides_once_it_is_approved(ask: Ask, home: Path) -> None:
    ask("claude", "--write", "--yes")
    ask("claude", "--write", "--scope", "user", "--yes")
    project, user = of("claude")
    assert "`Pending approval`" in project.starts
    assert user.starts == f"`{PROGRAM}` in the project that is open"
    write(home / ".claude/settings.json", '{"enabledMcpjsonServers": ["leanspec"]}')
    project, user = of("claude")
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
    write(home / file, text.replace("PLACE", str(Path.cwd().parent)))
    assert question not in ask(client, "--write", "--yes").stdout


def test_a_list_of_the_projects_servers_is_not_one_of_the_users(
    ask: Ask, home: Path
) -> None:
    write(home / ".claude/settings.json", '{"disabledMcpjsonServers": ["leanspec"]}')
    ask("claude", "--write", "--scope", "user", "--yes")
    (finding,) = of("claude")
    assert "switched off" not in finding.problem


def test_a_folder_that_the_client_ignores_is_no_problem(home: Path, tmp_path: Path) -> None:
    program = write(tmp_path / "leanspec-mcp", "")
    program.chmod(0o755)
    entry = {"command": str(program), "cwd": "/"}
    write(home / ".claude.json", json.dumps({"mcpServers": {"leanspec": entry}}))
    write(home / ".qwen/settings.json", json.dumps({"mcpServers": {"leanspec": entry}}))
    claude, qwen = [*of("claude"), *of("qwen")]
    assert claude.problem == ""
    assert qwen.problem == "is started in `/`, which has no specs"


def test_a_second_entry_of_the_server_is_said(ask: Ask, home: Path) -> None:
    write(home / ".qwen/settings.json", json.dumps({"mcpServers": {"specs": NPX}}))
    output = ask("qwen", "--write", "--scope", "user", "--yes").stdout
    assert "`specs` in this file starts this server, too" in output
    first, second = of("qwen")
    assert first.starts.startswith("`specs` starts ")
    assert second.starts.startswith(f"`{PROGRAM}`")
    output = ask("qwen", "--remove", "--scope", "user", "--yes").stdout
    assert "`specs` in " in output
    assert "mcp-config qwen --remove --scope user --name specs" in output


def test_an_entry_that_names_an_address_too_is_said(home: Path) -> None:
    entry = {
        "command": sys.executable,
        "args": ["-m", "leanspec_launcher"],
        "url": "https://x",
    }
    write(home / ".gemini/settings.json", json.dumps({"mcpServers": {"leanspec": entry}}))
    (finding,) = of("gemini")
    assert finding.problem == "has `url`, too, by which a client may go instead"


def test_a_file_below_the_project_is_the_projects(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, below = Path.cwd(), Path.cwd() / "specs/001-first"
    below.mkdir()
    monkeypatch.chdir(below)
    ask("kiro", "--write", "--yes")
    assert (project / ".kiro/settings/mcp.json").is_file()
    assert [each.client for each in configured(below)] == ["kiro"]
    ask("qwen", "--write", "--yes")
    assert [each.client for each in configured(below)] == ["kiro"], "it looks nowhere else"
    assert [each.client for each in configured(project)] == ["kiro", "qwen"]
    monkeypatch.chdir("/")
    with pytest.raises(CommandError, match="`/` is not the folder of a project"):
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
        assert f"the lists in `{settings}` leave it out" in output
        (finding,) = of("claude")
        assert finding.problem == f"is left out by the lists in `{settings}`"
    lines = ask("claude", "--policy", "--scope", "user").stdout.splitlines()[1:]
    write(settings, json.dumps({"allowedMcpServers": [json.loads(line) for line in lines]}))
    (finding,) = of("claude")
    assert "lists" not in finding.problem


def test_an_entry_with_nothing_but_a_switch_is_completed(ask: Ask, home: Path) -> None:
    servers = {"mcpServers": {"leanspec": {"disabled": True}}}
    file = write(home / ".kiro/settings/mcp.json", json.dumps(servers))
    (finding,) = of("kiro")
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
        (finding,) = of("claude")
    assert finding.hint.endswith(f"--write --scope project --project {above}")
    ask(*finding.hint.split()[2:], "--yes")
    assert "npx" not in (above / ".mcp.json").read_text()


@pytest.mark.parametrize("name", ["", " ", "a b", "__proto__", "constructor", "workspace"])
def test_a_name_that_no_client_takes_is_refused(name: str, ask: Ask) -> None:
    error = ask("claude", "--write", "--yes", "--name", name).exception
    assert "no client takes a server with the name" in str(error)


BARE = {"other": {"command": "/bin/true"}}


def test_servers_at_the_top_level_stay_there_for_copilot(ask: Ask, home: Path) -> None:
    (home / ".copilot").mkdir()
    file = write(Path(".mcp.json"), json.dumps(BARE))
    ask("copilot", "--write", "--yes")
    assert list(json.loads(file.read_text())) == ["other", "leanspec"]
    (finding,) = of("copilot")
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
    assert f"the server of `{Path.cwd()}` goes: another `--name` keeps both" in output


def test_a_rejected_server_of_a_project_decides_nothing(ask: Ask, home: Path) -> None:
    write(home / ".claude/settings.json", '{"disabledMcpjsonServers": ["leanspec"]}')
    ask("claude", "--write", "--yes")
    ask("claude", "--write", "--scope", "user", "--yes")
    project, user = of("claude")
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
    assert len(of("qwen")) == 1


def test_a_project_of_another_tracker_has_no_specs(ask: Ask, home: Path) -> None:
    project = home.parent / "tracked"
    write(project / "leanspec.adapter.yaml", "adapter: github\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        output = ask("cline", "--write", "--yes").stdout
        assert str(project) in output
        assert "no specs" not in ask("kiro", "--write", "--dry-run").stdout
        assert not any("no specs" in each.problem for each in configured(project))

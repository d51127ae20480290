"""`mcp-config`: which of a client's files decides, and clients that moved or ended."""

from __future__ import annotations

import datetime as dt
import json
import sys
import warnings
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.clients import effects, places
from leanspec_launcher.manage.clients.configured import configured
from leanspec_launcher.manage.clients.places import file_to_change
from leanspec_launcher.manage.clients.table import CLIENTS
from tests.support import clients
from tests.support.clients import (
    NPX,
    PROGRAM,
    Ask,
    configured_as,
    entry_in,
    put,
    quoted,
    write,
)
from tests.support.preconditions import needs

LONGEST = dt.timedelta(days=120)


def test_each_row_was_checked_in_the_last_120_days() -> None:
    for client in CLIENTS.values():
        age = dt.datetime.now(tz=dt.UTC).date() - client.checked
        if age > LONGEST:
            warnings.warn(
                f"{client.title} was checked {age.days} days ago: see {client.source}",
                stacklevel=1,
            )


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
    local_one, project, user = configured_as("claude")
    assert "needs Node.js" in local_one.problem
    decides = f"`leanspec` is not used: `{home / '.claude.json'}` decides for this project"
    assert project.starts == user.starts == decides


def test_the_projects_server_is_said_to_decide_about_the_users(ask: Ask) -> None:
    ask("qwen", "--write", "--yes")
    output = ask("qwen", "--write", "--scope", "user", "--yes").stdout
    file = Path(".qwen/settings.json")
    assert (
        f"in this project, `{file}` takes precedence, and starts `uvx`; to use the"
        " entry of this file: `leanspec-launcher mcp-config qwen --remove --scope project`"
    ) in output
    again = ask("qwen", "--write", "--yes").stdout
    assert "precedence" not in again, "it is this file that does"
    project, user = configured_as("qwen")
    assert user.starts == f"`leanspec` is not used: `{project.path}` decides"
    left = ask("qwen", "--remove", "--scope", "project", "--yes").stdout
    assert "settings.json`: leanspec-launcher mcp-config qwen --remove --scope user" in left


def test_an_administrators_file_decides_alone(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "etc/managed-mcp.json", json.dumps(clients.TEAM))
    folders = places.folders() | {"claude-code": str(tmp_path / "etc")}
    monkeypatch.setattr(places, "folders", lambda: folders)
    output = ask("claude", "--write", "--yes").stdout
    assert "managed-mcp.json` decides: Claude Code reads no other" in output
    (finding,) = configured_as("claude")
    assert "starts only the servers in this file" in finding.problem
    assert "mcp-config claude --policy" in finding.hint


def test_codex_is_not_given_two_kinds_of_server_under_one_name(
    ask: Ask, home: Path
) -> None:
    write(home / ".codex/config.toml", '[mcp_servers.leanspec]\nurl = "https://x"\n')
    with pytest.raises(CommandError, match="and use its `url` for both"):
        ask("codex", "--write", "--yes")
    assert not Path(".codex").exists()


def test_a_joined_entry_is_examined_as_the_client_joins_it(ask: Ask, home: Path) -> None:
    ask("opencode", "--write", "--yes", "--absolute")
    entry = {"enabled": True, "cwd": "/"}
    user = write(
        home / ".config/opencode/opencode.json", json.dumps({"mcp": {"leanspec": entry}})
    )
    project, _ = configured_as("opencode")
    assert "which does not exist" in project.problem
    write(
        Path("opencode.json"),
        Path("opencode.json").read_text().replace(PROGRAM, clients.ENDURING),
    )
    project, _ = configured_as("opencode")
    assert project.problem == "is started in `/`, which has no specs"
    Path("opencode.json").unlink()
    with pytest.raises(CommandError, match="and use its `cwd` for both"):
        ask("opencode", "--write", "--yes")
    assert user.exists()


TRUSTED = '[projects."{}"]\ntrust_level = "trusted"\n'


def test_what_another_file_switches_off_is_switched_on_by_this_one(
    ask: Ask, home: Path
) -> None:
    text = TRUSTED.format(quoted(Path.cwd()))
    write(home / ".codex/config.toml", f"{text}[mcp_servers.leanspec]\nenabled = false\n")
    ask("codex", "--write", "--yes", "--absolute")
    project, _ = configured_as("codex")
    assert project.problem == "is switched off, by `enabled`"
    output = ask(*project.hint.split()[2:], "--yes", "--absolute").stdout
    assert "stays switched off" not in output
    project, _ = configured_as("codex")
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
    project, own = configured_as("codex")
    assert "which does not exist" in project.problem
    correct = (user, "starts `/bin/true`, which is not this server")
    assert (own.path, own.problem) == correct


def test_a_folder_that_is_no_project_goes_out_of_an_entry(ask: Ask, home: Path) -> None:
    entry = NPX | {"cwd": "/"}
    file = put(home / ".qwen/settings.json", entry)
    output = ask("qwen", "--write", "--scope", "user", "--yes").stdout
    assert "`cwd` is removed: `/` is not the project" in output
    entry["cwd"] = str(Path.cwd())
    put(file, entry)
    ask("qwen", "--write", "--scope", "user", "--yes")
    assert entry_in(file)["cwd"] == entry["cwd"]


def test_a_switch_of_another_file_that_is_joined_is_said(ask: Ask, home: Path) -> None:
    write(home / ".codex/config.toml", "[mcp_servers.leanspec]\nenabled = false\n")
    output = ask("codex", "--write", "--yes").stdout
    assert "it stays switched off, by `enabled` in " in output
    write(Path("opencode.jsonc"), '{"mcp": {"leanspec": {"enabled": false}}}')
    (finding,) = configured_as("opencode")
    assert finding.problem == "is switched off, by `enabled`"


def test_files_above_the_project_are_looked_at(ask: Ask) -> None:
    ask("claude", "--write", "--yes")
    below = Path.cwd() / "src/deep"
    below.mkdir(parents=True)
    assert [entry.client for entry in configured(below)] == ["claude"]


def test_a_client_that_moved_is_written_anew_and_removed_from_both(
    ask: Ask, home: Path
) -> None:
    old = put(home / ".codeium/windsurf/mcp_config.json", NPX)
    (finding,) = configured_as("devin")
    assert finding.problem == "Devin Desktop no longer reads this file"
    ask("windsurf", "--write", "--scope", "user", "--yes")
    new = file_to_change(CLIENTS["devin"], "user", Path.cwd())
    assert PROGRAM in new.read_text()
    ask("devin", "--remove", "--scope", "user", "--yes")
    assert not new.exists()
    assert json.loads(old.read_text()) == {"mcpServers": {}}


def test_an_ended_client_is_only_removed_from(ask: Ask) -> None:
    file = put(Path(".roo/mcp.json"), NPX)
    words = "cannot add a server to Roo Code: it ended on 2026-05-15"
    with pytest.raises(CommandError, match=words) as error:
        ask("roo", "--write", "--yes")
    assert error.value.hint == "leanspec-launcher mcp-config roo --remove"
    (finding,) = configured_as("roo")
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
        pytest.param(
            "XDG_CONFIG_HOME", "zed", "zed/settings.json", marks=pytest.mark.posix
        ),
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


@needs("Linux")
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
    assert "if Claude Desktop runs on Windows, it reads another file" in output
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
    put(home / ".qwen/settings.json", NPX, "lean-spec")
    (finding,) = configured_as("qwen")
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
    assert list(clients.contents(home)) == [".claude.json"]

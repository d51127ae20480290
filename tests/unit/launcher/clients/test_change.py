"""`mcp-config`: which file of a client is changed, what is shown and asked, and what is refused."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
import yaml

from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.clients import choice, cli, server
from leanspec_launcher.manage.clients.configured import configured
from leanspec_launcher.manage.clients.places import file_to_change, folders
from leanspec_launcher.manage.clients.server import ServerCommand
from leanspec_launcher.manage.clients.table import CLIENTS, Form
from tests.support.clients import PROGRAM, Ask, contents, entry_in, put, write
from tests.support.preconditions import needs

THERE = ["-c", server.GO_THERE, "sh"]
OTHER = {"mcpServers": {"other": {"command": "x", "env": {"KEY": "secret"}}}}


def server_in(path: Path, client: str = "qwen") -> dict[str, object]:
    return entry_in(path, *CLIENTS[client].table)


LIVING = [name for name, client in CLIENTS.items() if not client.ended]
FILES = [name for name in LIVING if name != "goose"]


@pytest.mark.parametrize("name", FILES)
def test_write_and_remove_leave_every_folder_as_it_was(
    name: str, ask: Ask, home: Path
) -> None:
    client = CLIENTS[name]
    for scope in ["user", *(["project"] if client.project else [])]:
        before = contents(home.parent)
        ask(name, "--write", "--scope", scope, "--yes")
        file = file_to_change(client, scope, Path.cwd())
        assert "leanspec-mcp" in file.read_text()
        again = ask(name, "--write", "--scope", scope, "--yes")
        assert "has it already" in again.stdout
        ask(name, "--remove", "--scope", scope, "--yes")
        assert contents(home.parent) == before


@pytest.mark.parametrize("name", FILES)
def test_remove_gives_the_bytes_back_that_were_there_before(
    name: str, ask: Ask, home: Path
) -> None:
    client = CLIENTS[name]
    file = file_to_change(client, "user", Path.cwd())
    text = "[tui]\n" if client.form is Form.TOML else '{\n    "a": [1]\n}'
    write(file, text)
    before = contents(home.parent)
    ask(name, "--write", "--scope", "user", "--yes")
    assert file.read_text() != text
    ask(name, "--remove", "--scope", "user", "--yes")
    assert contents(home.parent) == before


def test_goose_is_told_what_to_add_and_keeps_its_file(ask: Ask, home: Path) -> None:
    """No parser of YAML is at hand, so the file is the user's to change."""
    file = write(file_to_change(CLIENTS["goose"], "user", Path.cwd()), "extensions: {}\n")
    first, entry = ask("goose", "--write", "--yes").stdout.split("\n", 1)
    assert first == f"Goose: add this to `{file}` yourself"
    assert entry == ask("goose").stdout
    server = yaml.safe_load(entry)["extensions"]["leanspec"]
    assert (server["type"], server["cmd"]) == ("stdio", PROGRAM)
    removal = ask("goose", "--remove", "--yes").stdout
    assert removal == f"Goose: take `extensions.leanspec` out of `{file}` yourself\n"
    assert file.read_text() == "extensions: {}\n"
    assert file.is_relative_to(home)


def test_every_client_names_the_page_that_says_so() -> None:
    for client in CLIENTS.values():
        assert client.source.startswith("https://")
        assert client.user
        assert not any(Path(name).is_absolute() for name in client.project)


def test_what_changes_is_shown_and_asked(ask: Ask, home: Path) -> None:
    file = write(home / ".qwen/settings.json", json.dumps(OTHER, indent=4) + "\n")
    before = file.read_text()
    output = ask("qwen", "--write", "--scope", "user", answer="n\n", terminal=True).stdout
    assert "nothing is changed" in output
    assert "change it? [y/N]" in output
    assert f'+            "command": "{PROGRAM}",' in output
    assert "secret" not in output
    assert file.read_text() == before
    assert ask("qwen", "--write", "--scope", "user", "--dry-run").exit_code == 0
    assert file.read_text() == before
    ask("qwen", "--write", "--scope", "user", answer="y\n", terminal=True)
    entry = {"command": PROGRAM, "args": []}
    servers = OTHER["mcpServers"] | {"leanspec": entry}
    assert json.loads(file.read_text())["mcpServers"] == servers
    assert (home / ".qwen/settings.json.before-leanspec").read_text() == before
    with pytest.raises(CommandError, match="there is no terminal to ask on"):
        ask("qwen", "--remove", "--scope", "user")


def test_the_projects_own_file_is_the_default(ask: Ask) -> None:
    ask("qwen", "--write", "--yes", "--absolute")
    assert server_in(Path(".qwen/settings.json"))["command"] == PROGRAM
    ask("claude", "--write", "--yes")
    correct = {"type": "stdio", "command": "uvx", "args": ["leanspec-mcp"]}
    assert server_in(Path(".mcp.json"), "claude") == correct
    with pytest.raises(CommandError, match="Cline has no file in a project") as error:
        ask("cline", "--write", "--yes", "--scope", "project")
    assert error.value.hint == "use `--scope user`"


def test_a_users_own_settings_of_the_entry_stay(ask: Ask, home: Path) -> None:
    entry = {"command": "npx", "args": ["-y", "@leanspec/mcp"], "disabled": True}
    file = put(home / ".kiro/settings/mcp.json", entry)
    ask("kiro", "--write", "--scope", "user", "--yes")
    folder = str(Path.cwd())
    correct = {"command": PROGRAM, "args": [], "disabled": True, "cwd": folder}
    assert server_in(file) == correct


def test_another_server_of_that_name_is_not_touched(ask: Ask, home: Path) -> None:
    text = json.dumps({"mcpServers": {"leanspec": {"command": "mine"}}})
    file = write(home / ".qwen/settings.json", text)
    for option in ("--write", "--remove"):
        with pytest.raises(CommandError, match="another server under the name `leanspec`"):
            ask("qwen", option, "--scope", "user", "--yes")
    assert file.read_text() == text
    ask("qwen", "--write", "--scope", "user", "--yes", "--force")
    assert server_in(file)["command"] == PROGRAM


def test_all_removes_the_server_from_the_projects_files_too(ask: Ask, home: Path) -> None:
    project = Path.cwd()
    ask("cursor", "--write", "--yes")
    ask("qwen", "--write", "--scope", "user", "--yes")
    other = write(project / ".vscode/mcp.json", '{"servers": {"x": {}}}')
    output = ask("--all", "--remove", "--yes").stdout
    assert not (project / ".cursor/mcp.json").exists()
    assert not (home / ".qwen/settings.json").exists()
    assert str(other) not in output


def test_all_takes_the_clients_that_are_there_and_goes_on(ask: Ask, home: Path) -> None:
    assert "no client was found: no settings" in ask("--all", "--write", "--yes").stdout
    (home / ".qwen").mkdir()
    write(home / ".gemini/settings.json", "{broken")
    write(home / ".kiro/settings/mcp.json", "[" * 100_000)
    (home / ".junie/mcp/mcp.json").mkdir(parents=True)
    (home / ".codex").mkdir()
    result = ask("--all", "--write", "--yes")
    assert result.return_value == 1
    assert "cannot change `" in result.stderr
    assert result.stderr.count("error: ") == 3
    assert server_in(home / ".qwen/settings.json")["command"] == PROGRAM
    assert PROGRAM in (home / ".codex/config.toml").read_text()
    assert (home / ".gemini/settings.json").read_text() == "{broken"
    assert not (home / ".lmstudio").exists()


def test_of_several_files_the_one_that_is_there_is_changed(ask: Ask, home: Path) -> None:
    settings = Path(folders()["settings"]).expanduser()
    codium = write(settings / "VSCodium/User/mcp.json", "{}")
    ask("vscode", "--write", "--yes", "--scope", "user")
    assert server_in(codium, "vscode")
    jsonc = write(home / ".config/opencode/opencode.jsonc", "{} // mine\n")
    ask("opencode", "--write", "--scope", "user", "--yes")
    assert PROGRAM in jsonc.read_text()
    assert jsonc.read_text().endswith("} // mine\n")


@pytest.mark.posix
def test_a_file_keeps_its_mode_and_a_link_its_place(ask: Ask, home: Path) -> None:
    kept = write(home / "dotfiles/claude.json", "{}")
    kept.chmod(0o600)
    (home / ".claude.json").symlink_to(kept)
    ask("claude", "--write", "--scope", "user", "--yes")
    assert (home / ".claude.json").is_symlink()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    actual = stat.S_IMODE(kept.with_name("claude.json.before-leanspec").stat().st_mode)
    assert actual == 0o600
    assert server_in(kept, "claude")["command"] == PROGRAM


@pytest.mark.posix
def test_a_dry_run_refuses_what_a_change_does(ask: Ask, home: Path) -> None:
    file = write(home / ".qwen/settings.json", "{}")
    file.chmod(0o444)
    with pytest.raises(CommandError, match="it is read-only"):
        ask("qwen", "--write", "--scope", "user", "--dry-run")
    message = ask("qwen", "--remove", "--scope", "user", "--yes").stdout
    assert "has no such server" in message


@pytest.mark.posix
def test_a_project_leads_to_no_file_of_the_user(ask: Ask, home: Path) -> None:
    """Neither by a link in the place of its file, nor of the folder, nor of the old file."""
    mine = write(home / "mine", "my own")
    Path(".mcp.json").symlink_to(write(home / ".claude.json", "{}"))
    Path(".qwen").symlink_to(home)
    for client in ("claude", "qwen"):
        with pytest.raises(CommandError, match="leads out of the project"):
            ask(client, "--write", "--yes")
    link = write(Path(".vscode/mcp.json"), "{}").with_name("mcp.json.before-leanspec")
    link.symlink_to(mine)
    ask("vscode", "--write", "--yes")
    assert mine.read_text() == "my own"
    assert link.is_symlink()
    assert link.with_name(f"{link.name}.2").read_text() == "{}"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "not valid JSON: line 1, column 2"),
        (b'{"mcpServers": []}', "`mcpServers` is not an object"),
        (b'{"a": "\xff"}', "is not text in UTF-8"),
    ],
)
def test_a_file_that_is_not_understood_is_not_touched(
    data: bytes, words: str, ask: Ask, home: Path
) -> None:
    file = home / ".qwen/settings.json"
    file.parent.mkdir()
    file.write_bytes(data)
    with pytest.raises(CommandError, match=words) as error:
        ask("qwen", "--write", "--scope", "user", "--yes")
    assert error.value.hint
    assert "UTF-8" in words or "`leanspec-launcher mcp-config qwen`" in error.value.hint
    assert file.read_bytes() == data
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_in_place_of_the_file_is_said(ask: Ask, home: Path) -> None:
    (home / ".qwen/settings.json").mkdir(parents=True)
    with pytest.raises(CommandError, match="is not a file"):
        ask("qwen", "--write", "--scope", "user", "--yes")


def test_a_file_that_the_client_writes_meanwhile_is_left_alone(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(home / ".qwen/settings.json", "{}")
    monkeypatch.setattr(cli, "_is_confirmed", lambda: file.write_text('{"a": 1}'))
    with pytest.raises(CommandError, match="has changed in the meantime"):
        ask("qwen", "--write", "--scope", "user")
    assert file.read_text() == '{"a": 1}'
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]


@pytest.mark.posix
@needs("another user than root")
def test_a_folder_that_may_not_be_written_is_said(ask: Ask, home: Path) -> None:
    file = write(home / ".qwen/settings.json", "{}")
    file.parent.chmod(0o500)
    words = r"cannot change `.*/mcp\.json`: permission denied"
    with pytest.raises(CommandError, match=words):
        ask("qwen", "--write", "--scope", "user", "--yes")
    assert file.read_text() == "{}"


def test_variables_move_the_files(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex {x}"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    ask("codex", "--write", "--scope", "user", "--yes")
    ask("claude", "--write", "--scope", "user", "--yes")
    assert (tmp_path / "codex {x}/config.toml").is_file()
    assert (tmp_path / "claude/.claude.json").is_file()


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("linux", ".config/Code/User/mcp.json"),
        ("darwin", "Library/Application Support/Code/User/mcp.json"),
        ("win32", "AppData/Roaming/Code/User/mcp.json"),
    ],
)
def test_each_system_has_its_own_folder(
    system: str, expected: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert file_to_change(CLIENTS["vscode"], "user", Path.cwd()) == home / expected


@pytest.mark.posix
def test_a_path_that_is_not_utf_8_is_an_error(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.fsdecode(b"/home/\xff/leanspec-mcp")
    monkeypatch.setattr(choice, "this_server", lambda: ServerCommand(path))
    with pytest.raises(CommandError, match=r"/home/\\xff/leanspec-mcp` is not UTF-8"):
        ask("qwen", "--absolute")


def test_a_dry_run_of_a_removal_does_not_say_that_the_server_is_left(ask: Ask) -> None:
    ask("cursor", "--write", "--yes")
    output = ask("cursor", "--remove", "--dry-run").stdout
    assert "is still in" not in output
    ask("cursor", "--write", "--yes", "--scope", "user")
    output = ask("cursor", "--remove", "--dry-run").stdout
    assert output.count("is still in") == 1
    assert "--scope user" in output


@pytest.mark.posix
def test_links_that_lead_to_themselves_keep_no_other_client(ask: Ask, home: Path) -> None:
    loop = home / ".kiro/settings/mcp.json"
    loop.parent.mkdir(parents=True)
    loop.symlink_to(loop)
    Path(".mcp.json").symlink_to(".mcp.json")
    write(home / ".qwen/settings.json", "{}")
    result = ask("--all", "--write", "--yes")
    assert result.return_value == 1
    assert f"cannot read `{loop}`: too many levels of symbolic links" in result.stderr
    assert server_in(home / ".qwen/settings.json", "qwen")["command"] == PROGRAM
    with pytest.raises(CommandError, match="cannot read"):
        ask("claude", "--write", "--yes")
    clients = {entry.client: entry.problem for entry in configured(Path.cwd())}
    assert list(clients) == ["claude", "kiro", "qwen"]
    assert clients["kiro"].startswith(f"cannot read `{loop}`: too many levels")


def test_a_relative_folder_of_a_variable_writes_nothing_into_this_one(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_CONFIG_HOME", "APPDATA", "CODEX_HOME"):
        monkeypatch.setenv(variable, "relative")
    ask("vscode", "--write", "--scope", "user", "--yes")
    assert file_to_change(CLIENTS["vscode"], "user", Path.cwd()).is_relative_to(home)
    words = "`CODEX_HOME` is not an absolute path: `relative`"
    with pytest.raises(CommandError, match=words):
        ask("codex", "--write", "--scope", "user", "--yes")
    assert list(configured(Path.cwd())), "the others are still examined"
    assert [path.name for path in Path.cwd().iterdir()] == ["specs"]

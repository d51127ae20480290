"""`mcp-config`: which file of a client is changed, what is shown and asked, and what is refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.clients import choice, cli, server
from leanspec_launcher.manage.clients.configured import configured
from leanspec_launcher.manage.clients.places import file_to_change
from leanspec_launcher.manage.clients.server import ServerCommand
from leanspec_launcher.manage.clients.table import CLIENTS, Form
from scripts.environment import ROOT
from tests.support.clients import PROGRAM, Ask, contents, write
from tests.support.preconditions import needs

THERE = ["-c", server.GO_THERE, "sh"]
OTHER = {"mcpServers": {"other": {"command": "x", "env": {"KEY": "secret"}}}}


def server_in(path: Path, client: str = "qwen") -> dict[str, object]:
    found = json.loads(path.read_text())
    for key in CLIENTS[client].table:
        found = found[key]
    entry: dict[str, object] = found["leanspec"]
    return entry


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
    said = ask("qwen", "--write", "--scope", "user", answer="n\n", terminal=True)
    assert "nothing is changed" in said.stdout
    assert "change it? [y/N]" in said.stdout
    assert f'+            "command": "{PROGRAM}",' in said.stdout
    assert "secret" not in said.stdout
    assert file.read_text() == before
    assert ask("qwen", "--write", "--scope", "user", "--dry-run").exit_code == 0
    assert file.read_text() == before
    ask("qwen", "--write", "--scope", "user", answer="y\n", terminal=True)
    assert server_in(file) == {"command": PROGRAM, "args": []}
    assert (
        json.loads(file.read_text())["mcpServers"]["other"] == OTHER["mcpServers"]["other"]
    )
    assert (home / ".qwen/settings.json.before-leanspec").read_text() == before
    with pytest.raises(CommandError, match="there is no terminal to ask on"):
        ask("qwen", "--remove", "--scope", "user")


def test_the_projects_own_file_is_the_default(ask: Ask) -> None:
    ask("qwen", "--write", "--yes", "--absolute")
    assert server_in(Path(".qwen/settings.json"))["command"] == PROGRAM
    ask("claude", "--write", "--yes")
    assert server_in(Path(".mcp.json"), "claude") == {
        "type": "stdio",
        "command": "uvx",
        "args": ["leanspec-mcp"],
    }
    with pytest.raises(CommandError, match="no file of Cline in a project") as error:
        ask("cline", "--write", "--yes", "--scope", "project")
    assert error.value.hint == "use `--scope user`"


def test_a_users_own_settings_of_the_entry_stay(ask: Ask, home: Path) -> None:
    entry = {"command": "npx", "args": ["-y", "@leanspec/mcp"], "disabled": True}
    file = write(
        home / ".kiro/settings/mcp.json", json.dumps({"mcpServers": {"leanspec": entry}})
    )
    ask("kiro", "--write", "--scope", "user", "--yes")
    folder = str(Path.cwd())
    assert server_in(file) == {
        "command": PROGRAM,
        "args": [],
        "disabled": True,
        "cwd": folder,
    }


def test_another_server_of_that_name_is_not_touched(ask: Ask, home: Path) -> None:
    text = json.dumps({"mcpServers": {"leanspec": {"command": "mine"}}})
    file = write(home / ".qwen/settings.json", text)
    for what in ("--write", "--remove"):
        with pytest.raises(CommandError, match="another server under the name `leanspec`"):
            ask("qwen", what, "--scope", "user", "--yes")
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
    assert "no client is found" in ask("--all", "--write", "--yes").stdout
    (home / ".qwen").mkdir()
    write(home / ".gemini/settings.json", "{broken")
    write(home / ".kiro/settings/mcp.json", "[" * 100_000)
    (home / ".junie/mcp/mcp.json").mkdir(parents=True)
    (home / ".codex").mkdir()
    said = ask("--all", "--write", "--yes")
    assert said.return_value == 1
    assert "cannot change `" in said.stderr
    assert said.stderr.count("error: ") == 3
    assert server_in(home / ".qwen/settings.json")["command"] == PROGRAM
    assert PROGRAM in (home / ".codex/config.toml").read_text()
    assert (home / ".gemini/settings.json").read_text() == "{broken"
    assert not (home / ".lmstudio").exists()


def test_of_several_files_the_one_that_is_there_is_changed(ask: Ask, home: Path) -> None:
    write(home / ".config/VSCodium/User/mcp.json", "{}")
    ask("vscode", "--write", "--yes", "--scope", "user")
    assert server_in(home / ".config/VSCodium/User/mcp.json", "vscode")
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
    assert (
        stat.S_IMODE(kept.with_name("claude.json.before-leanspec").stat().st_mode) == 0o600
    )
    assert server_in(kept, "claude")["command"] == PROGRAM


@pytest.mark.posix
def test_a_dry_run_refuses_what_a_change_does(ask: Ask, home: Path) -> None:
    file = write(home / ".qwen/settings.json", "{}")
    file.chmod(0o444)
    with pytest.raises(CommandError, match="it is read-only"):
        ask("qwen", "--write", "--scope", "user", "--dry-run")
    assert (
        "has no such server" in ask("qwen", "--remove", "--scope", "user", "--yes").stdout
    )


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
    with pytest.raises(
        CommandError, match=r"cannot change `.*/mcp\.json`: permission denied"
    ):
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
    monkeypatch.setattr(choice, "this_server", lambda _: ServerCommand(path))
    with pytest.raises(CommandError, match=r"/home/\\xff/leanspec-mcp` is not UTF-8"):
        ask("qwen", "--absolute")


def test_options_that_exclude_each_other(ask: Ask) -> None:
    wrong = ask("qwen", "--write", "--remove").exception
    assert isinstance(wrong, click.UsageError)
    assert "exclude each other" in wrong.message
    for option in ("--all", "--yes", "--dry-run", "--force"):
        wrong = ask("qwen", option).exception
        assert isinstance(wrong, click.UsageError)
    assert isinstance(ask("--scope=user").exception, click.UsageError)


def test_what_is_printed_is_a_whole_file(ask: Ask) -> None:
    for name in LIVING:
        assert json.dumps(PROGRAM) in ask(name, "--absolute").stdout
    output = ask("opencode", "--absolute").stdout
    assert json.loads(output)["mcp"]["leanspec"]["command"] == [PROGRAM]


@pytest.mark.parametrize("name", [n for n in LIVING if CLIENTS[n].form is not Form.YAML])
def test_mcp_config_prints_what_write_writes_into_the_file_that_it_names(
    ask: Ask, name: str
) -> None:
    printed = ask(name)
    row = next(line for line in ask().stdout.splitlines() if line.split()[0] == name)
    written = ask(name, "--write", "--yes").stdout
    path = printed.stderr.split("`")[1]
    assert f"`{path}`" in written
    assert Path(path).read_text("utf-8").split() == printed.stdout.split()
    listed = row.partition(": ")[2]
    assert Path(path) == Path.cwd() / Path(listed).expanduser()


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("cursr", ": did you mean `cursor`?"),
        ("vs-code", ": did you mean `vscode`?"),
        ("q1w2e3", ""),
    ],
)
def test_mcp_config_suggests_a_client(ask: Ask, text: str, suggestion: str) -> None:
    error = ask(text).exception
    assert isinstance(error, click.UsageError)
    assert error.message == f"no client is called `{text}`{suggestion}"


def test_mcp_config_takes_a_client_in_capitals_and_by_its_former_name(ask: Ask) -> None:
    assert ask("Cursor").stdout == ask("cursor").stdout
    assert ask("Windsurf").stderr == ask("devin").stderr
    assert "windsurf (now devin)" in ask("--help").stdout


def test_a_dry_run_of_a_removal_does_not_say_that_the_server_is_left(ask: Ask) -> None:
    ask("cursor", "--write", "--yes")
    output = ask("cursor", "--remove", "--dry-run").stdout
    assert "is left" not in output
    ask("cursor", "--write", "--yes", "--scope", "user")
    output = ask("cursor", "--remove", "--dry-run").stdout
    assert output.count("is left") == 1
    assert "--scope user" in output


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Return a program that has the server's name."""
    path = write(tmp_path / "bin/leanspec-mcp", "")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("entry", "problem", "option"),
    [
        ({"command": "PROGRAM", "args": []}, "", ""),
        ({"command": "/nowhere/leanspec-mcp"}, "`/nowhere/leanspec-mcp`, which is not", ""),
        ({"command": "npx", "args": ["-y", "@leanspec/mcp"]}, "needs Node.js", ""),
        ({"command": "C:\\node\\npx.cmd", "args": ["lean-spec"]}, "needs Node.js", ""),
        ({"command": "leanspec-mcp"}, "may not know your `PATH`", ""),
        ({"command": "/bin/uvx", "args": ["leanspec-mcp@0.0.1"]}, "`/bin/uvx`, which", ""),
        (
            {"command": "PROGRAM", "args": ["leanspec-mcp@0.0.1"]},
            "starts version 0.0.1",
            "",
        ),
        ({"args": []}, "names no command", " --force"),
        (3, "names no command", " --force"),
        ({"command": "/bin/cat"}, "`/bin/cat`, which is not this server", " --force"),
        (
            {"command": "npx", "args": ["-y", "@x/files", "/home/u/lean-spec"]},
            "`npx`, which is not this server",
            " --force",
        ),
        ({"command": "/bin/sh", "args": [*THERE, "/nowhere", "PROGRAM"]}, "not there", ""),
        ({"command": "/bin/sh", "args": [*THERE, "/", "PROGRAM"]}, "has no specs", ""),
        ({"command": "/bin/sh", "args": [*THERE, ".", "PROGRAM"]}, "not known", ""),
        ({"command": "/bin/sh", "args": [*THERE, "PROJECT", "PROGRAM"]}, "", ""),
        ({"command": "PROGRAM", "cwd": "/"}, "has no specs", ""),
        ({"command": "PROGRAM", "cwd": "PROJECT"}, "", ""),
    ],
)
def test_doctor_says_what_keeps_a_client_from_the_server(
    entry: object, problem: str, option: str, program: str, home: Path
) -> None:
    text = json.dumps({"mcpServers": {"leanspec": entry}})
    text = text.replace("PROGRAM", program).replace("PROJECT", str(Path.cwd()))
    write(home / ".qwen/settings.json", text)
    (finding,) = configured(Path.cwd())
    assert finding.client == "qwen"
    assert problem in finding.problem
    assert bool(finding.problem) == bool(problem)
    if problem:
        command = "leanspec-launcher mcp-config qwen --write --scope user"
        assert finding.hint == command + option


def test_doctor_reads_every_form_and_file(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uvx = write(home.parent / "bin/uvx", "")
    uvx.chmod(0o755)
    monkeypatch.setenv("PATH", str(uvx.parent))
    assert list(configured(Path.cwd())) == []
    for name in LIVING:
        ask(name, "--write", "--yes", "--scope", "user")
    write(file_to_change(CLIENTS["goose"], "user", Path.cwd()), ask("goose").stdout)
    ask("claude", "--write", "--yes")
    write(home / ".qwen/settings.json", "{")
    results = list(configured(Path.cwd()))
    assert {each.client for each in results} == set(LIVING)
    wrong = {
        each.client: each.problem
        for each in results
        if "is not there" not in each.problem and "not used" not in each.starts
    }
    assert list(wrong) == ["claude", "copilot", "qwen"]
    assert wrong["claude"] == "", "a project's file may name a command"
    assert "not valid JSON" in wrong["qwen"]


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
    clients = {each.client: each.problem for each in configured(Path.cwd())}
    assert list(clients) == ["claude", "kiro", "qwen"]
    assert clients["kiro"].startswith(f"cannot read `{loop}`: too many levels")


SECRET = {"command": "x", "env": {"KEY": "secret"}}
ONE_LINE = json.dumps({"mcpServers": {"other": SECRET}, "token": "secret"})
LINES = '{"mcpServers": {\n  "other": {"env": {"KEY": "secret"}}\n}, "token": "secret"}\n'
SHARED = '{"mcpServers": {"other": {"KEY": "secret"}, "leanspec": {\n  "command": "npx"\n}, "z": "secret"}}'


@pytest.mark.parametrize("text", [ONE_LINE, LINES, SHARED, '{"token": "secret"}'])
def test_a_difference_shows_our_entry_and_no_other(text: str, ask: Ask, home: Path) -> None:
    file = write(home / ".qwen/settings.json", text)
    for option in ("--write", "--remove"):
        for more in ("--dry-run", "--yes"):
            output = ask("qwen", option, more, "--scope", "user", "--force").stdout
            assert "secret" not in output
            assert "other" not in output
            assert json.dumps(PROGRAM) in output
    assert "secret" in file.read_text()


def test_a_difference_of_one_line_masks_the_rest_of_it(ask: Ask, home: Path) -> None:
    write(home / ".qwen/settings.json", ONE_LINE)
    output = ask("qwen", "--write", "--dry-run", "--scope", "user").stdout
    entry = f'"leanspec": {{"command": "{PROGRAM}", "args": []}}'
    assert output.splitlines()[1:3] == ["-{…}", f"+{{…}}}}, {entry}}}, …}}"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_difference_shows_no_variable_of_an_entry(
    ask: Ask, home: Path, indent: int | None
) -> None:
    servers = {"leanspec": SECRET, "other": SECRET}
    write(home / ".qwen/settings.json", json.dumps({"mcpServers": servers}, indent=indent))
    for option in ("--write", "--remove"):
        command = ("qwen", option, "--dry-run", "--scope", "user", "--force")
        output = ask(*command).stdout
        assert '"command"' in output
        assert "secret" not in output


def test_doctor_shows_no_argument_that_may_be_secret(home: Path) -> None:
    entry = {"command": "other", "args": ["--key", "s3cret", "--token=s3cret", "/a/b"]}
    write(home / ".qwen/settings.json", json.dumps({"mcpServers": {"leanspec": entry}}))
    (result,) = configured(Path.cwd())
    assert result.starts == "`other --key … … /a/b` in the project that is open"


def test_a_relative_folder_of_a_variable_writes_nothing_into_this_one(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_CONFIG_HOME", "APPDATA", "CODEX_HOME"):
        monkeypatch.setenv(variable, "relative")
    ask("vscode", "--write", "--scope", "user", "--yes")
    assert file_to_change(CLIENTS["vscode"], "user", Path.cwd()).is_relative_to(home)
    with pytest.raises(
        CommandError, match="`CODEX_HOME` is not an absolute path: `relative`"
    ):
        ask("codex", "--write", "--scope", "user", "--yes")
    assert list(configured(Path.cwd())), "the others are still examined"
    assert [path.name for path in Path.cwd().iterdir()] == ["specs"]


def start(call: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", call],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@needs("root")
def test_doctor_tells_a_user_without_a_home_so() -> None:
    call = (
        "import json, os; from leanspec_launcher.manage import doctor; os.setuid(54321)\n"
        "findings = doctor._findings(doctor._clients)\n"
        "print(json.dumps([(each.status.value, each.value, each.hint) for each in findings]))"
    )
    text = ("this user has no home folder", "set `HOME` to the path of a folder")
    first, _ = json.loads(start(call, {}).stdout)
    assert first == ["warning", *text]


@needs("root")
def test_a_user_without_a_home_gets_one_message() -> None:
    """As in a container that is started with `--user`: no `HOME`, and no entry of this user."""
    call = (
        "import os, sys; from leanspec_launcher.manage.clients import cli, configured\n"
        "from leanspec_launcher.command_line import run_command; os.setuid(54321)\n"
        "run_command(cli.command, 'mcp-config', ['--all', '--write', '--yes'])"
    )
    for env in ({}, {"HOME": ""}, {"HOME": "here"}):
        done = start(call, env)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr == (
            "error: this user has no home folder\nhint: set `HOME` to the path of a folder\n"
        )


def test_mcp_config_without_a_client_lists_them_those_that_are_here_first(
    ask: Ask, home: Path
) -> None:
    (home / ".cursor").mkdir()
    result = ask()
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "found here:",
        "  cursor          Cursor: .cursor/mcp.json",
        "others:",
    ]
    assert len(lines) == len(CLIENTS) + 2
    assert "`leanspec-launcher mcp-config CLIENT` prints its lines" in result.stderr
    report = json.loads(ask("--json").stdout)
    assert [each["client"] for each in report["clients"] if each["is_present"]] == [
        "cursor"
    ]
    (home / ".cursor").rmdir()
    assert ask().stdout.startswith("none found; supported clients:\n  amp ")
    ask("zed", "--write", "--yes")
    assert ask().stdout.startswith("found here:\n  zed             Zed: .zed/settings.json")


@pytest.mark.parametrize("options", [["--write"], ["--remove"], ["--link"], ["--policy"]])
def test_mcp_config_takes_no_client_for_granted(ask: Ask, options: list[str]) -> None:
    """And changes nothing, whichever are there."""
    error = ask(*options).exception
    assert isinstance(error, click.UsageError)
    assert "no CLIENT is named" in error.message


@pytest.mark.parametrize("client", CLIENTS)
def test_mcp_config_prints_what_can_be_pasted_and_names_its_file(
    ask: Ask, home: Path, client: str
) -> None:
    result = ask(client, "--scope", "user")
    file = file_to_change(CLIENTS[client], "user", Path.cwd())
    assert result.stderr == f"{CLIENTS[client].title} reads this from `{file}`:\n"
    assert PROGRAM in result.stdout
    assert "reads this from" not in result.stdout
    output = ask(client, "--scope", "user", "--json").stdout
    (report,) = json.loads(output)["clients"]
    assert report["text"] in (result.stdout, result.stdout.rstrip("\n"))
    assert file.is_relative_to(home)


def test_mcp_config_reports_each_file_for_programs_and_asks_nothing(
    ask: Ask, home: Path
) -> None:
    command = ("claude", "--scope", "user", "--json")
    error = ask(*command, "--write").exception
    assert isinstance(error, click.UsageError)
    assert "add `--yes` or `--dry-run`" in error.message
    results = [
        json.loads(ask(*command, *options).stdout)["clients"][0]["result"]
        for options in (
            ("--write", "--dry-run"),
            ("--write", "--yes"),
            ("--write", "--yes"),
            ("--remove", "--yes"),
        )
    ]
    assert results == ["would be changed", "written", "unchanged", "removed"]
    assert contents(home) == {}

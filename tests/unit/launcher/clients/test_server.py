"""`mcp-config`: the command that a file gets, by which path, in which folder, and what an administrator is told."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.clients import choice, server
from leanspec_launcher.manage.clients.places import file_to_change
from leanspec_launcher.manage.clients.server import (
    ServerCommand,
    in_folder,
    lasting,
    out_of_folder,
)
from leanspec_launcher.manage.clients.table import CLIENTS, ServerFolder
from tests.support.clients import PROGRAM, Ask, quoted, write

RELEASE = "0.3.0"


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the version that is installed."""
    monkeypatch.setattr(server, "version", lambda: RELEASE)
    return RELEASE


def entry_of(client: str, scope: str = "user") -> dict[str, object]:
    """Return the entry that a client's file of JSON has now."""
    value = json.loads(file_to_change(CLIENTS[client], scope, Path.cwd()).read_text())
    for key in (*CLIENTS[client].table, "leanspec"):
        value = value[key]
    entry: dict[str, object] = value
    return entry


# The folder.


def test_a_client_that_starts_servers_elsewhere_needs_a_project(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.parent)
    for name, client in CLIENTS.items():
        if client.ended or client.start is ServerFolder.PROJECT or client.folder:
            continue
        with pytest.raises(CommandError, match="is not in a project") as error:
            ask(name, "--write", "--yes", "--scope", "user")
        command = f"leanspec-launcher mcp-config {name} --write --project FOLDER"
        assert error.value.hint == command
        output = ask(
            name, "--write", "--yes", "--scope", "user", "--project", "project"
        ).stdout
        assert quoted(home.parent / "project") in output


def test_a_folder_below_the_project_is_in_it(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = Path.cwd() / "src"
    below.mkdir()
    monkeypatch.chdir(below)
    ask("cline", "--write", "--yes")
    assert entry_of("cline")["cwd"] == str(below.parent)


@pytest.mark.posix
def test_a_folder_that_the_client_fills_in_is_left_to_it(ask: Ask) -> None:
    ask("vscode", "--write", "--yes", "--scope", "user")
    assert entry_of("vscode")["cwd"] == "${workspaceFolder}"
    ask("cursor", "--write", "--yes")
    expected = [*("-c", server.GO_THERE, "sh", "${workspaceFolder}", "uvx", "leanspec-mcp")]
    assert entry_of("cursor", "project")["args"] == expected


def test_cmd_enters_a_folder_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    started = in_folder(ServerCommand(r"C:\a b\python.exe", ("-m", "x")), r"C:\my project")
    assert started.words == [
        *("cmd", "/d", "/c", "cd", "/d", r"C:\my project", "&&"),
        *(r"C:\a b\python.exe", "-m", "x"),
    ]
    inner, folder = out_of_folder(started)
    assert (inner.words, folder) == ([r"C:\a b\python.exe", "-m", "x"], r"C:\my project")
    for name in ("a&b", "100%", "a^b", "wow!"):
        words = r"cannot pass `.*` to `cmd`, which interprets"
        with pytest.raises(CommandError, match=words):
            in_folder(ServerCommand("x"), rf"C:\{name}")


def test_a_path_that_reads_as_a_variable_is_refused(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a ${HOME}"
    (folder / "specs").mkdir(parents=True)
    monkeypatch.chdir(folder)
    words = "contains a sign that VS Code would take for a variable"
    with pytest.raises(CommandError, match=words):
        ask("vscode", "--write", "--yes", "--scope", "user", "--project", ".")
    ask("claude-desktop", "--write", "--yes")


# The command.


@pytest.mark.parametrize(
    "name", [n for n, c in CLIENTS.items() if c.project and not c.ended]
)
def test_a_projects_file_names_no_path_of_this_machine(name: str, ask: Ask) -> None:
    client = CLIENTS[name]
    output = ask(name, "--write", "--yes").stdout
    text = file_to_change(client, "project", Path.cwd()).read_text()
    names_folder = client.start_in_project is not ServerFolder.PROJECT
    if names_folder and not client.folder_in_project:
        assert "works only on this machine: keep it out of version control" in output
        assert PROGRAM in text
    else:
        assert "on every machine that has uv" in output
        assert PROGRAM not in text
        assert str(Path.cwd()) not in text
    assert "@" not in text.replace('"$@"', "").replace('\\"$@\\"', "")


def test_without_uv_a_projects_file_names_this_installation(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "has_uvx", lambda: False)
    output = ask("kiro", "--write", "--yes").stdout
    assert (
        "this entry works only on this machine, because uvx is not installed here;"
        " `--portable` writes one for every machine with uv"
    ) in output
    assert entry_of("kiro", "project")["command"] == PROGRAM
    ask("kiro", "--write", "--yes", "--portable")
    assert entry_of("kiro", "project")["command"] == "uvx"


def test_a_version_is_named_on_request_only(ask: Ask, release: str) -> None:
    ask("kiro", "--write", "--yes", "--pin")
    assert entry_of("kiro", "project")["args"] == [f"leanspec-mcp@{release}"]
    ask("kiro", "--write", "--yes")
    assert entry_of("kiro", "project")["args"] == ["leanspec-mcp"]


def installed_in(folder: Path) -> str:
    """Return the server's script in a folder."""
    return str(write(folder / "bin/leanspec-mcp", ""))


@pytest.mark.posix
def test_the_path_that_stays_is_written(
    release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    mise = tmp_path / "mise/installs/pipx-lean-spec"
    path = installed_in(mise / release)
    assert lasting(path) == path, "nothing else leads to it"
    assert server.ends(path)
    (mise / "0.3").symlink_to(release)
    assert lasting(path) == str(mise / "0.3/bin/leanspec-mcp")
    (mise / "latest").symlink_to(release)
    assert lasting(path) == str(mise / "latest/bin/leanspec-mcp")
    (mise / "latest").unlink()
    (mise / "latest").symlink_to("0.2.28")
    assert lasting(path) == str(mise / "0.3/bin/leanspec-mcp"), "of another version"


@pytest.mark.posix
def test_a_link_in_path_stays(
    release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = installed_in(tmp_path / f"Cellar/lean-spec/{release}")
    Path(path).chmod(0o755)
    link = tmp_path / "homebrew/bin/leanspec-mcp"
    link.parent.mkdir(parents=True)
    link.symlink_to(path)
    monkeypatch.setenv("PATH", f"relative{os.pathsep}{link.parent}")
    assert lasting(path) == str(link)
    link.unlink()
    write(link, "another").chmod(0o755)
    assert lasting(path) == path, "another program of that name"


def test_a_path_without_a_version_is_left_alone(release: str, tmp_path: Path) -> None:
    for name in ("python3.11", f"{release}1", f"1{release}"):
        path = installed_in(tmp_path / name)
        assert lasting(path) == path
        assert not server.ends(path)


def test_a_path_that_ends_is_said(
    ask: Ask, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = f"/nix/store/abc-lean-spec-{release}/bin/leanspec-mcp"
    monkeypatch.setattr(choice, "this_server", lambda: ServerCommand(ended))
    output = ask("codex", "--write", "--yes", "--scope", "user").stdout
    assert "every upgrade moves this installation" in output


# Administrators.


@pytest.mark.parametrize("name", [n for n, c in CLIENTS.items() if c.policy])
def test_a_policy_names_the_server_and_what_is_written(name: str, ask: Ask) -> None:
    first, *lines = ask(name, "--policy").stdout.splitlines()
    assert first.startswith(f"# {CLIENTS[name].title}: ")
    assert not re.search("NAME|COMMAND|PROGRAM", "".join(lines))
    if name in ("claude", "copilot", "vscode"):
        expected = [{"serverName": "leanspec"}, {"serverCommand": ["uvx", "leanspec-mcp"]}]
        assert [json.loads(line) for line in lines] == expected


def test_another_name_is_written_and_removed(ask: Ask) -> None:
    name = "io.github.codervisor/leanspec"
    for client in ("vscode", "codex", "opencode"):
        ask(client, "--write", "--yes", "--name", name)
        file = file_to_change(CLIENTS[client], "project", Path.cwd())
        assert name in file.read_text()
        assert "has it already" in ask(client, "--write", "--yes", "--name", name).stdout
        ask(client, "--remove", "--yes", "--name", name)
        assert not file.exists()


def test_a_client_without_a_list_says_so(ask: Ask) -> None:
    with pytest.raises(CommandError, match="Zed has no known list of allowed servers"):
        ask("zed", "--policy")

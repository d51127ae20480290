"""`mcp-config` and `doctor`: what they print of clients, for people and for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from leanspec_launcher.manage.clients import server
from leanspec_launcher.manage.clients.configured import configured
from leanspec_launcher.manage.clients.places import file_to_change
from leanspec_launcher.manage.clients.table import CLIENTS, Form
from scripts.environment import ROOT
from tests.support.clients import PROGRAM, Ask, contents, put, quoted, write
from tests.support.preconditions import needs
from tests.support.surroundings import run

THERE = ["-c", server.GO_THERE, "sh"]


LIVING = [name for name, client in CLIENTS.items() if not client.ended]


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


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Return a program that has the server's name."""
    path = write(tmp_path / "bin/leanspec-mcp", "")
    path.chmod(0o755)
    return str(path)


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


@pytest.mark.parametrize(
    ("entry", "problem", "option"),
    [
        ({"command": "PROGRAM", "args": []}, "", ""),
        (
            {"command": "/nowhere/leanspec-mcp"},
            "`/nowhere/leanspec-mcp`, which does not exist",
            "",
        ),
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
        (
            {"command": "/bin/sh", "args": [*THERE, "/nowhere", "PROGRAM"]},
            "which does not exist",
            "",
        ),
        ({"command": "/bin/sh", "args": [*THERE, "/", "PROGRAM"]}, "has no specs", ""),
        (
            {"command": "/bin/sh", "args": [*THERE, ".", "PROGRAM"]},
            "relative to an unknown folder",
            "",
        ),
        ({"command": "/bin/sh", "args": [*THERE, "PROJECT", "PROGRAM"]}, "", ""),
        ({"command": "PROGRAM", "cwd": "/"}, "has no specs", ""),
        ({"command": "PROGRAM", "cwd": "PROJECT"}, "", ""),
    ],
)
def test_doctor_says_what_keeps_a_client_from_the_server(
    entry: object, problem: str, option: str, program: str, home: Path
) -> None:
    text = json.dumps({"mcpServers": {"leanspec": entry}})
    text = text.replace("PROGRAM", quoted(Path(program)))
    text = text.replace("PROJECT", quoted(Path.cwd()))
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
    suffix = ".exe" if sys.platform == "win32" else ""
    uvx = write(home.parent / f"bin/uvx{suffix}", "")
    uvx.chmod(0o755)
    monkeypatch.setenv("PATH", str(uvx.parent))
    assert list(configured(Path.cwd())) == []
    for name in LIVING:
        ask(name, "--write", "--yes", "--scope", "user")
    write(file_to_change(CLIENTS["goose"], "user", Path.cwd()), ask("goose").stdout)
    ask("claude", "--write", "--yes")
    write(home / ".qwen/settings.json", "{")
    results = list(configured(Path.cwd()))
    assert {result.client for result in results} == set(LIVING)
    wrong = {
        result.client: result.problem
        for result in results
        if "does not exist" not in result.problem and "not used" not in result.starts
    }
    assert list(wrong) == ["claude", "copilot", "qwen"]
    assert wrong["claude"] == "", "a project's file may name a command"
    assert "not valid JSON" in wrong["qwen"]


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
    put(home / ".qwen/settings.json", entry)
    (result,) = configured(Path.cwd())
    assert result.starts == "`other --key … … /a/b` in the project that is open"


def start(call: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-c", call], env, cwd=ROOT, code=None)


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
        process = start(call, env)
        assert process.returncode == 1
        assert process.stdout == ""
        assert process.stderr == (
            "error: this user has no home folder\nhint: set `HOME` to the path of a folder\n"
        )


def test_mcp_config_without_a_client_lists_them_those_that_are_here_first(
    ask: Ask, home: Path
) -> None:
    (home / ".cursor").mkdir()
    result = ask()
    lines = result.stdout.splitlines()
    file = Path(".cursor/mcp.json")
    expected = ["found here:", f"  cursor          Cursor: {file}", "others:"]
    assert lines[:3] == expected
    assert len(lines) == len(CLIENTS) + 2
    assert "`leanspec-launcher mcp-config CLIENT` prints its lines" in result.stderr
    report = json.loads(ask("--json").stdout)
    correct = ["cursor"]
    present = [client for client in report["clients"] if client["is_present"]]
    assert [client["client"] for client in present] == correct
    (home / ".cursor").rmdir()
    first = next(iter(CLIENTS))
    heading = "no client was found; supported clients:"
    assert ask().stdout.startswith(f"{heading}\n  {first} ")
    ask("zed", "--write", "--yes")
    file = Path(".zed/settings.json")
    assert ask().stdout.startswith(f"found here:\n  zed             Zed: {file}")


@pytest.mark.parametrize("options", [["--write"], ["--remove"], ["--link"], ["--policy"]])
def test_mcp_config_takes_no_client_for_granted(ask: Ask, options: list[str]) -> None:
    """And changes nothing, whichever are there."""
    error = ask(*options).exception
    assert isinstance(error, click.UsageError)
    assert "no CLIENT is given" in error.message


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

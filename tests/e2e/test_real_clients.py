"""Real MCP clients, from npm: what each lists before and after `mcp-config`, with its other places filled."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from leanspec_launcher.manage.clients.table import CLIENTS
from scripts.tools.processes import clean_environment
from tests.support.installers import Installation
from tests.support.preconditions import needs
from tests.support.surroundings import clean, once, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    needs("npm"),
]
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Real:
    """A client of npm: what it is called there, and what it says of a server that it can start."""

    package: str
    connected: str
    words: tuple[str, ...] = ("mcp", "list")


# Codex and Copilot list without starting any. Qwen Code asks `ping`, which the server of 0.3.0 refuses.
REAL = {
    "amp": Real("@sourcegraph/amp@0.0.1790142911-g7618fb", "leanspec-mcp"),
    "cline": Real("cline@3.0.65", "[stdio]", ("config", "mcp")),
    "claude": Real("@anthropic-ai/claude-code@2.1.197", "Connected"),
    "codex": Real("@openai/codex@0.169.0", "enabled"),
    "copilot": Real("@github/copilot@1.0.102", "local"),
    "gemini": Real("@google/gemini-cli@0.61.0", "Connected"),
    "opencode": Real("opencode-ai@1.18.33", "connected"),
    "qwen": Real("@qwen-code/qwen-code@0.15.10", "Disconnected"),
}


def trust(client: str, home: Path, project: Path) -> None:
    """Do what a user does once, so that a client starts the servers of a project."""
    files: dict[str, tuple[Path, object]] = {
        "claude": (
            home / ".claude/settings.json",
            {"enableAllProjectMcpServers": True},
        ),
        "copilot": (home / ".copilot/config.json", {"trusted_folders": [str(project)]}),
    }
    if client in files:
        path, content = files[client]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


def fill(client: str, name: str, file: Path, server: Path, more: str = "") -> None:
    """Put another server into a file of a client."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if client == "codex":
        file.write_text(f'{more}[mcp_servers.{name}]\ncommand = "{server}"\n')
        return
    entry: dict[str, object] = {"command": str(server), "args": []}
    if client == "opencode":
        entry = {"type": "local", "command": [str(server)]}
    content: dict[str, object] = {CLIENTS[client].table[0]: {name: entry}}
    file.write_text(json.dumps(content, indent=2))


@pytest.fixture(scope="session")
def programs(shared: Path) -> Callable[[str], Path]:
    """Return how to get a client's program: installed once."""

    def get(client: str) -> Path:
        def make(folder: Path) -> None:
            npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder)]
            run([*npm, REAL[client].package], clean_environment(), timeout=600)

        folder = once(shared / f"client-{client}", make)
        return folder / "node_modules/.bin" / client

    return get


def servers(project: Path) -> set[str]:
    """Return the processes that work in a project, and whose program is the server."""
    processes = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            is_here = (path / "cwd").samefile(project)
        except OSError:
            continue
        if words[0].endswith(b"/leanspec-mcp") and is_here:
            processes.add(path.name)
    return processes


@pytest.mark.parametrize(
    ("client", "scope"),
    [
        (client, scope)
        for client in REAL
        for scope in ("user", "project")
        if scope == "user" or CLIENTS[client].project
    ],
)
def test_a_client_lists_what_it_listed_and_one_server_more(
    client: str,
    scope: str,
    installed: Installation,
    programs: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    program, real = programs(client), REAL[client]
    home, project = tmp_path / "home", tmp_path / "a project's é"
    env = clean(home, GEMINI_CLI_TRUST_WORKSPACE="true")
    (project / "specs").mkdir(parents=True)
    server = tmp_path / "other-server"
    server.symlink_to(installed.commands / "leanspec-mcp")
    row = CLIENTS[client]
    of_user = (
        row.user[-1]
        .removeprefix("~/")
        .replace("{xdg}/amp/settings.jsonc", ".config/amp/settings.json")
    )
    of_user = of_user.replace(
        "{xdg}/opencode/config.json", ".config/opencode/opencode.jsonc"
    )
    trust(client, home, project)
    trusted = f'[projects."{project}"]\ntrust_level = "trusted"\n'
    fill(client, "other-user", home / of_user, server, trusted)
    if row.project:
        of_project = row.project[1] if client == "copilot" else row.project[0]
        fill(client, "other-project", project / of_project, server)

    def listed() -> dict[str, str]:
        output = run([program, *real.words], env, cwd=project, timeout=120, code=None)
        text = ANSI.sub("", output.stdout + output.stderr)
        names = ("leanspec", "other-user", "other-project")
        lines = [(name, line) for line in text.splitlines() for name in names]
        pattern = r"(?<![\w/-]){}(?![\w/-])"
        return {
            name: " ".join(line.split())  # columns are as wide as the longest name
            for name, line in lines
            if re.search(pattern.format(name), line)
        }

    before = listed()
    assert set(before) == {"other-user", *(["other-project"] if row.project else [])}
    launcher = installed.commands / "leanspec-launcher"
    options = [client, "--scope", scope, "--yes"]
    run([launcher, "mcp-config", *options, "--write"], env, cwd=project)
    after = listed()
    assert set(after) == {*before, "leanspec"}
    assert real.connected in after["leanspec"]
    assert {name: after[name] for name in before} == before
    time.sleep(1)
    assert not servers(project), "the client has ended, and so have its servers"
    doctor = run([launcher, "doctor", "--json"], env, cwd=project, code=None).stdout
    findings = json.loads(doctor)["findings"]
    findings = [each for each in findings if each["section"] == "MCP clients"]
    wrong = [each for each in findings if each["name"] == client and each["status"] != "ok"]
    assert not wrong
    run([launcher, "mcp-config", *options, "--remove"], env, cwd=project)
    assert listed() == before
    assert not list(tmp_path.rglob("*before-leanspec*"))


def test_a_project_that_is_approved_later_is_pending_before(
    installed: Installation, programs: Callable[[str], Path], tmp_path: Path
) -> None:
    """`mcp-config` says so, and Claude Code agrees."""
    env, project = clean(tmp_path / "home"), tmp_path / "project"
    (project / "specs").mkdir(parents=True)
    launcher = installed.commands / "leanspec-launcher"
    output = run([launcher, "mcp-config", "claude", "--write", "--yes"], env, cwd=project)
    assert "`Pending approval`" in output.stdout
    text = run([programs("claude"), "mcp", "list"], env, cwd=project, timeout=120).stdout
    assert "Pending approval" in text


def test_codex_allows_what_its_policy_names(
    installed: Installation, tmp_path: Path
) -> None:
    """The line that is printed is TOML, with the program that is written."""
    project = tmp_path / "project"
    (project / "specs").mkdir(parents=True)
    launcher = installed.commands / "leanspec-launcher"
    env = clean(tmp_path / "home")
    output = run([launcher, "mcp-config", "codex", "--policy"], env, cwd=project).stdout
    assert output.splitlines()[1:] == [
        "[mcp_servers.leanspec.identity]",
        f'command = "{installed.commands / "leanspec-mcp"}"',
    ]

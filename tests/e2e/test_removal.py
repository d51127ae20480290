"""A program that LeanSpec no longer has: one row of the table, in a copy of the project."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from scripts.tools.processes import OWN_COMMAND, clean_environment
from tests.support.installers import WITH_PAGES, Installation, install_with_pip
from tests.support.releases import copy_as_released
from tests.support.surroundings import once, run
from tests.support.tree_copy import git
from tests.support.versions import RELEASED

pytestmark = pytest.mark.slow

ROW = 'Program("mcp", "leanspec-mcp", answers=("--version", "--help"))'
ENDED = f'{ROW[:-1]}, ended="{RELEASED}")'
REASON = f"`leanspec-mcp` was removed in LeanSpec {RELEASED}"
HINT = (
    "`leanspec-launcher mcp-config --remove --all` removes it from the files of your MCP clients;"
    f" the last release with it is `lean-spec<{RELEASED}`"
)
# These compare workflows, documentation and tables with the code.
COMPARISONS = ("workflows", "docs", "tables", "help")

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def tree(shared: Path) -> Path:
    """Return a copy of the project in which one row was changed, as docs/adding.md says."""

    def make(folder: Path) -> None:
        copy_as_released(folder)
        table = folder / "leanspec_launcher/_tables.py"
        text = table.read_text("utf-8")
        assert text.count(ROW) == 1
        table.write_text(text.replace(ROW, ENDED), "utf-8")
        run([*OWN_COMMAND, "bump"], clean_environment(), cwd=folder)
        difference = ("git", "diff", "--name-only")
        changed = run(difference, clean_environment(), cwd=folder).stdout
        assert changed == "leanspec_launcher/_tables.py\npyproject.toml\n"
        git(folder, "commit", "--quiet", "--all", "--message", "Remove the MCP server")
        git(folder, "tag", f"v{RELEASED}")

    return once(shared / "removed", make)


@pytest.fixture
def command(tree: Path) -> Command:
    """Return how a maintainers' command is run in that copy."""

    def start(*arguments: str | Path) -> CompletedProcess[str]:
        command = [*OWN_COMMAND, *arguments]
        return run(command, clean_environment(CI=""), cwd=tree, timeout=600)

    return start


@pytest.fixture
def built(shared: Path, binaries: Path, command: Command) -> Path:
    """Return the wheels of that copy; the binary of the server is there and is not used."""

    def build(folder: Path) -> None:
        options = ("--binaries", binaries, "--out", folder, "--repair", "auditwheel")
        command("wheels", *options)

    return once(shared / "removed-dist", build)


@pytest.fixture
def installed(built: Path, wheelhouse: Path, tmp_path: Path) -> Installation:
    """Return an installation of that copy."""
    return install_with_pip(tmp_path / "home", built, wheelhouse, requirement=WITH_PAGES)


def test_every_gate_passes_without_a_program(
    built: Path, binaries: Path, command: Command
) -> None:
    assert not [path for path in built.iterdir() if "leanspec_mcp" in path.name]
    output = command("check", "--dist", built, "--binaries", binaries, "--json").stdout
    assert "not published: this release has no MCP server" in output
    # With pip and with uv.
    assert output.count(json.dumps(f"exit 127: error: {REASON}")) >= 2
    output = command("publish-server").stderr
    assert output == "this release has no MCP server: the registry keeps the last one\n"


def test_workflow_and_documentation_follow_a_removal(tree: Path) -> None:
    files = [f"tests/contract/test_{name}.py" for name in COMPARISONS]
    command = [OWN_COMMAND[0], "-m", "pytest", "-q", *files]
    run(command, clean_environment(), cwd=tree, timeout=600)


def test_the_command_says_what_happened_and_what_to_do(
    installed: Installation, tmp_path: Path
) -> None:
    message = f"error: {REASON}\nhint: {HINT}\n"
    for arguments in ((), ("--version",), ("--help",)):
        result = installed.start("leanspec-mcp", *arguments, code=127)
        assert (result.stdout, result.stderr) == ("", message)
    python = installed.commands / "python"
    by_module = (python, "-m", "leanspec_launcher", "mcp")
    assert installed.run(*by_module, code=127, cwd=tmp_path).stderr == message

    file = installed.home / ".cursor/mcp.json"
    file.parent.mkdir(parents=True)
    server = {"command": str(installed.commands / "leanspec-mcp"), "args": []}
    other = {"command": "/bin/cat", "args": []}
    file.write_text(json.dumps({"mcpServers": {"leanspec": server, "other": other}}))
    start = installed.start
    report = start("leanspec-launcher", "doctor").stdout
    assert f"cursor `{file}`: {REASON}" in " ".join(report.split())
    assert HINT in report
    for options in (("cursor",), ("cursor", "--write", "--yes"), ("--portable", "vscode")):
        result = start("leanspec-launcher", "mcp-config", *options, code=1)
        assert (result.stdout, result.stderr) == ("", message)
    start("leanspec-launcher", "mcp-config", "--remove", "--all", "--yes")
    assert [*json.loads(file.read_text())["mcpServers"]] == ["other"]
    assert REASON not in start("leanspec-launcher", "doctor").stdout

    project = tmp_path / "project"
    project.mkdir()
    start("lean-spec", "init", "-y", cwd=project)
    start("leanspec-launcher", "verify")
    report = json.loads(start("leanspec-launcher", "which", "--json").stdout)
    assert [program["program"] for program in report["programs"]] == ["cli", "http"]

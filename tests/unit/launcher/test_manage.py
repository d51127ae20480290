"""What all management commands have in common: messages, settings, and what they read."""

from __future__ import annotations

import base64
import errno
import json
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from leanspec_launcher.commands import explained
from leanspec_launcher.web.settings import Settings, data_folder, read_settings
from scripts.environment import ROOT
from tests.support.installation import VERSION, Installation
from tests.support.site import HOST
from tests.support.surroundings import run

pytestmark = pytest.mark.posix


def test_an_unexpected_exception_is_reported_as_a_bug(installed: Installation) -> None:
    module = "leanspec_launcher.manage.which"
    bug = f"import {module}; {module}.search = lambda _: dict()['x']"
    result = installed.manage_with(bug, "which")
    assert result.returncode == 1
    error, place, hint = result.stderr.splitlines()
    assert error == f"error: this is a bug in lean-spec {VERSION}: KeyError: 'x'"
    assert place.startswith("  in `")
    assert hint.startswith("hint: report it, with what you typed: https://")


def test_a_missing_module_is_not_reported_as_a_bug(installed: Installation) -> None:
    (installed.site.root / "leanspec_launcher/manage/link.py").unlink()
    output = installed.manage("which", code=1)
    assert "error: a part is missing or damaged: " in output
    assert output.endswith("hint: reinstall lean-spec with its dependencies\n")


def test_commands_work_without_a_working_directory(
    installed: Installation, tmp_path: Path
) -> None:
    folder = tmp_path / "removed"
    folder.mkdir()
    call = installed.site.call("main", ".manage")
    remove = 'rmdir "$PWD"; exec "$@"'
    # As a console script, without the working directory in `sys.path`: in a removed one, CPython
    # 3.13.0 then fails to import `socket`.
    launcher = ["/bin/sh", "-c", remove, "sh", sys.executable, "-P", "-c", call]
    output = run(
        [*launcher, "doctor", "--json"], installed.site.env, cwd=folder, code=1
    ).stdout
    findings = json.loads(output)["findings"]
    (finding,) = [entry for entry in findings if entry["section"] == "MCP clients"]
    assert finding["value"] == "the working directory does not exist any more"
    assert finding["hint"] == "change to another one"
    folder.mkdir()
    command = [*launcher, "mcp-config", "claude", "--write", "--yes"]
    error = run(command, installed.site.env, cwd=folder, code=1).stderr
    assert error.startswith("error: the working directory does not exist any more\n")


def test_a_system_error_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    error = explained(OSError(errno.EIO, "Input/output error", str(path)))
    assert error.message == f"`{path}`: input/output error"
    # A call for an open file names its number.
    correct = "Input/output error"
    assert explained(OSError(errno.EIO, "Input/output error", 3)).message == correct


@pytest.mark.parametrize("home", ["relative", "~"])
def test_settings_of_a_relative_home_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    folder = tmp_path / home / ".lean-spec"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("damaged")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", home)
    assert data_folder() is None
    assert read_settings() == Settings()


def test_verify_reports_a_missing_run_bit(installed: Installation) -> None:
    installed.binary("cli").chmod(0o644)
    assert "it is not executable" in installed.manage("verify", code=1)


def test_verify_ignores_cached_results(installed: Installation) -> None:
    """A stamp says that a file was good; `verify` asks the file."""
    assert installed.manage("verify").count("✓") == 2
    cache = Path(installed.site.env["HOME"], ".cache/lean-spec/verified")
    cache.mkdir(parents=True, exist_ok=True)
    installed.damage()
    state = installed.binary("cli").stat()
    fields = ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
    for folder in (cache, cache.parent):
        folder.chmod(0o700)
    name = ".".join(f"{getattr(state, field):x}" for field in fields)
    (cache / f"{name}.{installed.site.pins['cli'][HOST.key].executable}").touch()
    assert installed.site.start("cli").stdout == "cli\n", "the stamp counts at a start"
    assert "its SHA-256 is not the expected one" in installed.manage("verify", code=1)
    message = installed.manage("verify", "cli", "--json", code=1)
    assert "its SHA-256 is not the expected one" in message


@pytest.mark.long
def test_which_and_verify_say_what_is_missing(installed: Installation) -> None:
    assert installed.manage("which").count("✓") == 2
    installed.manage("which", "http", code=1)
    installed.binary("cli").unlink()
    installed.manage("which", code=1)
    installed.manage("which", "mcp")
    assert "it is not installed" in installed.manage("verify", code=1)
    report = json.loads(
        installed.site.manage("which", "lean-spec", "--json", code=1).stdout
    )
    (search,) = report["programs"]
    assert (search["program"], search["binary"]) == ("cli", None)
    assert search["platform"] == HOST.key


def test_mcp_config_names_the_command_that_starts_the_server(
    installed: Installation,
) -> None:
    printed = installed.site.manage("mcp-config", "vscode", "--scope", "user", code=0)
    file = Path(installed.site.env["HOME"], ".config/Code/User/mcp.json")
    assert printed.stderr == f"VS Code reads this from `{file}`:\n"
    assert json.loads(printed.stdout) == {
        "servers": {
            "leanspec": {
                "type": "stdio",
                "command": str(installed.scripts / "leanspec-mcp"),
                "args": [],
                "cwd": "${workspaceFolder}",
            }
        }
    }
    command = ("mcp-config", "cursor", "--scope", "user", "--project", str(installed.tools))
    folder = json.loads(installed.site.manage(*command, code=0).stdout)
    arguments = folder["mcpServers"]["leanspec"]["args"]
    assert arguments[-2:] == [str(installed.tools), str(installed.scripts / "leanspec-mcp")]
    (installed.scripts / "leanspec-mcp").unlink()
    message = installed.manage("mcp-config", "claude", code=1)
    assert "this installation has no command `leanspec-mcp`" in message


@pytest.mark.long
def test_mcp_config_link_names_no_path_of_this_machine(installed: Installation) -> None:
    """What it carries is the configuration itself, as each client decodes it."""
    vscode = parse_qs(
        urlsplit(installed.manage("mcp-config", "vscode", "--link").strip()).query
    )
    cursor = parse_qs(
        urlsplit(installed.manage("mcp-config", "cursor", "--link").strip()).query
    )
    expected = {"command": "uvx", "args": ["leanspec-mcp"]}
    assert json.loads(vscode["config"][0]) == expected
    assert json.loads(base64.b64decode(cursor["config"][0])) == expected
    assert vscode["name"] == cursor["name"] == ["leanspec"]
    message = installed.manage("mcp-config", "claude", "--link", code=1)
    assert "has no page that adds a server" in message
    page = (ROOT / "docs/mcp-clients.md").read_text("utf-8")
    for client in ("vscode", "cursor"):
        assert f"]({installed.manage('mcp-config', client, '--link').strip()})" in page

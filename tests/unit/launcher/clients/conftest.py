"""A user with no file of any client, in a project, and the command `mcp-config` in this process."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from leanspec_launcher.manage.clients import choice, cli
from leanspec_launcher.manage.clients.server import ServerCommand
from tests.support.clients import PROGRAM, Ask

# Variables that move the files of a client.
MOVING = ("_HOME", "APPDATA", "_DIR", "_SETTINGS_PATH", "_PATH_ROOT")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a user's own folder; the working directory is a project's next to it."""
    for name in [name for name in os.environ if name.endswith(MOVING)]:
        monkeypatch.delenv(name)
    folder, project = tmp_path / "home", tmp_path / "project"
    folder.mkdir()
    (project / "specs").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.chdir(project)
    monkeypatch.setattr(choice, "this_server", lambda: ServerCommand(PROGRAM))
    monkeypatch.setattr(choice, "has_uvx", lambda: True)
    return folder


@pytest.fixture
def ask(home: Path) -> Ask:
    """Run the command in this process. Its errors are raised, but for those that click reports."""

    def run(*arguments: str, answer: str | None = None, terminal: bool = False) -> Result:
        runner = CliRunner()
        with pytest.MonkeyPatch.context() as patch:
            if terminal:
                patch.setattr(cli, "_is_a_terminal", lambda: True)
            result = runner.invoke(
                cli.command, arguments, input=answer, standalone_mode=False
            )
        error = result.exception
        if error is not None and not isinstance(error, click.ClickException | SystemExit):
            raise error
        return result

    assert home.is_dir()
    return run

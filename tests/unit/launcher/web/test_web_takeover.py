"""`lean-spec ui`: the installed pages, or the program's own command."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import CompletedProcess

from tests.support.preconditions import missing
from tests.support.surroundings import run
from tests.support.web import Web

if sys.platform == "win32":
    missing("POSIX", "signals, and programs that are scripts")


def lean_spec(web: Web, *arguments: str, path: str, code: int = 0) -> CompletedProcess[str]:
    data = b'#!/bin/sh\necho the program: "$@"\n'
    web.site.wheel("cli", data)
    web.site.pin("cli", data)
    command = [sys.executable, "-c", web.site.call("cli"), "ui", *arguments]
    return run(command, web.site.env | {"PATH": path}, code=code, cwd=web.project)


def test_lean_spec_ui_shows_the_installed_pages(web: Web) -> None:
    result = lean_spec(web, "--dry-run", "-p", "4444", path="/usr/bin:/bin")
    assert "leanspec-http" in result.stdout
    assert "--port 4444" in result.stdout


def test_lean_spec_ui_leaves_dev_help_and_npm_to_the_program(web: Web) -> None:
    path = "/usr/bin:/bin"
    assert lean_spec(web, "--dev", path=path).stdout == "the program: ui --dev\n"
    assert lean_spec(web, "--help", path=path).stdout == "the program: ui --help\n"
    web.site.env["LEANSPEC_NPM_UI"] = "1"
    by_variable = lean_spec(web, path=path)
    assert by_variable.stdout == "the program: ui\n"
    assert "downloads the newest `@leanspec/ui` with `npx`" in by_variable.stderr


def test_lean_spec_ui_without_pages_downloads_nothing(web: Web, tmp_path: Path) -> None:
    """Whether npx is there or not."""
    web.pages.rename(web.pages.with_name("gone"))
    tools = tmp_path / "tools"
    tools.mkdir()
    for _ in range(2):
        result = lean_spec(web, path=f"{tools}:/bin", code=127)
        assert result.stdout == ""
        assert result.stderr.startswith(
            "error: the pages of the web UI are not installed\nhint: "
        )
        (tools / "npx").write_text("#!/bin/sh\necho npx\n")
        (tools / "npx").chmod(0o755)

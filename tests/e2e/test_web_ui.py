"""The web UI in a real browser, installed from wheels: offline, without Node, from a deep link on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scripts.collect.pages import read_pages
from scripts.environment import ROOT
from scripts.gates.pages import PATH
from tests.support.installers import install_with_pip
from tests.support.preconditions import require
from tests.support.releases import Scripts
from tests.support.surroundings import is_root

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.network]
SPECS = {"first": "planned", "second": "in-progress", "third": "complete"}


@pytest.fixture(scope="module")
def real_dist(
    binaries: Path, scripts: Scripts, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the wheels of the real binaries with the real pages."""
    folder = tmp_path_factory.mktemp("real")
    base = folder / "binaries"
    shutil.copytree(binaries, base)
    scripts("collect", "pages", "--into", base)
    scripts(
        "wheels", "--binaries", base, "--repair", "auditwheel", "--out", folder / "dist"
    )
    return folder / "dist"


@pytest.fixture(scope="module")
def seen(
    real_dist: Path, wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return what a session in a browser saw."""
    require("a browser")
    folder = tmp_path_factory.mktemp("web")
    installation = install_with_pip(folder / "home", real_dist, wheelhouse)
    project = folder / "it's a project é"
    for number, (name, status) in enumerate(SPECS.items(), 1):
        spec = project / f"specs/00{number}-{name}/README.md"
        spec.parent.mkdir(parents=True)
        front = (
            f"status: {status}\ncreated: '2026-01-0{number}'\npriority: high\ntags: [demo]"
        )
        spec.write_text(f"---\n{front}\n---\n\n# The {name} spec\n\nSome text of {name}.\n")
    other = folder / "other"
    (other / "specs/001-other").mkdir(parents=True)
    text = "---\nstatus: planned\ncreated: '2026-01-01'\n---\n\n# The other spec\n"
    (other / "specs/001-other/README.md").write_text(text)
    command = installation.commands / "leanspec-ui"
    output = run_without_network("tests.support.browser", command, project, other, folder)
    found: dict[str, Any] = json.loads(output)
    return found


def run_without_network(module: str, *arguments: Path) -> str:
    """Run a module of the tests' support, and return what it prints."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    if is_root():
        command = ["unshare", "--net", *command]
    process = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.parametrize(
    "what",
    [
        *("dashboard", "no other project", "list, by a deep link", "board"),
        *("drag and drop, on disk", "spec", "a change on disk, without a reload"),
        *("files", "dependencies", "stats", "context", "dark theme"),
    ],
)
def test_a_browser_shows_and_changes_specs(seen: dict[str, Any], what: str) -> None:
    assert seen[what] is True


def test_the_web_ui_asks_no_other_machine(seen: dict[str, Any]) -> None:
    assert {urlsplit(url).hostname for url in seen["asked"]} == {"127.0.0.1"}


def test_the_web_ui_lacks_only_the_paths_of_the_plan(seen: dict[str, Any]) -> None:
    """A deep link is answered with the pages and 404: that is the server's, and shows nothing."""
    missing = set(read_pages().missing_api)
    api = {urlsplit(url).path for url in seen["failed"] if PATH.match(urlsplit(url).path)}
    assert api <= missing


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_web_ui_refuses_another_site(seen: dict[str, Any], method: str) -> None:
    assert seen[f"{method} from another site"] == "refused"


def test_the_web_server_ends_while_a_page_is_open(seen: dict[str, Any]) -> None:
    assert seen["exit code"] == 0
    assert seen["seconds to its end"] < 3


def test_the_pictures_show_every_column_of_the_board(
    real_dist: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    require("a browser")
    commands = install_with_pip(tmp_path / "home", real_dist, wheelhouse).commands
    run_without_network("tests.support.board_picture", commands, tmp_path)
    assert len([*tmp_path.glob("web-ui*.png")]) == 2

"""Every client's entry, started where a client may be: nothing is written outside a project."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from leanspec_launcher.manage.clients.entry import server_of
from leanspec_launcher.manage.clients.places import USER
from leanspec_launcher.manage.clients.table import CLIENTS, ServerFolder
from tests.support.clients import contents
from tests.support.installers import Installation
from tests.support.preconditions import needs
from tests.support.surroundings import run

pytestmark = [pytest.mark.slow, needs("Linux")]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
CREATE = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "create_spec", "arguments": {"title": "A spec", "content": "text"}},
}
SESSION = f"{json.dumps(INITIALIZE)}\n{json.dumps(CREATE)}\n"
JSON = [
    (name, scope)
    for name, client in CLIENTS.items()
    if not client.ended and client.form.value == "JSON"
    for scope in (USER, *(["project"] if client.project else []))
]


def found(folder: Path) -> tuple[dict[str, bytes], set[str]]:
    """Return all files but the launcher's own stamps, and what is in `/`."""
    files = {
        name: data
        for name, data in contents(folder).items()
        if not name.startswith("home/.cache")
    }
    return files, {path.name for path in Path("/").iterdir()}


@pytest.mark.parametrize(("name", "scope"), JSON)
def test_no_entry_writes_outside_a_project(
    name: str, scope: str, installed: Installation, tmp_path: Path
) -> None:
    client, launcher = CLIENTS[name], installed.commands / "leanspec-launcher"
    home, project = tmp_path / "home", tmp_path / "a project's é"
    other = tmp_path / "other"
    for folder in (project / "specs", project / "src", other, home / "Documents"):
        folder.mkdir(parents=True, exist_ok=True)
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    run(
        [launcher, "mcp-config", name, "--write", "--yes", "--scope", scope],
        env,
        cwd=project,
    )
    (file,) = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and "leanspec-mcp" in path.read_text()
    ]
    value = json.loads(file.read_text())
    for key in (*client.table, "leanspec"):
        value = value[key]
    server = server_of(value)
    assert server
    words = [word.replace("${workspaceFolder}", str(project)) for word in server.words]
    cwd = server.cwd.replace("${workspaceFolder}", str(project))
    start = client.start_in_project if scope == "project" else client.start
    names_folder = start is not ServerFolder.PROJECT
    gone = tmp_path / "gone"
    places = [Path("/"), home, home / "Documents", other, project, project / "src"]
    places += [Path("/usr"), gone]
    before = found(tmp_path)
    for place in places if names_folder else [Path("/"), home, project]:
        gone.mkdir(exist_ok=True)
        folder = Path(cwd or place)
        command: list[str | Path] = [*words]
        if place == gone:
            command = ["sh", "-c", 'rmdir "$0"; exec "$@"', gone, *words]
        run(command, env, cwd=folder, text=SESSION, code=None)
        specs = list((project / "specs").iterdir())
        is_in_project = names_folder or place == project
        assert bool(specs) is is_in_project, place
        shutil.rmtree(project / "specs")
        (project / "specs").mkdir()
        gone.mkdir(exist_ok=True)
        gone.rmdir()
        assert found(tmp_path) == before, place

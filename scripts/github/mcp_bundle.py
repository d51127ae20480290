"""MCP bundles (`.mcpb`, manifest 0.3): the server for desktop clients, installed with one click.

A bundle has what the platform wheel has, libraries included, and was verified with it. A manifest
tells systems apart, and not CPUs: for macOS, one bundle has a program for both; for Linux, each
CPU has a bundle, which its name states.
"""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leanspec_build.any_program.universal import join

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.clients.server import GO_THERE, SHELL
from scripts.collect.reported import list_tools, runs_here
from scripts.environment import ROOT
from scripts.gates.mcp_registry import BUNDLE_SUFFIX
from scripts.model.files import File
from scripts.model.plan import Plan
from scripts.model.programs import PROJECTS, main_project
from scripts.model.versions import binary_version
from scripts.tools.processes import program_environment

from .archives import EXECUTABLE, TEXT, licences, write_zip

MANIFEST = "manifest.json"
PROGRAM = PROGRAMS["mcp"]
ENTRY_POINT = f"{PROGRAM.package}/bin/{PROGRAM.command}"
LIBRARIES = f"{PROGRAM.package}.libs/"
SERVER = ROOT / "server.json"  # what the registry of MCP servers is told
# Claude Desktop for macOS unpacks every file as 0600.
MAY_RUN = 'test -x "$2" || chmod u+x "$2"; '

Files = dict[str, tuple[bytes, int]]


def write_bundles(
    wheels: list[File], folder: Path, plan: Plan
) -> Iterator[tuple[Path, str]]:
    """Write the bundles of some platform wheels; yield each, with the platform that it is for.

    None for Windows: no program there enters a folder and then starts another one for any name of
    the folder, and 0.3.0 finds a project in no other way. Raises CommandError if a wheel has no
    server, or if the server does not say which tools it has.
    """
    of_server = {
        str(wheel.platform): _files(wheel)
        for wheel in wheels
        if wheel.distribution == PROGRAM.distribution
    }
    tools = _tools(of_server)
    for name, files in _for_systems(of_server):
        system = name.partition("-")[0]
        manifest = describe(binary_version(plan.version), system, tools)
        files[MANIFEST] = (f"{json.dumps(manifest, indent=2)}\n".encode(), TEXT)
        files.update(licences(PROJECTS / PROGRAM.name))
        path = folder / f"leanspec-mcp-{plan.version}-{name}{BUNDLE_SUFFIX}"
        write_zip(path, "", files)
        yield path, name


def describe(version: str, system: str, tools: list[str] | None) -> dict[str, Any]:
    """Return the manifest of a bundle. Without its tools, a client asks the server for them."""
    server = json.loads(SERVER.read_text("utf-8"))
    home, project = server["repository"]["url"], main_project()
    start = [
        *("-c", MAY_RUN + GO_THERE, "sh"),
        "${user_config.project}",
        f"${{__dirname}}/{ENTRY_POINT}",
    ]
    tools_entry: dict[str, Any] = {"tools_generated": True}
    if tools:
        tools_entry = {"tools": [{"name": name} for name in tools]}
    return {
        "manifest_version": "0.3",
        "name": "leanspec",
        "display_name": server["title"],
        "version": version,
        "description": server["description"],
        "author": project["authors"][0],
        "repository": {"type": "git", "url": home},
        "documentation": f"{home}/blob/main/docs/mcp-clients.md",
        "support": f"{home}/issues",
        "license": project["license"],
        "server": {
            "type": "binary",
            "entry_point": ENTRY_POINT,
            "mcp_config": {"command": SHELL, "args": start, "env": {}},
        },
        **tools_entry,
        "user_config": {
            "project": {
                "type": "directory",
                "title": "Project",
                "description": "The folder that contains the folder `specs`.",
                "required": True,
            }
        },
        "compatibility": {"platforms": [system]},
    }


def _for_systems(of_server: dict[str, Files]) -> Iterator[tuple[str, Files]]:
    """Yield the files of each bundle, and what it is for: `darwin`, or a platform with its CPU."""
    of_macos = [key for key in of_server if PLATFORMS[key].system == "darwin"]
    if len(of_macos) > 1:
        files = dict(of_server[of_macos[0]])
        programs = [of_server[key][ENTRY_POINT][0] for key in sorted(of_macos)]
        files[ENTRY_POINT] = (join(programs), EXECUTABLE)
        yield "darwin", files
    for key, files in of_server.items():
        if PLATFORMS[key].system == "linux" or [key] == of_macos:
            yield key, dict(files)


def _files(wheel: File) -> Files:
    """Return a wheel's program, and the libraries that it brings along."""
    program = ENTRY_POINT + PLATFORMS[str(wheel.platform)].suffix
    with zipfile.ZipFile(wheel.path) as archive:
        names = [
            name for name in archive.namelist() if name.startswith((program, LIBRARIES))
        ]
        if program not in names:
            raise CommandError(
                f"`{wheel.path.name}` has no `{program}`",
                hint="build it again: `python3 -m scripts wheels`",
            )
        return {name: (archive.read(name), EXECUTABLE) for name in names}


def _tools(of_server: dict[str, Files]) -> list[str] | None:
    """Ask the server which tools it has; None if no wheel has one that this machine can start."""
    for key, files in of_server.items():
        if not runs_here(PLATFORMS[key]):
            continue
        with tempfile.TemporaryDirectory(prefix="leanspec-bundle-") as name:
            folder = Path(name)
            for path, (data, mode) in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
                (folder / path).chmod(mode)
            command, env = [str(folder / ENTRY_POINT)], program_environment(folder / "home")
            server = list_tools(command, folder, env)
            return [tool["name"] for tool in server.tools]
    return None

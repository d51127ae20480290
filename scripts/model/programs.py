"""Every distribution of a release, and the programs as projects: their manifests, joined with the table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanspec_launcher._search import local_path
from leanspec_launcher._tables import PROGRAMS, Platform, Program
from leanspec_launcher.commands import CommandError
from leanspec_launcher.web.place import UI
from scripts.environment import ROOT

from .manifest import read_manifest, release_table

PROJECTS = ROOT / "platform_wheels"
MAIN = "lean-spec"
PAGES = UI.distribution
# The MCP server under the name of its command, so that `uvx leanspec-mcp` starts it. Nothing of it
# is released while LeanSpec has no server: on the index, the last one goes on working.
MCP_COMMAND = PROGRAMS["mcp"].command
HAS_MCP = not PROGRAMS["mcp"].ended
MCP_COMMAND_PROJECT = PROJECTS / "mcp-command"
DISTRIBUTIONS = (
    MAIN,
    *(program.distribution for program in PROGRAMS.values()),
    PAGES,
    *([MCP_COMMAND] if HAS_MCP else []),
)


@dataclass(frozen=True)
class ProgramProject:
    """A program with its project folder and what collecting its binary needs to know."""

    program: Program
    root: Path
    version: str
    crate: str
    npm_template: str
    description: str

    @property
    def name(self) -> str:
        """The program's short name."""
        return self.program.name

    def npm_package(self, platform: Platform) -> str:
        """Return the name of the npm package that carries the binary for a platform."""
        return self.npm_template.format(platform=platform.key)


def main_project() -> dict[str, Any]:
    """Return the `[project]` table of `lean-spec`; its version is the one home of the version."""
    return dict(read_manifest()["project"])


def release_keys(root: Path = ROOT) -> tuple[str, ...]:
    """Return the minisign keys that the users of this release trust: its own, and the one that will follow."""
    table = release_table(root)
    keys = (table.get("public-key"), table.get("next-public-key"))
    return tuple(str(key) for key in keys if key)


def load_programs(names: tuple[str, ...] = ()) -> list[ProgramProject]:
    """Read the projects of the programs named, or of all.

    Raises CommandError if a project and the launcher's table disagree: the wheel would not be
    found.
    """
    return [_load(PROGRAMS[name]) for name in (dict.fromkeys(names) or PROGRAMS)]


def _load(program: Program) -> ProgramProject:
    path = PROJECTS / program.name / "pyproject.toml"
    manifest = read_manifest(path)
    project, tool = manifest["project"], manifest["tool"]
    actual = {**tool["leanspec-build"], **project}
    expected = {
        "name": program.distribution,
        "package": program.package,
        "executable": program.command,
        "version": main_project()["version"],
    }
    for key, value in expected.items():
        if actual[key] != value:
            raise CommandError(
                f"`{path.relative_to(ROOT)}` says `{key} = {actual[key]}`, expected `{value}`",
                hint=f"set it to `{value}`",
            )
    return ProgramProject(
        program=program,
        root=path.parent,
        version=project["version"],
        crate=tool["leanspec-collect"]["crate"],
        npm_template=tool["leanspec-collect"]["npm"],
        description=project["description"],
    )


def binary_path(base: Path, program: Program, platform: Platform) -> Path:
    """Return the path of a program's binary for a platform in a binaries directory."""
    return Path(local_path(str(base), program, platform))

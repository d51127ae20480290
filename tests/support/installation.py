"""An installation made by hand, in which a small script stands in for the installer."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher._tables import PROGRAMS
from tests.support.site import Site, script
from tests.support.surroundings import run, shebang

VERSION = "9.9.9"


COMMANDS = {
    "lean-spec": "leanspec_launcher:cli",
    "leanspec": "leanspec_launcher:cli",
    "leanspec-mcp": "leanspec_launcher:mcp",
    # The extra that brings its binary is not installed.
    "leanspec-http": "leanspec_launcher:http",
    # Not ours to judge, though the names are alike.
    "other": "other:cli",
    "leanspec-more": "leanspec_launcher:more",
    "leanspec-launcher": "leanspec_launcher.manage:main",
}


ANSWER = {"id": 1, "result": {"serverInfo": {"version": VERSION}}}


CONTENTS = {
    "cli": script("echo cli $*", "cli"),
    "mcp": script(f"echo '{json.dumps(ANSWER)}'", "mcp"),
}


# What stands in for uv: it writes down what it is told, and does what the test wants.
UV = """#!/bin/sh
echo "$*" >> "$0.log"
{}
"""


@dataclass
class Installation:
    """A site with its record, its scripts, and an installer."""

    site: Site
    scripts: Path
    tools: Path

    def contents(self) -> dict[str, bytes]:
        """Return every script as it is."""
        return {path.name: path.read_bytes() for path in sorted(self.scripts.iterdir())}

    def manage(
        self, *arguments: str, code: int = 0, env: dict[str, str] | None = None
    ) -> str:
        """Run a command; return all that it says."""
        path = {"PATH": f"{self.tools}:{self.site.env['PATH']}"}
        process = self.site.manage(*arguments, code=code, env=path | (env or {}))
        return process.stdout + process.stderr

    def manage_with(self, before: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a Python in which something was process before."""
        call = self.site.call("main", ".manage", before)
        return run([sys.executable, "-c", call, *arguments], self.site.env, code=None)

    def uv(self, then: str) -> None:
        """Put an installer there."""
        path = self.tools / "uv"
        path.write_text(UV.format(then))
        path.chmod(0o755)

    def commands_of_uv(self) -> list[str]:
        """Return the command lines of the installer."""
        log = self.tools / "uv.log"
        return log.read_text().splitlines() if log.exists() else []

    def move(self, folder: Path) -> None:
        """Put the packages elsewhere."""
        folder.parent.mkdir(parents=True)
        self.site.root.rename(folder)
        self.site.root = folder

    def damage(self) -> None:
        with self.binary("cli").open("ab") as file:
            file.write(b"# x\n")

    def binary(self, program: str) -> Path:
        return self.site.root / PROGRAMS[program].package / "bin" / self.site.name(program)


def record(site: Site, name: str, files: list[str], commands: dict[str, str]) -> None:
    """Write what an installer records of a distribution."""
    folder = site.root / f"{name.replace('-', '_')}-{VERSION}.dist-info"
    folder.mkdir()
    points = "".join(f"{command} = {target}\n" for command, target in commands.items())
    (folder / "entry_points.txt").write_text(f"[console_scripts]\n{points}")
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: {VERSION}\n\n")
    (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    (folder / "INSTALLER").write_text("uv\n")


def install(site: Site, root: Path) -> Installation:
    """Install small programs, with the scripts and records that an installer writes."""
    scripts, tools = root / "bin", root / "tools"
    for folder in (scripts, tools):
        folder.mkdir()
    for program, data in CONTENTS.items():
        site.install(program, data)
        record(site, PROGRAMS[program].distribution, [], {})
    record(site, "lean-spec", [f"../bin/{name}" for name in COMMANDS], COMMANDS)
    for name, target in COMMANDS.items():
        module, _, function = target.partition(":")
        text = f"{shebang()}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
        (scripts / name).write_text(text)
        (scripts / name).chmod(0o755)
    return Installation(site, scripts, tools)

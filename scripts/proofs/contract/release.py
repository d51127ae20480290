"""A release whose binaries are the probe: built, installed, and the ways to start it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from leanspec_launcher._tables import FAMILIES, Family, Platform, current
from leanspec_launcher.commands import CommandError
from scripts.collect.staging import staged
from scripts.model.families import load_families, main_project
from scripts.model.versions import binary_version
from scripts.tools.console import step
from scripts.tools.installers import uv_install
from scripts.tools.processes import (
    capture,
    find_program,
    must_succeed,
)
from scripts.wheels.build import build_wheels

SOURCE = Path(__file__).with_name("probe.c")
FAMILY = FAMILIES["http"]  # the one that has a wrapper in Node
# Its version has no wrapper of its own on npm: the last one that has.
WRAPPER = "@leanspec/http-server"
WRAPPER_VERSION = "0.2.28"
SHIM = """#!{python}
import subprocess
import sys

sys.exit(subprocess.run([{binary!r}, *sys.argv[1:]]).returncode)
"""


class Start(StrEnum):
    """How a program is started."""

    DIRECT = "direct"
    OURS = "ours"
    NODE = "npm wrapper"
    SHIMMED = "subprocess shim"
    # The rest is measured by `bench` alone.
    LINKED = "linked"
    BY_PIP = "ours, by this Python's own pip"
    FIRST = "ours, first start"
    BARE = "python -c pass"
    FLOOR = "execv alone"


@dataclass(frozen=True)
class Way:
    """One way to start the program, and the command to which its arguments are added."""

    name: Start
    command: tuple[str, ...]


def this_platform() -> Platform:
    """Return this machine's platform; raises CommandError if it has none of the contract's, Linux and macOS."""
    platform = current()
    if platform is None or platform.system == "win32":
        raise CommandError("the contract can only be measured on Linux and macOS")
    return platform


def build_probe(folder: Path) -> Path:
    """Compile the probe."""
    compiler = find_program(
        "cc", "install a C compiler: on Debian and Ubuntu `apt install gcc libc6-dev`"
    )
    program = folder / "probe"
    must_succeed(
        capture([compiler, "-O1", "-Wall", "-o", str(program), str(SOURCE)]),
        "compiling the probe",
    )
    return program


def build_release(folder: Path, program: Path) -> Path:
    """Build the wheels of a release in which the probe is the binary of every family; return their folder."""
    platform = this_platform()
    version = binary_version(main_project()["version"])
    with staged(folder / "binaries") as staging:
        for number, project in enumerate(load_families()):
            # No two binaries of a release have the same bytes.
            file = folder / project.family.program
            file.write_bytes(program.read_bytes() + bytes(number))
            staging.add(
                project,
                platform,
                file,
                version=version,
                source={"kind": "probe"},
                commit=None,
            )
    build_wheels(folder / "binaries", folder / "dist", (), ())
    return folder / "dist"


def install(environment: Path, dist: Path) -> Path:
    """Install `lean-spec[ui]` of these wheels with uv into a new environment; return the folder of its commands."""
    # Our own come from the files, whatever an index has under their names; the rest from the
    # configured index.
    wheels = [str(path) for path in dist.glob("*.whl") if not _is_stub(path)]
    return uv_install(environment, *wheels, env={"UV_LINK_MODE": "copy"})


def _is_stub(path: Path) -> bool:
    return path.name.startswith("leanspec_") and path.name.endswith("-any.whl")


def installed_binary(commands: Path, family: Family = FAMILY) -> Path:
    """Return the binary that an environment's command starts."""
    packages = next(commands.parent.glob("lib/python3.*/site-packages"))
    return packages / family.package / "bin" / family.program


def ways(folder: Path, commands: Path, family: Family = FAMILY) -> list[Way]:
    """Return every way to start an installed program that is possible here, the direct one first.

    `folder` is where the npm wrapper and the shim are made.
    """
    binary = installed_binary(commands, family)
    result = [
        Way(Start.DIRECT, (str(binary),)),
        Way(Start.OURS, (str(commands / family.program),)),
    ]
    if shutil.which("node") and shutil.which("npm"):
        result.append(Way(Start.NODE, (str(_wrapper(folder, binary)),)))
    shim = folder / "shim"
    shim.write_text(SHIM.format(python=commands / "python", binary=str(binary)), "utf-8")
    shim.chmod(0o755)
    return [*result, Way(Start.SHIMMED, (str(shim),))]


def _wrapper(folder: Path, binary: Path) -> Path:
    """Let npm install the project's wrapper, put the binary into its platform package; return npm's command for it."""
    npm = find_program("npm", "install Node.js, which brings it")
    root = folder / "npm"
    root.mkdir(parents=True)
    spec = f"{WRAPPER}@{WRAPPER_VERSION}"
    with step(f"npm install {spec}"):
        options = ["--prefix", str(root), "--ignore-scripts", "--no-audit", "--no-fund"]
        must_succeed(capture([npm, "install", *options, spec]), f"`npm install {spec}`")
    place = root / "node_modules/@leanspec" / f"http-{this_platform().key}" / FAMILY.program
    if not place.exists():
        raise CommandError(f"npm installed no `{place.parent.name}`, which {spec} needs")
    shutil.copy(binary, place)
    return root / "node_modules/.bin" / FAMILY.program


def release(folder: Path) -> list[Way]:
    """Build, install and return the ways, all in `folder`."""
    program = build_probe(folder)
    return ways(folder, install(folder / "environment", build_release(folder, program)))

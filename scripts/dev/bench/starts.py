"""Ways to start an installed program: directly, through our launcher, npm's wrapper, a usual shim."""

import shutil
from enum import StrEnum
from pathlib import Path

from leanspec_launcher._tables import PROGRAMS, Platform, Program, current
from leanspec_launcher.commands import CommandError
from scripts.model.files import FileKind, read_files
from scripts.tools.console import step
from scripts.tools.installers import uv_install
from scripts.tools.processes import capture, find_program, must_succeed

# The program that has a wrapper in Node.
PROGRAM = PROGRAMS["http"]
# The last version of the wrapper: npm has none of LeanSpec's present version.
WRAPPER = "@leanspec/http-server"
WRAPPER_VERSION = "0.2.28"
SHIM = """#!{python}
import subprocess
import sys

sys.exit(subprocess.run([{binary!r}, *sys.argv[1:]]).returncode)
"""
Command = tuple[str, ...]


class StartKind(StrEnum):
    """How a program is started."""

    DIRECT = "direct"
    OURS = "ours"
    NODE = "npm wrapper"
    SHIMMED = "subprocess shim"
    LINKED = "linked"
    BY_PIP = "ours, by this Python's own pip"
    FIRST = "ours, first start"
    BARE = "python -c pass"
    FLOOR = "execv alone"
    HELP = "leanspec-launcher --help"


def this_platform() -> Platform:
    """Return this machine's platform; raises CommandError if we have no program for it."""
    platform = current()
    if platform is None:
        raise CommandError("there is no program for this machine")
    return platform


def install(environment: Path, dist: Path) -> Path:
    """Install `lean-spec[ui]` of these wheels with uv into a new environment; return the folder of its commands."""
    return uv_install(environment, *release_wheels(dist), env={"UV_LINK_MODE": "copy"})


def release_wheels(dist: Path) -> list[str]:
    """Return the wheels of ours that are installed here, so that none of them comes from an index."""
    files, _ = read_files(dist)
    kinds = (FileKind.MAIN, FileKind.PLATFORM)
    return [str(file.path) for file in files if file.kind in kinds]


def installed_binary(commands: Path, program: Program = PROGRAM) -> Path:
    """Return the binary that an environment's command starts."""
    packages = next(commands.parent.glob("lib/python3.*/site-packages"))
    return packages / program.package / "bin" / program.command


def starts(folder: Path, commands: Path, program: Program) -> dict[StartKind, Command]:
    """Return the command of each way to start an installed program that is possible here.

    `folder` is where the npm wrapper and the shim are made.
    """
    binary = installed_binary(commands, program)
    shim = folder / "shim"
    shim.write_text(SHIM.format(python=commands / "python", binary=str(binary)), "utf-8")
    shim.chmod(0o755)
    result: dict[StartKind, Command] = {
        StartKind.DIRECT: (str(binary),),
        StartKind.OURS: (str(commands / program.command),),
        StartKind.SHIMMED: (str(shim),),
    }
    if shutil.which("node") and shutil.which("npm"):
        result[StartKind.NODE] = (str(_wrapper(folder, binary)),)
    return result


def _wrapper(folder: Path, binary: Path) -> Path:
    """Let npm install the project's wrapper, put the binary into its platform package; return npm's command for it."""
    npm = find_program("npm")
    root = folder / "npm"
    root.mkdir(parents=True)
    spec = f"{WRAPPER}@{WRAPPER_VERSION}"
    with step(f"npm install {spec}"):
        options = ["--prefix", str(root), "--ignore-scripts", "--no-audit", "--no-fund"]
        must_succeed(capture([npm, "install", *options, spec]), f"`npm install {spec}`")
    package = root / "node_modules/@leanspec" / f"http-{this_platform().key}"
    if not (package / PROGRAM.command).exists():
        raise CommandError(f"npm installed no `{package.name}`, which {spec} needs")
    shutil.copy(binary, package / PROGRAM.command)
    return root / "node_modules/.bin" / PROGRAM.command

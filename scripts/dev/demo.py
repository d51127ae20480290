"""The demo: from npm packages to wheels, an installation, and the CLI and MCP server at work."""

import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from leanspec_launcher._tables import Platform, current
from leanspec_launcher.commands import CommandError
from scripts.collect.npm import NotOnRegistryError, collect_npm
from scripts.collect.reported import list_tools
from scripts.collect.staging import staged
from scripts.environment import ROOT
from scripts.model.files import FileKind, read_name
from scripts.model.programs import (
    HAS_MCP,
    MAIN,
    ProgramProject,
    load_programs,
    main_project,
)
from scripts.tools.console import console, say, size, step
from scripts.tools.installers import create_environment, pip_install
from scripts.tools.processes import clean_environment
from scripts.wheels.build import build_wheels

FOLDER = ROOT / "demo"
# A stub, for other machines, is never installed here.
INSTALLED = (FileKind.MAIN, FileKind.PLATFORM)
COMMANDS = (
    ("--version",),
    ("init", "-y"),
    ("create", "my-first-spec", "--title", "My first spec"),
    ("list",),
    ("board",),
)
CARGO_HINT = "build the binaries from a workspace: `python3 -m scripts collect cargo WORKSPACE --build`"


def show_release() -> None:
    """Run every step with its time, then suggest what to type next. Raises CommandError if one of them fails."""
    started = time.monotonic()
    version = main_project()["version"]
    platform = current()
    if platform is None:
        raise CommandError("npm has no binaries for this machine", hint=CARGO_HINT)
    wheels = _make_wheels(version, platform)
    scripts = _install(wheels)
    project = _empty(FOLDER / "project")
    environment = clean_environment(PYTHONDONTWRITEBYTECODE="")
    for command in COMMANDS:
        _run(scripts / "lean-spec", command, project, environment)
    if HAS_MCP:
        with step("MCP: tools/list with leanspec-mcp"):
            server = list_tools([str(scripts / "leanspec-mcp")], project, environment)
        names = [tool["name"] for tool in server.tools]
        tools = f"{len(names)} tools: {', '.join(names)}"
        say(f"  {server.name} {server.version} offers {tools}")
    _sum_up(version, wheels, scripts, time.monotonic() - started)


def _make_wheels(version: str, platform: Platform) -> list[Path]:
    binaries = FOLDER / "binaries"
    try:
        with staged(binaries) as staging:
            collect_npm(version, _programs(), [platform], staging, all_required=True)
    except NotOnRegistryError as error:
        raise CommandError(
            f"npm has no LeanSpec {version} for {platform.label}: {error.message}",
            hint=CARGO_HINT,
        ) from None
    return build_wheels(binaries, _empty(FOLDER / "dist"), (), ())


def _programs() -> list[ProgramProject]:
    """Return the programs that are installed without an extra, and run here."""
    return [project for project in load_programs() if not project.program.extra]


def _install(wheels: list[Path]) -> Path:
    """Install `lean-spec` into a new environment and return the folder of its scripts.

    Our own distributions are named as files, so that none of them can come from an index; what they
    need comes from the index that pip is configured with.
    """
    with step("making a clean environment"):
        scripts = create_environment(_empty(FOLDER / "environment"))
    names = {MAIN, *(project.program.distribution for project in _programs())}
    files = [read_name(wheel) for wheel in wheels]
    chosen = [
        str(file.path)
        for file in files
        if file and file.kind in INSTALLED and file.distribution in names
    ]
    with step("pip install lean-spec, from the files just built"):
        pip_install(scripts, *chosen)
    return scripts


def _run(
    program: Path, arguments: tuple[str, ...], project: Path, environment: dict[str, str]
) -> None:
    console().print(f"[bold]$ lean-spec {shlex.join(arguments)}[/]")
    sys.stderr.flush()
    # Not captured: the program writes to the terminal itself.
    run = subprocess.run(
        [str(program), *arguments], cwd=project, env=environment, check=False
    )
    if run.returncode != 0:
        raise CommandError(
            f"`lean-spec {shlex.join(arguments)}` ended with exit code {run.returncode}"
        )


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _sum_up(version: str, wheels: list[Path], scripts: Path, seconds: float) -> None:
    total = size(sum(wheel.stat().st_size for wheel in wheels))
    summary = f"{len(wheels)} files built ({total}), installed and run in {seconds:.0f} s"
    console().print(f"\n[bold green]LeanSpec {version}[/]: {summary}\nnext:")
    here, folder = scripts.relative_to(ROOT), FOLDER.relative_to(ROOT)
    for command, meaning in (
        (f"{here / 'lean-spec'} --help", "the command line"),
        (f"{here / 'leanspec-launcher'} which", "which binaries run, and why those"),
        (f"ls {folder / 'dist'}", "the wheels"),
        ("python3 -m scripts test", "the test suite"),
        (f"rm -r {folder}", "when done with it"),
    ):
        say(f"  {command:48} {meaning}")

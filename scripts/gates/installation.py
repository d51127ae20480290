"""The gate that installs a release with pip and uv, and runs it: before an upload, and after."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

from leanspec_launcher._say import NOT_FOUND
from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.instead import ended
from leanspec_launcher.tools import AS_RELEASED, change
from scripts.collect.reported import list_tools, reported_tools
from scripts.index.pins import PinnedRequirements, write_pins
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, compare, problem
from scripts.model.plan import Plan
from scripts.model.programs import HAS_MCP, MAIN, MCP_COMMAND
from scripts.model.versions import binary_version
from scripts.tools.installers import create_environment, pip_install, uv_install
from scripts.tools.processes import capture, program_environment
from scripts.wheels.pins import pinned_tools

from .layout import foreign_files
from .web_server import ask, web_server

# Each has to end with 0.
COMMANDS = (
    "lean-spec init -y",
    "lean-spec create first",
    "lean-spec list",
    "leanspec-launcher which",
    "leanspec-launcher verify",
)


def installed_from(
    plan: Plan,
    files: list[File],
    index: dict[str, str],
    folder: Path,
    *,
    gate: str = "install",
) -> Iterator[Finding]:
    """Install `lean-spec[ui]` with pip and with uv, and `leanspec-mcp` with uv, and run their programs.

    `index` is the environment that tells both installers which index it is. Of it, nothing but
    `files` is installed.
    """
    roots = [f"{MAIN}[ui]=={plan.version}"]
    roots += [f"{MCP_COMMAND}=={plan.version}"] if HAS_MCP else []
    pins, *command_pins = write_pins(tuple(roots), files, folder)
    main = [file.path for file in files if file.kind == FileKind.MAIN]
    released = pinned_tools(main[0]) if main else {}
    for name, install in (("pip", install_by_pip), ("uv", install_by_uv)):
        environment, project = folder / name, folder / f"{name}-project"
        try:
            programs = install(pins, index, environment)
        except CommandError as error:
            yield problem(gate, f"{name} install {roots[0]}", "installed", str(error))
            continue
        by_installer = f"{gate} by {name}"
        yield from foreign_files(environment, by_installer)
        yield from _runs(plan, programs, project, by_installer)
        if HAS_MCP:
            yield from compare_tools(programs, released, by_installer)
    if command_pins:
        of_uvx = f"{gate} of {MCP_COMMAND}"
        try:
            programs = install_by_uv(command_pins[0], index, folder / "uvx")
        except CommandError as error:
            yield problem(gate, f"uv install {MCP_COMMAND}", "installed", str(error))
            return
        project = folder / "uvx-project"
        project.mkdir()
        yield from foreign_files(folder / "uvx", of_uvx)
        # As `uvx leanspec-mcp` starts it, which is what its registry tells clients.
        yield from _mcp(plan, programs, project, of_uvx)
        yield from compare_tools(programs, released, of_uvx)


def install_by_pip(
    pins: PinnedRequirements, index: dict[str, str], environment: Path
) -> Path:
    """Install a distribution of a release with pip; return the folder of its programs."""
    programs = create_environment(environment)
    # What others made comes from the usual index; of the one under test, nothing but ours.
    pip_install(programs, *pins.of_others)
    # A cache may hold an earlier build under the same name.
    pip_install(programs, "--no-cache-dir", *pins.of_ours, env=index)
    return programs


def install_by_uv(
    pins: PinnedRequirements, index: dict[str, str], environment: Path
) -> Path:
    """Install a distribution of a release with uv; return the folder of its programs."""
    uv_install(environment, *pins.of_others)
    return uv_install(environment, "--no-cache", *pins.of_ours, env=index)


def _runs(plan: Plan, commands: Path, project: Path, gate: str) -> Iterator[Finding]:
    project.mkdir()
    env, version = _environment(project), binary_version(plan.version)
    for program in ("lean-spec", "leanspec-http"):
        run = capture([str(commands / program), "--version"], cwd=project, env=env)
        words = run.stdout.split() or [run.stderr.strip()[:200]]
        yield compare(gate, f"{program} --version", version, words[-1])
    for line in COMMANDS:
        name, *arguments = line.split()
        run = capture([str(commands / name), *arguments], cwd=project, env=env)
        text = (run.stderr or run.stdout).strip()[:200]
        result = f"exit {run.returncode}: {text}" if run.returncode else "exit 0"
        yield compare(gate, line, "exit 0", result)
    yield from _mcp(plan, commands, project, gate)
    health = _health(commands / "leanspec-http", project, env)
    yield compare(gate, "leanspec-http /health", version, health)


def _environment(project: Path) -> dict[str, str]:
    """Return the environment of a release's programs: no secret, and a home next to the project."""
    return program_environment(project.with_name(f"{project.name}-home"))


def _mcp(plan: Plan, commands: Path, project: Path, gate: str) -> Iterator[Finding]:
    """Ask the MCP server for its version and its tools, as a client does."""
    version, command = binary_version(plan.version), [str(commands / MCP_COMMAND)]
    if not HAS_MCP:
        run = capture(command, cwd=project, env=_environment(project))
        expected = f"exit {NOT_FOUND}: error: {ended.reason(PROGRAMS['mcp'])}"
        first_line = run.stderr.partition("\n")[0]
        actual = f"exit {run.returncode}: {first_line}"
        yield compare(gate, MCP_COMMAND, expected, actual)
        return
    try:
        server = list_tools(command, project, _environment(project))
        yield compare(gate, "leanspec-mcp version", version, server.version)
        offered = "some tools" if server.tools else "none"
        yield compare(gate, "leanspec-mcp tools/list", "some tools", offered)
    except CommandError as error:
        yield problem(gate, "leanspec-mcp version", version, str(error))


def compare_tools(
    commands: Path, released: dict[str, dict[str, str]], gate: str
) -> Iterator[Finding]:
    """Compare the tools of the installed server with those that its release states."""
    try:
        listed = reported_tools(commands / MCP_COMMAND)
    except OSError as error:
        yield problem(gate, "leanspec-mcp tools", AS_RELEASED, str(error))
        return
    for adapter, tools in listed.items():
        subject = f"leanspec-mcp tools of a {adapter} project"
        if adapter in released:
            yield compare(gate, subject, AS_RELEASED, change(released[adapter], tools))
        else:
            yield problem(
                gate, subject, AS_RELEASED, f"`{MAIN}` does not state the released ones"
            )


def _health(server: Path, project: Path, env: dict[str, str]) -> str:
    """Start the web server, and return the version that it reports; else the reason."""
    options = ("-P", str(project))
    try:
        with web_server(server, *options, folder=project, env=env) as port:
            status, _, body = ask(port, "/health")
    except CommandError as error:
        return error.message
    if status != http.client.OK:
        return f"HTTP {status}"
    try:
        health = json.loads(body)
    except ValueError:
        return "no JSON"
    return str(health.get("version", health))

"""The gate that installs a release with pip and uv, and runs it: before an upload, and after."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from leanspec_launcher._say import NOT_FOUND
from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.instead import ended
from leanspec_launcher.tools import AS_RELEASED, change
from scripts.collect.reported import reported_tools
from scripts.index.pins import PinnedRequirements, write_pins
from scripts.model.distributions import HAS_MCP, MAIN, MCP_COMMAND
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, compare, problem
from scripts.model.plan import Plan
from scripts.model.versions import binary_version
from scripts.tools.installers import create_environment, pip_install, uv_install
from scripts.tools.loopback import free_port
from scripts.tools.mcp_session import list_tools
from scripts.tools.processes import capture, program_environment
from scripts.wheels.pins import pinned_tools

from .layout import foreign_files

SECONDS = 20
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
    if HAS_MCP:
        roots.append(f"{MCP_COMMAND}=={plan.version}")
    pins, *command_pins = write_pins(tuple(roots), files, folder)
    released = _released_tools(files)
    for name, install in (("pip", install_by_pip), ("uv", install_by_uv)):
        environment, project = folder / name, folder / f"{name}-project"
        try:
            programs = install(pins, index, environment)
        except CommandError as error:
            yield problem(gate, f"{name} install {roots[0]}", "installed", str(error))
            continue
        yield from foreign_files(environment, f"{gate} by {name}")
        yield from _runs(plan, programs, project, f"{gate} by {name}")
        if HAS_MCP:
            yield from compare_tools(programs, released, f"{gate} by {name}")
    if command_pins:
        of_uvx = f"{gate} of {MCP_COMMAND}"
        try:
            programs = install_by_uv(command_pins[0], index, folder / "uvx")
        except CommandError as error:
            yield problem(gate, f"uv install {MCP_COMMAND}", "installed", str(error))
            return
        yield from _runs_by_uvx(plan, programs, folder, of_uvx)
        yield from compare_tools(programs, released, of_uvx)


def _runs_by_uvx(plan: Plan, programs: Path, folder: Path, gate: str) -> Iterator[Finding]:
    """Start the MCP server as `uvx leanspec-mcp` does, which is what its registry tells clients."""
    project = folder / "uvx-project"
    project.mkdir()
    yield from foreign_files(folder / "uvx", gate)
    yield from _mcp(plan, programs, project, gate)


def install_by_pip(
    pins: PinnedRequirements, index: dict[str, str], environment: Path
) -> Path:
    """Install a distribution of a release with pip; return the folder of its programs."""
    programs = create_environment(environment)
    pip_install(programs, *pins.of_others)
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
    env, wanted = _environment(project), binary_version(plan.version)
    for program in ("lean-spec", "leanspec-http"):
        done = capture([str(commands / program), "--version"], cwd=project, env=env)
        words = done.stdout.split() or [done.stderr.strip()[:200]]
        yield compare(gate, f"{program} --version", wanted, words[-1])
    for line in COMMANDS:
        name, *arguments = line.split()
        done = capture([str(commands / name), *arguments], cwd=project, env=env)
        text = (done.stderr or done.stdout).strip()[:200]
        result = f"exit {done.returncode}: {text}" if done.returncode else "exit 0"
        yield compare(gate, line, "exit 0", result)
    yield from _mcp(plan, commands, project, gate)
    yield _health(commands, project, env, wanted, gate)


def _environment(project: Path) -> dict[str, str]:
    """Return the environment of a release's programs: no secret, and a home next to the project."""
    return program_environment(project.with_name(f"{project.name}-home"))


def _mcp(plan: Plan, commands: Path, project: Path, gate: str) -> Iterator[Finding]:
    """Ask the MCP server for its version and its tools, as a client does."""
    version, command = binary_version(plan.version), [str(commands / MCP_COMMAND)]
    if not HAS_MCP:
        done = capture(command, cwd=project, env=_environment(project))
        expected = f"exit {NOT_FOUND}: error: {ended.reason(PROGRAMS['mcp'])}"
        actual = f"exit {done.returncode}: {done.stderr.partition(chr(10))[0]}"
        yield compare(gate, MCP_COMMAND, expected, actual)
        return
    try:
        server = list_tools(command, project, _environment(project))
        yield compare(gate, "leanspec-mcp version", version, server.version)
        offered = "some tools" if server.tools else "none"
        yield compare(gate, "leanspec-mcp tools/list", "some tools", offered)
    except CommandError as error:
        yield problem(gate, "leanspec-mcp version", version, str(error))


def _released_tools(files: list[File]) -> dict[str, dict[str, str]]:
    """Return the tools that the `lean-spec` of a release pins: adapter -> tool -> outline."""
    main = [file.path for file in files if file.kind == FileKind.MAIN]
    return pinned_tools(main[0]) if main else {}


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


def _health(
    commands: Path, project: Path, env: dict[str, str], wanted: str, gate: str
) -> Finding:
    """Start the web server on a free port of loopback, and ask for its health."""
    port = free_port()
    command = [
        str(commands / "leanspec-http"),
        "--no-open",
        "-p",
        str(port),
        "-P",
        str(project),
    ]
    with subprocess.Popen(
        command,
        cwd=project,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            found = _ask_health(f"http://127.0.0.1:{port}/health", process)
        finally:
            process.terminate()
    return compare(gate, "leanspec-http /health", wanted, found)


def _ask_health(url: str, process: subprocess.Popen[bytes]) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with opener.open(url, timeout=SECONDS) as answer:
                found = json.load(answer)
                return str(found.get("version", found))
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}"
        except OSError:
            time.sleep(0.1)
        except ValueError:
            return "no JSON"
    return (
        f"the server ended with {process.returncode}"
        if process.poll() is not None
        else f"no answer in {SECONDS} s"
    )

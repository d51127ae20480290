"""The gate that installs a release with pip and uv, and runs it: before an upload, and after."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.model.finding import Finding, compare, problem
from scripts.model.plan import Plan
from scripts.model.versions import binary_version
from scripts.tools.installers import create_environment, pip_install, uv_install
from scripts.tools.loopback import free_port
from scripts.tools.mcp_session import list_tools
from scripts.tools.processes import (
    capture,
    program_environment,
)

from .layout import foreign_files

SECONDS = 20
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


def installed_from(
    plan: Plan, index: dict[str, str], folder: Path, *, gate: str = "install"
) -> Iterator[Finding]:
    """Install `lean-spec[ui]` with pip and with uv, from one index only, and run its programs.

    `index` is the environment that tells both installers which index it is.
    """
    for name, install in (("pip", _by_pip), ("uv", _by_uv)):
        environment = folder / name
        try:
            install(environment, f"lean-spec[ui]=={plan.version}", index)
        except CommandError as error:
            yield problem(
                gate,
                f"{name} install lean-spec[ui]=={plan.version}",
                "installed",
                str(error),
            )
            continue
        yield from foreign_files(environment, f"{gate} by {name}")
        yield from _runs(
            plan,
            environment / SCRIPTS,
            folder / f"{name}-project",
            f"{gate} by {name}",
        )


def _by_pip(environment: Path, requirement: str, index: dict[str, str]) -> None:
    pip_install(create_environment(environment), "--no-cache-dir", requirement, env=index)


def _by_uv(environment: Path, requirement: str, index: dict[str, str]) -> None:
    uv_install(environment, "--no-cache", requirement, env=index)


def _runs(plan: Plan, commands: Path, project: Path, gate: str) -> Iterator[Finding]:
    project.mkdir()
    # The programs of a release get no secret of this process, and leave nothing in this user's
    # home.
    env, wanted = (
        program_environment(project.with_name(f"{project.name}-home")),
        binary_version(plan.version),
    )
    for program in ("lean-spec", "leanspec-http"):
        said = capture([str(commands / program), "--version"], cwd=project, env=env)
        yield compare(
            gate,
            f"{program} --version",
            wanted,
            (said.stdout.split() or [said.stderr.strip()[:200]])[-1],
        )
    for arguments in (["init", "-y"], ["create", "first"], ["list"]):
        done = capture([str(commands / "lean-spec"), *arguments], cwd=project, env=env)
        found = (
            "exit 0"
            if done.returncode == 0
            else f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[:200]}"
        )
        yield compare(gate, f"lean-spec {' '.join(arguments)}", "exit 0", found)
    try:
        server, tools = list_tools([str(commands / "leanspec-mcp")], project, env)
        yield compare(gate, "leanspec-mcp initialize", wanted, server["version"])
        offered = "some tools" if tools else "none"
        yield compare(gate, "leanspec-mcp tools/list", "some tools", offered)
    except CommandError as error:
        yield problem(gate, "leanspec-mcp initialize", wanted, str(error))
    yield _health(commands, project, env, wanted, gate)


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

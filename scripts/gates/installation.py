"""The last gate before an upload, and the first proof after it: installed for real, and run."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from html import escape
from pathlib import Path

from packaging.utils import canonicalize_name

from leanspec_launcher.manage.errors import CommandError
from scripts.model.files import File
from scripts.model.finding import Finding, bad, same
from scripts.model.metadata import read_metadata
from scripts.model.plan import Plan
from scripts.model.versions import binary_version
from scripts.tools.loopback import Silent, serving
from scripts.tools.mcp_session import list_tools
from scripts.tools.own_pip import create_environment, pip_into
from scripts.tools.processes import (
    capture,
    clean_environment,
    must_succeed,
    own_program,
    program_environment,
)

SECONDS = 20
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
# What a release of ours needs next to itself, and what the index of built files passes on.
FOREIGN = re.compile(r"^(?!leanspec-|lean-spec)")


def installed_from(
    plan: Plan, index: dict[str, str], folder: Path, *, gate: str = "install"
) -> Iterator[Finding]:
    """Install `lean-spec[ui]` of a version with pip and with uv, from an index alone, and run its programs.

    `index` is the environment that tells both installers which index it is.
    """
    for name, install in (("pip", _pip), ("uv", install_by_uv)):
        environment = folder / name
        try:
            install(environment, f"lean-spec[ui]=={plan.version}", index)
        except CommandError as error:
            yield bad(
                gate, f"{name} install lean-spec[ui]=={plan.version}", "installed", error.message
            )
            continue
        yield from _runs(
            plan,
            environment / SCRIPTS,
            folder / f"{name}-project",
            f"{gate} by {name}",
        )


def _pip(environment: Path, requirement: str, index: dict[str, str]) -> None:
    programs = create_environment(environment)
    command = pip_into(programs, "install", "--no-cache-dir", requirement)
    must_succeed(capture(command, env=clean_environment(**index)), "`pip install`")


def install_by_uv(environment: Path, requirement: str, index: dict[str, str]) -> None:
    """Install with uv into a new environment, from one index alone; raises CommandError if that fails."""
    uv, env = own_program("uv"), clean_environment(**index)
    must_succeed(
        capture([uv, "venv", "--python", sys.executable, str(environment)], env=env), "`uv venv`"
    )
    command = [
        uv,
        "pip",
        "install",
        "--no-cache",
        "--python",
        str(environment / SCRIPTS / "python"),
        requirement,
    ]
    must_succeed(capture(command, env=env), "`uv pip install`")


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
        yield same(
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
        yield same(gate, f"lean-spec {' '.join(arguments)}", "exit 0", found)
    try:
        server, tools = list_tools([str(commands / "leanspec-mcp")], project, env)
        yield same(gate, "leanspec-mcp initialize", wanted, server["version"])
        yield same(gate, "leanspec-mcp tools/list", "some tools", "some tools" if tools else "none")
    except CommandError as error:
        yield bad(gate, "leanspec-mcp initialize", wanted, error.message)
    yield _health(commands, project, env, wanted, gate)


def _health(commands: Path, project: Path, env: dict[str, str], wanted: str, gate: str) -> Finding:
    """Start the web server on a free port of loopback, and ask how it is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(commands / "leanspec-http"), "--no-open", "-p", str(port), "-P", str(project)]
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
    return same(gate, "leanspec-http /health", wanted, found)


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


@contextlib.contextmanager
def index_of(files: list[File], folder: Path) -> Iterator[dict[str, str]]:
    """Serve built files as a simple index (PEP 503) on loopback; give the environment that makes it an installer's own.

    What our wheels need next to us comes from the index that pip is configured with, fetched once:
    no other file of our names can get in.
    """
    root = folder / "index"
    foreign = folder / "foreign"
    needed = {name for file in files for name in foreign_requirements(file)}
    if needed:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--dest",
            str(foreign),
            *sorted(needed),
        ]
        must_succeed(
            capture(command, env=clean_environment()), "`pip download` of what lean-spec needs"
        )
    for path in [*(file.path for file in files), *(foreign.glob("*.whl") if needed else [])]:
        project = root / canonicalize_name(path.name.removesuffix(".tar.gz").split("-")[0])
        project.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, project)
    for project in root.iterdir():
        links = "".join(
            f'<a href="{escape(each.name)}">{escape(each.name)}</a>\n'
            for each in sorted(project.iterdir())
        )
        (project / "index.html").write_text(
            f"<!DOCTYPE html><html><body>\n{links}</body></html>\n", "utf-8"
        )
    handler = functools.partial(_Files, directory=str(root))
    with serving(handler) as url:
        yield installer_settings(url, folder)


def installer_settings(url: str, folder: Path) -> dict[str, str]:
    """Return the environment in which pip and uv know one index alone, and keep nothing."""
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": url,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_NO_INDEX": "",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_CONFIG": "1",
        "UV_DEFAULT_INDEX": url,
        "UV_INDEX": "",
        "UV_FIND_LINKS": "",
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def foreign_requirements(file: File) -> Iterator[str]:
    """Yield what a built file needs that is none of ours."""
    for text in read_metadata(file).get_all("Requires-Dist") or []:
        if FOREIGN.match(text):
            yield text


class _Files(Silent, http.server.SimpleHTTPRequestHandler):
    """Serves a folder."""

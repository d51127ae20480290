"""A session of an MCP client with the server, by each way in which a client can be told to start it."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

from leanspec_launcher.commands import CommandError
from leanspec_launcher.protocol import INITIALIZED, handshake, modern_request, request
from scripts.github.mcp_bundle import ENTRY_POINT, write_bundles
from scripts.model.files import FileKind, read_files
from scripts.model.plan import read_plan
from scripts.model.programs import MCP_COMMAND
from scripts.tools.processes import capture, must_succeed, own_program

from .starts import Command, StartKind

if sys.platform == "win32":
    raise ImportError  # the package has refused before: this tells type checkers

DISCOVER = modern_request(0, "server/discover")
LIST_TOOLS = request(2, "tools/list")
TOOLS = b'"tools":['


class Through(StrEnum):
    """What a client starts."""

    BARE = "the server itself"
    LINKED = "linked (`leanspec-launcher link`)"
    INSTALLED = "the installed command"
    UVX = "`uvx leanspec-mcp`, in its cache"
    BUNDLE = "an MCP bundle"
    NODE = "the project's npm wrapper"


@dataclass
class Session:
    """The measurements of one way, in milliseconds."""

    through: Through
    answer: list[float] = field(default_factory=list)
    """From the start to the answer to `initialize`."""
    tools: list[float] = field(default_factory=list)
    """From the start to the list of tools."""
    probed: list[float] = field(default_factory=list)
    """The same, of a client that asks for `server/discover` first, and falls back."""
    end: list[float] = field(default_factory=list)
    """From the end of the input to the end of the process."""
    stray: int = 0
    """Bytes on standard output that are not the protocol's."""
    left: int = 0
    """Processes that are still there afterwards."""

    @property
    def medians(self) -> list[float]:
        """Return the medians of the four times."""
        columns = (self.answer, self.tools, self.probed, self.end)
        return [statistics.median(times) for times in columns]


def session_commands(
    folder: Path, dist: Path, servers: Mapping[StartKind, Command]
) -> dict[Through, Command]:
    """Prepare each way to start the server of a release; return their commands."""
    node = servers.get(StartKind.NODE)
    commands = {
        Through.BARE: servers[StartKind.DIRECT],
        Through.LINKED: servers[StartKind.LINKED],
        Through.INSTALLED: servers[StartKind.OURS],
        Through.UVX: _by_uvx(folder, dist),
        Through.BUNDLE: _of_bundle(folder, dist),
    }
    return commands | ({Through.NODE: node} if node else {})


def _by_uvx(folder: Path, dist: Path) -> Command:
    """Fill a cache of uv, and return the command that starts from it."""
    uv = own_program("uv")
    options = ("--cache-dir", str(folder / "uvx"), "--find-links", str(dist), "--no-config")
    version = read_plan().version
    run = ("tool", "run", *options, "--from", f"{MCP_COMMAND}=={version}", MCP_COMMAND)
    # `--version` is answered by the launcher: everything is there, and the server is not started.
    must_succeed(capture([uv, *run, "--version"]), f"`uvx {MCP_COMMAND}`")
    return (uv, "--offline", *run)


def _of_bundle(folder: Path, dist: Path) -> Command:
    """Unpack a release's bundle for this machine, and return the command that its manifest states."""
    files, _ = read_files(dist)
    wheels = [file for file in files if file.kind == FileKind.PLATFORM]
    place, project = folder / "bundle", folder / "project"
    place.mkdir()
    project.mkdir()
    ((path, _),) = write_bundles(wheels, place, read_plan())
    with zipfile.ZipFile(path) as archive:
        archive.extractall(place)
        manifest = json.loads(archive.read("manifest.json"))
    (place / ENTRY_POINT).chmod(0o755)
    start = manifest["server"]["mcp_config"]
    values = {"${__dirname}": str(place), "${user_config.project}": str(project)}
    return tuple(_filled_in(text, values) for text in (start["command"], *start["args"]))


def _filled_in(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text


@dataclass(frozen=True)
class ServerProcess:
    """A running MCP server, and its pipes."""

    process: subprocess.Popen[bytes]
    stdin: IO[bytes]
    stdout: IO[bytes]

    def send(self, *messages: object) -> None:
        """Write messages, a line each."""
        for message in messages:
            self.stdin.write(json.dumps(message).encode() + b"\n")
        self.stdin.flush()

    def ask(self, message: object) -> bytes:
        """Write a message, and return the line that answers it."""
        self.send(message)
        return self.stdout.readline()

    def end(self) -> None:
        """End the input, and wait for the end of the process."""
        self.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def mcp_server(command: Command, env: Mapping[str, str]) -> Iterator[ServerProcess]:
    """Start a server in a session of its own, as a client does."""
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise CommandError("the server has no pipes")
        yield ServerProcess(process, process.stdin, process.stdout)


def hold(
    session: Session, command: Command, env: Mapping[str, str], *, probe: bool
) -> None:
    """Hold one session as a client does, and add what it took.

    With `probe`, the client asks first whether the server speaks the newest protocol. Raises
    CommandError if the server does not answer.
    """
    started = time.perf_counter_ns()
    with mcp_server(command, env) as server:
        lines = [server.ask(DISCOVER)] if probe else []
        lines.append(server.ask(handshake()))
        answered = time.perf_counter_ns()
        server.send(INITIALIZED, LIST_TOOLS)
        # 0.3.0 answers the notification, too.
        while lines[-1] and TOOLS not in lines[-1]:
            lines.append(server.stdout.readline())
        listed = time.perf_counter_ns()
        server.end()
        ended = time.perf_counter_ns()
        lines += server.stdout.readlines()
    if probe:
        session.probed.append((listed - started) / 1e6)
    else:
        session.answer.append((answered - started) / 1e6)
        session.tools.append((listed - started) / 1e6)
        session.end.append((ended - listed) / 1e6)
    session.stray += sum(len(line) for line in lines if not _is_message(line))
    session.left += len([*processes_of(server.process.pid)])
    if TOOLS not in b"".join(lines):
        raise CommandError(f"`{' '.join(command)}` listed no tools: it cannot be measured")


def _is_message(line: bytes) -> bool:
    try:
        return bool(json.loads(line)["jsonrpc"] == "2.0")
    except (ValueError, KeyError, TypeError):
        return False


def processes_of(leader: int) -> Iterator[int]:
    """Yield the processes of the session that a process led."""
    for entry in Path("/proc").iterdir() if Path("/proc/self").exists() else ():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == leader:
                yield int(entry.name)
        except ProcessLookupError:
            continue

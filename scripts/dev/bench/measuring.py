"""One run: every way to start in turn, round after round, so that a busy moment slows all of them."""

import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from leanspec_launcher._tables import PROGRAMS, Program
from leanspec_launcher.commands import CommandError
from leanspec_launcher.protocol import handshake
from leanspec_launcher.verify.proof import SETTLED_NANOSECONDS
from scripts.collect.npm import collect_npm
from scripts.collect.staging import staged
from scripts.model.programs import load_programs, main_project
from scripts.tools.console import console, step
from scripts.tools.processes import capture, clean_environment, must_succeed
from scripts.wheels.build import build_wheels

from .sessions import (
    ServerProcess,
    Session,
    Through,
    hold,
    mcp_server,
    processes_of,
    session_commands,
)
from .starts import (
    Command,
    StartKind,
    install,
    installed_binary,
    release_wheels,
    starts,
    this_platform,
)

if sys.platform == "win32":
    raise ImportError  # the package has refused before: this tells type checkers

# Every run has these; the others depend on the machine.
COMPARED = (StartKind.DIRECT, StartKind.OURS, StartKind.BARE, StartKind.LINKED)
# The least that a launcher in Python can cost: it knows its binary, and checks nothing.
FLOOR_SCRIPT = """#!{python}
import os
import sys

os.execv({binary!r}, [{binary!r}, *sys.argv[1:]])
"""


@dataclass
class Measurements:
    """The measurements of one way to start, in milliseconds and kB."""

    way: StartKind
    start: list[float] = field(default_factory=list)
    """A whole run of `--version`."""
    handshake: list[float] = field(default_factory=list)
    """From the start of the MCP server to its answer to `initialize`."""
    beside: float | None = None
    """Memory of the processes beside the server while it waits (proportional set size)."""

    @property
    def start_median(self) -> float:
        """Return the median of the runs."""
        return statistics.median(self.start)

    @property
    def handshake_median(self) -> float | None:
        """Return the median of the handshakes; None if none was made."""
        return statistics.median(self.handshake) if self.handshake else None


@dataclass(frozen=True)
class BenchReport:
    """A whole run."""

    machine: dict[str, str]
    rounds: int
    rows: list[Measurements]
    sessions: list[Session] = field(default_factory=list)

    @property
    def ratios(self) -> dict[str, float]:
        """Return the ratios that are aimed at, by what they mean."""
        times = {row.way: row.start_median for row in self.rows}
        if not times.keys() >= {*COMPARED}:
            return {}
        direct, ours, bare, linked = (times[way] for way in COMPARED)
        answers = {row.way: row.handshake_median for row in self.rows}
        through_us, through_npm = answers[StartKind.OURS], answers.get(StartKind.NODE)
        probed = {
            session.through: statistics.median(session.probed)
            for session in self.sessions
            if session.probed
        }
        after_probe = "MCP `tools/list` after a probe, linked / the server itself"
        pairs = {
            "(launcher - binary) / `python -c pass`": (ours - direct, bare),
            "linked / binary": (linked, direct),
            "`leanspec-launcher --help` / `python -c pass`": (
                times.get(StartKind.HELP),
                bare,
            ),
            "launcher / npm wrapper": (ours, times.get(StartKind.NODE)),
            "MCP `initialize`, launcher / npm wrapper": (through_us, through_npm),
            after_probe: (probed.get(Through.LINKED), probed.get(Through.BARE)),
        }
        return {
            name: first / second
            for name, (first, second) in pairs.items()
            if first is not None and second is not None
        }


@dataclass(frozen=True)
class Bench:
    """An installed release, and every way to start it."""

    commands: Path
    """The folder of the commands that uv installed."""
    starts: dict[StartKind, Command]
    servers: dict[StartKind, Command]
    clients: dict[Through, Command]
    env: dict[str, str]
    fresh: dict[str, str]
    """An environment whose home is emptied after each start."""


def measure(rounds: int) -> BenchReport:
    """Install the real release, and measure every way to start it.

    Raises CommandError if npm has no release for this machine.
    """
    with tempfile.TemporaryDirectory(prefix="leanspec-bench-") as name:
        bench = _prepare(Path(name))
        _warm_up(bench)
        rows = {way: Measurements(way) for way in (*bench.starts, StartKind.FIRST)}
        sessions = {through: Session(through) for through in bench.clients}
        with step(f"measuring {rounds} rounds") as work:
            for number in range(rounds):
                work.show(f"measuring round {number + 1} of {rounds}")
                _one_round(bench, rows, sessions)
        with step("measuring memory"):
            for way, command in bench.servers.items():
                rows[way].beside = _beside(command, bench.env)
        machine = _machine(bench.commands)
        return BenchReport(machine, rounds, [*rows.values()], [*sessions.values()])


def _prepare(folder: Path) -> Bench:
    """Install the release three times: by uv, by uv with linked commands, by pip."""
    dist = _release(folder)
    with step("installing with uv, twice"):
        commands = install(folder / "uv", dist)
        linked = install(folder / "linked", dist)
        link = [str(linked / "leanspec-launcher"), "link"]
        must_succeed(capture(link), "`leanspec-launcher link`")
    by_pip = _by_pip(folder / "pip", dist)
    programs = _commands(folder / "start", commands, linked, PROGRAMS["http"])
    programs[StartKind.BARE] = (str(commands / "python"), "-c", "pass")
    programs[StartKind.BY_PIP] = (str(by_pip / "leanspec-http"),)
    programs[StartKind.HELP] = (str(commands / "leanspec-launcher"), "--help")
    servers = _commands(folder / "mcp", commands, linked, PROGRAMS["mcp"])
    for environment in (commands, linked, by_pip):
        _settle(installed_binary(environment))
    env, fresh = _environment(folder / "home"), _environment(folder / "new")
    place = folder / "clients"
    place.mkdir()
    clients = session_commands(place, dist, servers)
    return Bench(commands, programs, servers, clients, env, fresh)


def _warm_up(bench: Bench) -> None:
    """Start everything once: what Python compiles is compiled, and the stamps are left."""
    for command in bench.starts.values():
        _run(_version(command), bench.env)
    for command in bench.servers.values():
        _handshake(command, bench.env)


def _one_round(
    bench: Bench,
    rows: dict[StartKind, Measurements],
    sessions: dict[Through, Session],
) -> None:
    """Start everything and hold each kind of session once more, in random order."""
    for way in random.sample([*bench.starts], len(bench.starts)):
        rows[way].start.append(_run(_version(bench.starts[way]), bench.env))
    for way in random.sample([*bench.servers], len(bench.servers)):
        rows[way].handshake.append(_handshake(bench.servers[way], bench.env))
    first = _version(bench.starts[StartKind.OURS])
    rows[StartKind.FIRST].start.append(_run(first, bench.fresh))
    shutil.rmtree(Path(bench.fresh["HOME"], ".cache"))
    for through in random.sample([*bench.clients], len(bench.clients)):
        for probe in (False, True):
            hold(sessions[through], bench.clients[through], bench.env, probe=probe)


def _release(folder: Path) -> Path:
    """Build the wheels of the real binaries."""
    version = main_project()["version"]
    with staged(folder / "binaries") as staging:
        collect_npm(version, load_programs(), [this_platform()], staging, all_required=True)
    with step("building wheels"), console().capture():
        build_wheels(folder / "binaries", folder / "dist", (), ())
    return folder / "dist"


def _commands(
    folder: Path, commands: Path, linked: Path, program: Program
) -> dict[StartKind, Command]:
    folder.mkdir()
    result = starts(folder, commands, program)
    binary = result[StartKind.DIRECT][0]
    floor = folder / "floor"
    floor.write_text(
        FLOOR_SCRIPT.format(python=commands / "python", binary=binary), "utf-8"
    )
    floor.chmod(0o755)
    result[StartKind.LINKED] = (str(linked / program.command),)
    result[StartKind.FLOOR] = (str(floor),)
    return result


def _by_pip(environment: Path, dist: Path) -> Path:
    """Install with the pip that this Python brings: an old one writes scripts that import `re`."""
    with step("installing with pip"):
        venv = [sys.executable, "-m", "venv", str(environment)]
        must_succeed(capture(venv), "`python -m venv`")
        pip = [str(environment / "bin/python"), "-m", "pip", "install"]
        command = [*pip, "--disable-pip-version-check", *release_wheels(dist)]
        must_succeed(capture(command, env=clean_environment()), "`pip install`")
    return environment / "bin"


def _environment(home: Path) -> dict[str, str]:
    """Return what a terminal has, without what slows one way alone (NODE_EXTRA_CA_CERTS doubles Node's start)."""
    home.mkdir()
    return {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


def _settle(binary: Path) -> None:
    """Wait until a file counts as unchanged, so that its stamp is left."""
    age = time.time() - binary.stat().st_ctime
    time.sleep(max(0.0, SETTLED_NANOSECONDS / 1e9 + 0.2 - age))


def _version(command: Command) -> Command:
    return command if command[-1] in ("pass", "--help") else (*command, "--version")


def _run(command: Command, env: Mapping[str, str]) -> float:
    """Run a program to its end; return milliseconds."""
    # `posix_spawn` costs less than `subprocess`, and its cost would be measured, too.
    streams = (0, 1, 2)
    quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in streams]
    started = time.perf_counter_ns()
    process = os.posix_spawn(command[0], command, env, file_actions=quiet)
    _, status = os.waitpid(process, 0)
    took = (time.perf_counter_ns() - started) / 1e6
    if os.waitstatus_to_exitcode(status) != 0:
        raise CommandError(f"`{' '.join(command)}` failed: it cannot be measured")
    return took


def _initialize(server: ServerProcess) -> None:
    if b"serverInfo" not in server.ask(handshake()):
        raise CommandError("the server did not answer `initialize`")


def _handshake(command: Command, env: Mapping[str, str]) -> float:
    """Return milliseconds from the start to the answer."""
    started = time.perf_counter_ns()
    with mcp_server(command, env) as server:
        _initialize(server)
        took = time.perf_counter_ns() - started
        server.end()
    return took / 1e6


def _beside(command: Command, env: Mapping[str, str]) -> float | None:
    """Return kB of the processes of the server's session that are not the server; None without /proc."""
    with mcp_server(command, env) as server:
        _initialize(server)
        numbers = processes_of(server.process.pid)
        entries = [Path("/proc", str(number)) for number in numbers]
        server_name = PROGRAMS["mcp"].command
        others = [entry for entry in entries if _program(entry) != server_name]
        memory = sum(_memory(entry) for entry in others)
        server.end()
    return memory if entries else None


def _memory(entry: Path) -> int:
    """Return a process's proportional set size, in kB."""
    lines = (entry / "smaps_rollup").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Pss:")))


def _program(entry: Path) -> str:
    name = (entry / "exe").resolve().name
    # The npm wrapper has its binary under another name, and a linked one has the name of its
    # command.
    is_server = name.startswith(("leanspec", "lean-spec"))
    return PROGRAMS["mcp"].command if is_server else name


def _machine(commands: Path) -> dict[str, str]:
    model = "unknown"
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text("utf-8").splitlines()
        models = [line for line in lines if line.startswith("model name")]
        model = models[0].partition(":")[2].strip() if models else platform.machine()
    node, node_version = shutil.which("node"), "no Node.js"
    if node:
        node_version = f"Node.js {capture([node, '--version']).stdout.strip()}"
    return {
        "cpu": f"{model}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": capture([str(commands / "python"), "--version"]).stdout.strip(),
        "node": node_version,
        "lean-spec": main_project()["version"],
    }

"""Starts of a probe that records what it sees, for comparing our launcher with a direct start (Linux only)."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.collect.staging import staged
from scripts.model.programs import load_programs, main_project
from scripts.model.versions import binary_version
from scripts.tools.installers import uv_install
from scripts.wheels.build import build_wheels
from tests.support.preconditions import require
from tests.support.site import HOST
from tests.support.surroundings import packages, run

if sys.platform == "win32":
    raise ImportError  # tells type checkers that the rest is for POSIX systems

SOURCE = Path(__file__).with_name("probe.c")
SECONDS = 60
# Fields of /proc/PID/stat after the name (proc_pid_stat(5)).
STATE, GROUP = 0, 2
Environment = Mapping[str, str] | Mapping[bytes, bytes]
Command = tuple[str, ...]
# Popen with any of its settings, in bytes.
popen: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen
# Facts that differ between any two runs, and say nothing about how they were started.
PASSING = (
    "status Pid",
    "status Tgid",
    "status Ngid",
    "status NS",
    "status State",
    "status Vm",  # the sizes move with where the kernel places libraries and stack
    "status Rss",
    "status HugetlbPages",
    "status voluntary_ctxt_switches",
    "status nonvoluntary_ctxt_switches",
    "status SigQ",
)


def install_probe(folder: Path) -> None:
    """Build a release in which the probe is the binary of every program, and install it into `environment`."""
    require("cc")
    probe = folder / "probe"
    run(["cc", "-O1", "-Wall", "-o", probe, SOURCE], dict(os.environ))
    version = binary_version(main_project()["version"])
    source = {"kind": "probe"}
    with staged(folder / "binaries") as staging:
        for number, project in enumerate(load_programs()):
            # No two binaries of a release have the same bytes.
            file = folder / project.program.command
            file.write_bytes(probe.read_bytes() + bytes(number))
            staging.add(project, HOST, file, version=version, source=source, commit=None)
    dist = folder / "dist"
    build_wheels(folder / "binaries", dist, (), ())
    stubs = set(dist.glob("leanspec_*-any.whl"))
    wheels = [str(path) for path in dist.glob("*.whl") if path not in stubs]
    uv_install(folder / "environment", *wheels, env={"UV_LINK_MODE": "copy"})


@dataclass(frozen=True)
class Start:
    """One way to start the probe, in a folder of its own with a plain environment."""

    command: Command
    folder: Path
    probe: str
    """The program itself, for what a shell cannot start."""

    @property
    def env(self) -> dict[str, str]:
        """A small environment with a home."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        path = "/usr/local/bin:/usr/bin:/bin"
        return {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8"}

    def start(
        self, *arguments: str | bytes, env: Environment | None = None, **settings: object
    ) -> subprocess.Popen[bytes]:
        """Start the probe; further settings are Popen's."""
        streams = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        usual = {"stdin": subprocess.DEVNULL, **streams}
        variables = self.env if env is None else env
        return popen([*self.command, *arguments], env=variables, **(usual | settings))

    def run(self, *arguments: str | bytes) -> str:
        """Run the probe to its end; return how it ended and what it wrote."""
        try:
            process = self.start(*arguments)
        except OSError as error:
            return f"not started: {error.strerror}"
        return ending(process)

    def see(
        self, *more: str | bytes, env: Environment | None = None, **settings: object
    ) -> str:
        """Return every fact that the probe records about itself."""
        file = self.folder / "facts"
        process = self.start("see", str(file), *more, env=env, **settings)
        return f"{ending(process)}\n{facts(file, process.pid)}"

    def wait(self) -> tuple[subprocess.Popen[bytes], Path]:
        """Start the probe in a process group of its own, and wait until it is ready for signals.

        Returns it with the file to which it writes each signal.
        """
        file = self.folder / "signals"
        process = self.start("wait", str(file), process_group=0)
        assert wait_until(lambda: file.exists() and "ready" in file.read_text())
        return process, file


@dataclass(frozen=True)
class Launch:
    """The probe as it is started directly, and through our launcher."""

    commands: Path
    """The folder of the installed commands."""
    folder: Path

    @property
    def binary(self) -> str:
        """The installed probe."""
        place = packages(self.commands.parent) / "leanspec_http_bin/bin/leanspec-http"
        return str(place)

    def observe(self, observe: Callable[[Start], str], *command: str) -> str:
        """Return what a command shows, in a folder that is the same for every command."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        return observe(Start(command, self.folder, self.binary))

    def both(self, observe: Callable[[Start], str]) -> tuple[str, str]:
        """Return what a direct start shows, and one through the launcher."""
        ours = str(self.commands / "leanspec-http")
        return self.observe(observe, self.binary), self.observe(observe, ours)

    def must_match(self, observe: Callable[[Start], str], first: str = "exit 0") -> None:
        """Fail if the launcher changes anything, or if the first line of both is another one."""
        direct, ours = self.both(observe)
        assert ours == direct
        assert direct.splitlines()[0] == first


def ending(process: subprocess.Popen[bytes]) -> str:
    """Wait for the end of a process; return its exit code or signal, and what it wrote."""
    out, err = process.communicate(timeout=SECONDS)
    return f"{exit_of(process.returncode)}\nout {out!r}\nerr {err!r}"


def exit_of(code: int) -> str:
    """Write how a process ended."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def facts(file: Path, process: int) -> str:
    """Return what the probe wrote, without what differs between any two runs.

    Our own process numbers become words: which process was started, and whose child it is, is part
    of the contract.
    """
    names = {str(process): "the started process", str(os.getpid()): "whoever started it"}
    lines = []
    for line in file.read_text("utf-8", "replace").splitlines():
        if line.startswith(("status Pid:", "status PPid:")):
            name, number = line.split("\t")
            lines.append(f"{name} {names.get(number, 'another process')}")
        elif not line.startswith(PASSING):
            lines.append(line)
    return "\n".join(lines)


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Wait for a condition; tell whether it came true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def running(group: int) -> int:
    """Return the number of processes of a group that still run."""
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return sum(_runs(entry, group) for entry in entries)


def _runs(entry: Path, group: int) -> bool:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False  # it has ended
    return int(fields[GROUP]) == group and fields[STATE] != "Z"


def end(group: int) -> None:
    """End every process of a group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)

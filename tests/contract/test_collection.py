"""Every test module can be collected on the other systems, which lack modules and calls of this one."""

from __future__ import annotations

import sys

import pytest

from scripts.environment import ROOT
from scripts.tools.processes import clean_environment
from tests.support.preconditions import missing
from tests.support.surroundings import run

if sys.platform != "linux":
    missing("Linux", "on the other systems, collection itself shows it")

# The system becomes another one when pytest and the libraries, which look at it too, are there.
PROGRAM = """
import os, signal, sys
import pytest

class OtherSystem:
    @staticmethod
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection():
        import asyncio, click, cryptography.hazmat.bindings._rust, filelock, hypothesis, requests
        import rich.console, twine.repository
        for name in missing:
            module, _, attribute = name.partition(".")
            if attribute:
                delattr(sys.modules[module], attribute)
            else:
                sys.modules[name] = None
        for name in list(sys.modules):
            if name.split(".")[0] in ("scripts", "leanspec_launcher", "tests"):
                del sys.modules[name]
        sys.platform = system
        sys.version += " (AMD64)"  # as a Python for Windows has it

missing, system = sys.argv[1].split(","), sys.argv[2]
options = ["--collect-only", "-qq", "-p", "no:cacheprovider"]
sys.exit(pytest.main(options, plugins=[OtherSystem]))
"""
OF_LINUX = (
    "os.memfd_create,os.sched_getaffinity,os.eventfd,os.getrandom,os.splice,signal.SIGPWR"
)
OF_POSIX = (
    "fcntl,grp,pty,pwd,resource,termios,tty,os.confstr,os.fork,os.forkpty,os.geteuid,os.getuid,"
    "os.killpg,os.mkfifo,os.nice,os.posix_spawn,os.setsid,os.uname,os.WIFSTOPPED,signal.SIGHUP,"
    "signal.SIGKILL,signal.SIGQUIT,signal.SIGPIPE,signal.SIGUSR1,signal.pthread_sigmask"
)


@pytest.mark.parametrize(
    ("system", "missing"),
    [("darwin", OF_LINUX), ("win32", f"{OF_LINUX},{OF_POSIX}")],
    ids=["macOS", "Windows"],
)
def test_every_module_is_collected_or_says_why_not(system: str, missing: str) -> None:
    command = [sys.executable, "-c", PROGRAM, missing, system]
    env = clean_environment(PYTEST_ADDOPTS="")
    done = run(command, env, cwd=ROOT)
    counts = [line.rpartition(": ")[::2] for line in done.stdout.splitlines()]
    collected = {name: int(count) for name, count in counts if count.isdigit()}
    assert sum(collected.values()) > 500
    for part in ("unit/backend", "unit/launcher", "unit/scripts", "e2e"):
        assert any(f"tests/{part}/" in name for name in collected), part

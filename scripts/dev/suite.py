"""The test suite: lint, types, tests."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.tools.console import say
from scripts.tools.processes import own_program

from .isolation import isolated

CORES = os.cpu_count() or 1
GRACE_SECONDS = 15
# One process more than there are cores: tests also wait for registries, servers and file times.
PLAIN = ("--numprocesses", str(CORES + 1), "-m", "not slow")
# The tests that need no network and no root.
MEASURED = "not slow and not network and not system"
# Those of them that take less than half a CPU second, and build no release.
FAST = f"{MEASURED} and not long and not release"
SYSTEMS = sorted({platform.system for platform in PLATFORMS.values()})


def _types(system: str) -> tuple[str, ...]:
    """Return the type check for a system.

    Each has a cache of its own, or they would empty each other's; in the environment, where a
    copy of the tree finds it too.
    """
    cache = Path(sys.prefix, "mypy-cache", system)
    options = ("--no-error-summary", "--num-workers", str(CORES), "--cache-dir", str(cache))
    return ("mypy", *options, "--platform", system)


# Titles and commands.
Steps = tuple[tuple[str, tuple[str, ...]], ...]
LINT: Steps = (
    ("lint", ("ruff", "check", "--quiet")),
    ("format", ("ruff", "format", "--check", "--quiet")),
    ("layers", ("lint-imports", "--no-cache", "--no-logo")),
)
CHECKS: Steps = (
    *LINT,
    *((f"types on {system}", _types(system)) for system in SYSTEMS),
)


def run_tests(arguments: tuple[str, ...]) -> None:
    """Run every check, then pytest; with arguments, pytest alone.

    Raises CommandError if any of them failed.
    """
    checks = () if arguments else CHECKS
    _must_pass((*checks, ("tests", ("pytest", *(arguments or PLAIN)))))


def run_fast_tests(*, measured: bool) -> None:
    """Run lint, this system's types, and the fast unit tests; with `measured`, what they reach.

    Raises CommandError if any of them failed, or if they reach less than `fail_under` in
    pyproject.toml.
    """
    marks = MEASURED if measured else FAST
    # Half of their time is waiting.
    pytest = ("pytest", "--numprocesses", str(2 * CORES), "-m", marks, "tests/unit")
    steps: Steps = (("tests", pytest),)
    if measured:
        # Programs that tests start are measured too, each into a file of its own.
        steps = (
            ("no earlier figures", ("coverage", "erase")),
            ("tests", ("coverage", "run", "-m", *pytest)),
            ("their figures", ("coverage", "combine", "--quiet")),
            ("coverage", ("coverage", "report", "--skip-covered", "--skip-empty")),
        )
    types = (f"types on {sys.platform}", _types(sys.platform))
    _must_pass((*LINT, types, *steps))


def _must_pass(steps: Steps) -> None:
    failed = [name for name, command in steps if not run_step(name, command)]
    if failed:
        raise CommandError(f"{', '.join(failed)} failed: see above")


def run_step(name: str, command: tuple[str, ...], stdout: IO[str] | None = None) -> bool:
    """Run a program of the development environment; tell whether it passed."""
    started = time.monotonic()
    line = [own_program(command[0]), *command[1:]]
    with (
        isolated() as env,
        subprocess.Popen(line, cwd=ROOT, env=env, stdout=stdout) as process,
    ):
        try:
            passed = process.wait() == 0
        except KeyboardInterrupt:
            # Ctrl-C has reached it too: it ends what it started.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
            process.kill()
            raise
    mark = "✓" if passed else "✗"
    say(f"{mark} {name} ({time.monotonic() - started:.1f} s)")
    return passed

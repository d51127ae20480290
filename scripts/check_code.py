"""The test suite: lint, types, tests."""

from __future__ import annotations

import subprocess
import sys
import time

from leanspec_launcher.manage.errors import CommandError

from .console import say
from .environment import ROOT

CHECKS = (
    ("lint", ("ruff", "check", "--quiet")),
    ("format", ("ruff", "format", "--check", "--quiet")),
    ("types", ("mypy", "--no-error-summary")),
    ("types for Windows", ("mypy", "--no-error-summary", "--platform", "win32", "leanspec_launcher")),
)


def run_tests(arguments: tuple[str, ...]) -> None:
    """Run every check, then pytest; with arguments, pytest alone.

    Raises CommandError if any of them failed.
    """
    failed = [] if arguments else [name for name, command in CHECKS if not _run(name, command)]
    if not _run("tests", ("pytest", *(arguments or ("--numprocesses", "auto", "-m", "not slow")))):
        failed.append("tests")
    if failed:
        raise CommandError(f"{', '.join(failed)} failed: see above")


def _run(name: str, command: tuple[str, ...]) -> bool:
    started = time.monotonic()
    passed = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode == 0
    say(f"{'✓' if passed else '✗'} {name} ({time.monotonic() - started:.1f} s)")
    return passed

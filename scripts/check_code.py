"""The test suite: lint, types, tests."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from packaging.version import Version

from leanspec_launcher.manage.errors import CommandError

from .console import say
from .environment import ROOT
from .families import main_project
from .processes import clean_environment
from .release.sync import UNRELEASED, apply, planned
from .tree_copy import copy_tracked, git

CHECKS = (
    ("lint", ("ruff", "check", "--quiet")),
    ("format", ("ruff", "format", "--check", "--quiet")),
    ("types", ("mypy", "--no-error-summary")),
    ("types for Windows", ("mypy", "--no-error-summary", "--platform", "win32", "leanspec_launcher")),
)


# The release whose real binaries the suite runs on: the last one that everybody can fetch.
TESTED = "0.3.0"


def run_tests(arguments: tuple[str, ...]) -> None:
    """Run every check, then pytest; with arguments, pytest alone. Raises CommandError where any of them failed.

    A tree of another version is tested in a copy, which has that of the binaries that the suite runs on: those of a
    version that is not released yet are nowhere to be fetched.
    """
    if main_project()["version"] != TESTED:
        _run_in_a_copy(arguments)
        return
    failed = [] if arguments else [name for name, command in CHECKS if not _run(name, command)]
    if not _run("tests", ("pytest", *(arguments or ("--numprocesses", "auto", "-m", "not slow")))):
        failed.append("tests")
    if failed:
        raise CommandError(f"{', '.join(failed)} failed: see above")


def _run_in_a_copy(arguments: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(prefix="leanspec-tests-") as name:
        copy = Path(name)
        copy_tracked(copy)
        changelog = copy / "CHANGELOG.md"
        changelog.write_text(changelog.read_text("utf-8").partition("## [")[0] + UNRELEASED, "utf-8")
        apply([edit for edit in planned(Version(TESTED), copy) if edit.path != changelog])
        git(copy, "add", "--all")
        git(copy, "commit", "--quiet", "--message", f"As {TESTED}")
        say(f"testing a copy of this tree in which the version is {TESTED}, that of the binaries")
        # The Python that our environment was made with makes one for the copy.
        command = [sys._base_executable, "-m", "scripts", "test"]  # type: ignore[attr-defined] # noqa: SLF001
        command += ["--", *arguments] if arguments else []
        if subprocess.run(command, cwd=copy, env=clean_environment(), check=False).returncode != 0:
            raise CommandError("tests failed: see above")


def _run(name: str, command: tuple[str, ...]) -> bool:
    started = time.monotonic()
    passed = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode == 0
    say(f"{'✓' if passed else '✗'} {name} ({time.monotonic() - started:.1f} s)")
    return passed

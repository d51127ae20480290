"""Running other programs: looked up once, said by name, never through a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from leanspec_launcher.manage.errors import CommandError

TAIL = 12
# What only the upload, the attestation and the release page need.
SECRETS = ("TWINE_", "ACTIONS_ID_TOKEN", "ACTIONS_RUNTIME_TOKEN", "GH_TOKEN", "GITHUB_TOKEN")
# What a program needs to start: where its system is, and in which language it speaks.
FOR_PROGRAMS = ("PATH", "LANG", "LC_", "TZ", "TERM", "TMP", "TEMP", "SYSTEM", "WINDIR", "COMSPEC", "NO_PROXY")
# A maintainers' command in this environment, on the tree that is the working directory. (What
# `python -m scripts` adds is to find or make the environment of that tree.)
OWN_COMMAND = (sys.executable, "-c", "from scripts.cli import run; run()")


def find_program(name: str, hint: str) -> str:
    """Return the absolute path of a program; raises CommandError with the hint where there is none."""
    path = shutil.which(name)
    if path is None:
        raise CommandError(f"`{name}` is not installed, or not on the path", hint=hint)
    return str(Path(path).absolute())


def own_program(name: str) -> str:
    """Return the absolute path of a program of the development environment."""
    path = shutil.which(name, path=str(Path(sys.executable).parent))
    if path is None:
        raise CommandError(f"the development environment has no `{name}`", hint="run this through `python3 -m scripts`")
    return path


def capture(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    text: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it printed, whatever its exit code."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def must_succeed(
    done: subprocess.CompletedProcess[str], what: str, hint: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Return a finished run; raises CommandError with the end of its output where it failed."""
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()[-TAIL:]
        raise CommandError("\n  ".join([f"{what} failed (exit code {done.returncode})", *lines]), hint=hint)
    return done


def clean_environment(**additions: str) -> dict[str, str]:
    """Return this environment without what would lead another Python or installer astray.

    Registry, proxy and certificate settings stay: they are the user's.
    """
    unwanted = ("PYTHON", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE", "LEANSPEC_", *SECRETS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return kept | additions


def program_environment(home: Path) -> dict[str, str]:
    """Return the environment for a program that is tried: what a system needs, a home of its own, and no secret."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name.upper().startswith(FOR_PROGRAMS)}
    return kept | {"HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home)}

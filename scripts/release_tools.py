"""Tools that a release build alone needs: locked like our own environment, in one beside it, made when first needed."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from filelock import FileLock

from .console import say, step
from .environment import ROOT
from .processes import capture, must_succeed

LOCK = ROOT / "release.lock"
FOLDER = ROOT / ".venv-release"
MARKER = FOLDER / "made-from.txt"
PROGRAMS = FOLDER / ("Scripts" if os.name == "nt" else "bin")


def release_tool(name: str) -> Path:
    """Return a program of the locked release tools, installed first where they are not there or out of date.

    Raises CommandError where they cannot be installed.
    """
    with FileLock(f"{FOLDER}.lock"):
        made_from = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
        if not MARKER.is_file() or MARKER.read_text("utf-8") != made_from:
            _make()
            MARKER.write_text(made_from, "utf-8")
    program = PROGRAMS / (f"{name}.exe" if os.name == "nt" else name)
    say(f"using {program.relative_to(ROOT)}")
    return program


def _make() -> None:
    with step(f"making {FOLDER.name} from {LOCK.name}; the next run reuses it"):
        shutil.rmtree(FOLDER, ignore_errors=True)
        must_succeed(capture([sys.executable, "-m", "venv", str(FOLDER)]), "`python -m venv`")
        pip = [str(PROGRAMS / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
        must_succeed(capture([*pip, "--require-hashes", "--requirement", str(LOCK)]), "`pip install`")

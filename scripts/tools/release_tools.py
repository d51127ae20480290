"""Tools that only a release build needs, in an environment of their own, made on first use."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from filelock import FileLock

from scripts.environment import ROOT, Group
from scripts.locked import Environment

from .console import say, step

FOLDER = ROOT / ".venv-release"
MARKER = FOLDER / "made-from.txt"
LOCK = Group.RELEASE.lock


def release_tool(name: str) -> Path:
    """Return the path of a release tool, installed first if it is missing or out of date.

    Ends this process with an error if it cannot be installed.
    """
    # The uv of the environment that this runs in, whichever tree it belongs to.
    environment = Environment(FOLDER, uv=Environment(Path(sys.prefix)).uv)
    with FileLock(f"{FOLDER}.lock"):
        made_from = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
        if not MARKER.is_file() or MARKER.read_text("utf-8") != made_from:
            with step(f"making {FOLDER.name} from {LOCK.name}; the next run reuses it"):
                shutil.rmtree(FOLDER, ignore_errors=True)
                environment.create()
                environment.install(LOCK)
            MARKER.write_text(made_from, "utf-8")
    suffix = ".exe" if os.name == "nt" else ""
    program = environment.programs / f"{name}{suffix}"
    say(f"using {program.relative_to(ROOT)}")
    return program

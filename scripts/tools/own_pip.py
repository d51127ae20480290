"""Virtual environments without a pip of their own, into which this environment's pip installs.

A pip in each would take five seconds to install.
"""

from __future__ import annotations

import os
import sys
import venv
from pathlib import Path

from scripts.locked import Environment


def create_environment(folder: Path) -> Path:
    """Create a virtual environment in a folder; return the folder of its programs."""
    venv.create(folder, symlinks=os.name != "nt")
    return Environment(folder).programs


def pip_into(programs: Path, *arguments: str) -> list[str]:
    """Return the command that runs pip on the environment whose programs are in a folder."""
    options = ["--disable-pip-version-check", "--python", str(programs / "python")]
    return [sys.executable, "-m", "pip", *options, *arguments]

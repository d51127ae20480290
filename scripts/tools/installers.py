"""Virtual environments, and pip and uv to install into them.

The environments have no pip of their own, which would take five seconds to install: the pip of
this environment installs into them.
"""

import os
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from scripts.locked import Environment

from .processes import capture, clean_environment, must_succeed, own_program


def create_environment(folder: Path) -> Path:
    """Create a virtual environment in a folder; return the folder of its programs."""
    venv.create(folder, symlinks=os.name != "nt")
    return Environment(folder).programs


def pip_install(
    programs: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> None:
    """Install with pip; raises CommandError if that fails.

    `env` is set in addition to a clean environment.
    """
    python = Environment(programs.parent).python
    options = ["--disable-pip-version-check", "--python", str(python)]
    command = [sys.executable, "-m", "pip", *options, "install", *arguments]
    run = capture(command, env=clean_environment(**(env or {})))
    must_succeed(run, "`pip install`")


def uv_install(
    environment: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> Path:
    """Install with uv into an environment, made if it is missing; return the folder of its programs.

    `env` is set in addition to a clean environment. Raises CommandError if uv fails.
    """
    uv, variables = own_program("uv"), clean_environment(**(env or {}))
    if not environment.exists():
        creation = [uv, "venv", "--python", sys.executable, str(environment)]
        must_succeed(capture(creation, env=variables), "`uv venv`")
    target = Environment(environment)
    command = [uv, "pip", "install", "--python", str(target.python), *arguments]
    must_succeed(capture(command, env=variables), "`uv pip install`")
    return target.programs

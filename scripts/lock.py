"""Writing the lock of the development environment."""

from __future__ import annotations

from .console import step
from .environment import LOCK, ROOT
from .processes import capture, must_succeed, own_program


def write_lock() -> None:
    """Resolve for every supported Python and system, and write hashes: no file of another content installs."""
    command = [own_program("uv"), "pip", "compile", "build_backend/pyproject.toml", "--all-extras"]
    command += ["--group", "pyproject.toml:dev"]
    command += ["--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade"]
    command += ["--custom-compile-command", "python -m scripts lock", "--output-file", LOCK.name]
    with step(f"resolving {LOCK.name}"):
        must_succeed(capture(command, cwd=ROOT), "`uv pip compile`")

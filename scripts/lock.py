"""Writing the locks of the development environment and of the release tools."""

from __future__ import annotations

from .console import step
from .environment import LOCK, ROOT
from .processes import capture, must_succeed, own_program
from .release_tools import LOCK as RELEASE_LOCK


def write_locks() -> None:
    """Resolve for every supported Python and system, and write hashes: no file of another content installs."""
    own = ["build_backend/pyproject.toml", "--all-extras"]
    for lock, sources in ((LOCK, [*own, "--group", "pyproject.toml:dev"]), (RELEASE_LOCK, ["--group", "release"])):
        command = [own_program("uv"), "pip", "compile", *sources]
        command += ["--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade"]
        command += ["--custom-compile-command", "python -m scripts lock", "--output-file", lock.name]
        with step(f"resolving {lock.name}"):
            must_succeed(capture(command, cwd=ROOT), "`uv pip compile`")

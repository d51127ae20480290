"""Large programs that a test alone starts (devpi, the MCP client, pre-commit): no environment of ours has them.

`uv pip compile --universal --python-version 3.11 --no-build --generate-hashes` writes their lock file, from
devpi-server, mcp, pre-commit, and a setuptools below 82, which has the `pkg_resources` that devpi imports.
"""

from __future__ import annotations

from pathlib import Path

from scripts.tools.installers import uv_install

LOCK = Path(__file__).with_name("programs.lock")


def install_programs(folder: Path) -> Path:
    """Install them into an environment; return the folder of its commands."""
    options = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
    return uv_install(folder / "programs", *options, "--requirement", str(LOCK))

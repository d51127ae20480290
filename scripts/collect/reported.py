"""What a binary says that it is, asked of the binary itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

from leanspec_launcher._answer import announced_version
from leanspec_launcher._families import Family
from leanspec_launcher._platforms import Platform, current

SECONDS = 20


def reported_version(family: Family, program: Path) -> str:
    """Return the version that a binary reports: `NAME VERSION`, or in an MCP handshake.

    Raises OSError where it does not say it.
    """
    if "--version" in family.answers:
        return announced_version(str(program))
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise OSError(f"`--version` did not end within {SECONDS} s") from None
    words = done.stdout.split()
    if done.returncode != 0 or len(words) < 2:  # noqa: PLR2004 - name and version
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise OSError(f"`--version` ended with {done.returncode}: {said[0][:100] if said else 'it said nothing'}")
    return words[1]


def runs_here(platform: Platform) -> bool:
    """Tell whether this machine runs binaries of a platform."""
    return platform is current()


def reported_here(family: Family, platform: Platform, program: Path) -> str | None:
    """Return what a binary reports where this machine can run it; None elsewhere, and where it does not say it."""
    if not runs_here(platform):
        return None
    try:
        return reported_version(family, program)
    except OSError:
        return None

"""Asking a binary for its version, if this machine can run it."""

from __future__ import annotations

from pathlib import Path

from leanspec_launcher._tables import Family, Platform, current
from leanspec_launcher.instead.answer import reported_version


def runs_here(platform: Platform) -> bool:
    """Tell whether this machine runs binaries of a platform."""
    return platform is current()


def reported_here(family: Family, platform: Platform, program: Path) -> str | None:
    """Return the version that a binary reports; None if this machine cannot run it, or it reports none."""
    if not runs_here(platform):
        return None
    try:
        return reported_version(family, str(program))
    except OSError:
        return None

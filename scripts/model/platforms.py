"""What a release promises of its platforms: the oldest systems, and the line that says so in the README."""

import re
from pathlib import Path

from packaging.version import Version

from leanspec_launcher._tables import PLATFORMS
from scripts.environment import ROOT

from .manifest import release_table

LINE = re.compile(r"^\*\*Platforms of .+$", re.MULTILINE)
# The source that the workflow builds from: see `plan.py`, which judges the whole table.
WORKFLOW_SOURCE = "cargo"


def read_floors(root: Path = ROOT) -> dict[str, str]:
    """Return the oldest system that each platform's binaries may need."""
    return dict(release_table(root).get("floors", {}))


def platform_line(version: Version, root: Path = ROOT) -> str:
    """Return the line that lists the platforms of a release, and the oldest systems."""
    table = release_table(root)
    missing = table.get("missing", {}).get(WORKFLOW_SOURCE, {})
    floors = table.get("floors", {})
    systems: dict[tuple[str, str], list[str]] = {}
    for key, platform in PLATFORMS.items():
        if key in table["platforms"] and key not in missing:
            system, _, cpu = platform.label.partition(" on ")
            floor = floors.get(key, "")
            systems.setdefault((system, floor), []).append(cpu)
    # As in `Linux on x86-64 and arm64 (glibc 2.34 or newer)`.
    texts = []
    for (system, floor), cpus in systems.items():
        oldest = floor.removeprefix("macos ")
        promise = f" ({oldest} or newer)" if oldest else ""
        *others, last = cpus
        listed = f"{', '.join(others)} and {last}" if others else last
        texts.append(f"{system} on {listed}{promise}")
    return f"**Platforms of {version}:** {', '.join(texts)}."

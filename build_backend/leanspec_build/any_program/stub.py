"""The stub of a project's programs: a wheel for every other machine, which says which ones they are for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from leanspec_build.project.manifest import Project
from leanspec_build.tags.model import split_tag
from leanspec_build.wheel import Content, Entry, package_entries

# What runs in the stub.
SOURCE = Path(__file__).with_name("no_program.py")
SYSTEMS = {
    "manylinux": "Linux with glibc {} or newer",
    "musllinux": "Linux with musl {} or newer",
    "linux": "Linux, as that of the build",
    "macosx": "macOS {} or newer",
    "win": "Windows",
    "win32": "Windows",
}
# The CPUs of Windows and macOS, by the names that all systems share.
CPUS = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "universal2": "x86_64 and aarch64",
    "": "i686",
}


def programs_stub(project: Project, tags: Iterable[str]) -> Content:
    """Return a stub that has the commands of the programs; `tags` are those of the wheels that have them."""
    package = f"{project.name}_stub"
    said = {
        "name": project.metadata.name,
        "version": project.version,
        "machines": machines(tags),
    }
    entries = [
        *package_entries(project),
        Entry(f"{package}/__init__.py", SOURCE.read_bytes()),
        Entry(f"{package}/machines.json", (json.dumps(said, indent=2) + "\n").encode()),
    ]
    commands = dict.fromkeys(project.programs, f"{package}:main")
    return Content(entries, ("any",), commands=commands)


def machines(tags: Iterable[str]) -> list[str]:
    """Return the machines of platform tags in words, the oldest system of each kind."""
    oldest: dict[tuple[str, str], tuple[int, int]] = {}
    for tag in tags:
        family, number, cpu = split_tag(tag)
        key = (family, cpu)
        oldest[key] = min(number, oldest.get(key, number))
    return sorted(
        f"{SYSTEMS[family].format('.'.join(map(str, number)))} on {CPUS.get(cpu, cpu)}"
        for (family, cpu), number in oldest.items()
    )

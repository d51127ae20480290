"""The stub of a project's programs: a wheel for every other machine, which says which ones they are for."""

import json
from collections.abc import Iterable
from pathlib import Path

from leanspec_build.project.manifest import Project
from leanspec_build.tags.model import Tags, oldest_systems
from leanspec_build.wheel import Content, file_entry, made_entry, package_entries

# What runs in the stub.
SOURCE = Path(__file__).with_name("no_program.py")
TAGS = Tags(
    ("any",), ("it says which machines the others are for, where none of them fits",)
)
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


def stub_content(project: Project, tags: Iterable[str]) -> Content:
    """Return a stub that has the commands of the programs; `tags` are those of the wheels that have them."""
    package = f"{project.name}_stub"
    facts = {
        "name": project.metadata.name,
        "version": project.version,
        "machines": _machines(tags),
    }
    text = json.dumps(facts, indent=2) + "\n"
    entries = [
        *package_entries(project),
        file_entry(f"{package}/__init__.py", SOURCE),
        made_entry(f"{package}/machines.json", text.encode),
    ]
    commands = dict.fromkeys(project.programs, f"{package}:main")
    return Content(entries, TAGS, commands=commands)


def _machines(tags: Iterable[str]) -> list[str]:
    """Return the machines of platform tags in words, the oldest system of each kind."""
    return sorted(
        f"{SYSTEMS[family].format('.'.join(map(str, number)))} on {CPUS.get(cpu, cpu)}"
        for (family, cpu), number in oldest_systems(tags).items()
    )

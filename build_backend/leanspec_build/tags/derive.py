"""The tags of an executable, by the rules of its system, and the oldest systems that a project promises."""

import re
from dataclasses import dataclass

from leanspec_build.errors import BuildError, NoTagError
from leanspec_build.formats.facts import (
    Executable,
    FileFormat,
    Libraries,
    Signature,
    Version,
)

from .linux import linux_tags
from .macos import macos_tags
from .model import Tags, dotted, split_tag
from .windows import windows_tags


def platform_tags(executable: Executable, bundled: Libraries | None = None) -> Tags:
    """Derive the platform tags of an executable.

    `bundled` are the shared libraries that the wheel brings along, by their file name. Raises
    NoTagError if there is no tag for its system or CPU, BuildError if no machine would run it.
    """
    parts = [executable, *(bundled or {}).values()]
    if any(Signature.BROKEN in part.signatures.values() for part in parts):
        raise BuildError(
            "it was changed after it was signed, so the system stops it, or warns of it",
            hint="sign it again, after `strip` and whatever else changes it",
        )
    if executable.format is FileFormat.PE:
        return windows_tags(executable, bundled or {})
    if executable.format is FileFormat.MACH_O:
        return macos_tags(executable, bundled or {})
    if executable.system != "linux":
        raise NoTagError(f"there is no platform tag for the system `{executable.system}`")
    return linux_tags(executable, bundled or {})


@dataclass(frozen=True)
class Floor:
    """The oldest system that a project promises: `linux` with a glibc, or `darwin`."""

    system: str
    number: Version


def read_floor(text: str) -> Floor:
    """Read a promised floor, as `glibc 2.28` or `macos 11.0`; raises BuildError for another form."""
    match = re.fullmatch(r"(glibc|macos) (\d+)\.(\d+)", text)
    if match is None:
        raise BuildError(
            f"the floor `{text}` is not of the form `glibc 2.28` or `macos 11.0`"
        )
    system = {"glibc": "linux", "macos": "darwin"}[match[1]]
    return Floor(system, (int(match[2]), int(match[3])))


def exceeds(
    executable: Executable, cpu: str, floor: Floor, bundled: Libraries
) -> str | None:
    """Say what in the code for a CPU is above a promised floor; None if nothing is.

    The derived tags decide, so that whatever raises one counts; for what gets none, the symbol
    versions do. Raises BuildError if the floor is of another system than the executable.
    """
    if executable.system != floor.system:
        raise BuildError(
            f"a floor of {floor.system} says nothing of an executable for {executable.system}"
        )
    if floor.system == "darwin":
        need = executable.macos_minimum.get(cpu, floor.number)
        is_newer = need > floor.number
        return f"its {cpu} code needs macOS {dotted(need)}" if is_newer else None
    tags = platform_tags(executable, bundled)
    # Not the old names of some policies, which stand beside these.
    names = [tag for tag in tags.platforms if tag.startswith("manylinux_")]
    promised = [split_tag(name)[1] for name in names]
    needed = (executable.highest("GLIBC") or "0").split(".")
    lowest = min(promised, default=tuple(map(int, needed)))
    return tags.reasons[0] if lowest > floor.number else None

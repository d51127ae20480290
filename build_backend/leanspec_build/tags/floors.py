"""The oldest systems that a project promises, and whether a program keeps the promise."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from leanspec_build.errors import BuildError
from leanspec_build.formats.facts import Executable

from .derive import platform_tags
from .model import dotted, split_tag


@dataclass(frozen=True)
class Floor:
    """The oldest system that a project promises: `linux` with a glibc, or `darwin`."""

    system: str
    number: tuple[int, int]


def read_floor(text: str) -> Floor:
    """Read a promised floor, as `glibc 2.28` or `macos 11.0`; raises BuildError for another form."""
    match = re.fullmatch(r"(glibc|macos) (\d+)\.(\d+)", text)
    if match is None:
        raise BuildError(
            f"the floor `{text}` is not of the form `glibc 2.28` or `macos 11.0`"
        )
    return Floor(
        {"glibc": "linux", "macos": "darwin"}[match[1]], (int(match[2]), int(match[3]))
    )


def exceeds(
    executable: Executable, cpu: str, floor: Floor, bundled: Mapping[str, Executable]
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

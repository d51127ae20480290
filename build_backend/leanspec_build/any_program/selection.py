"""The platforms that a project states, or whoever builds asks for, held against what was built."""

import re
from collections.abc import Sequence

from packaging.tags import sys_tags

from leanspec_build.errors import BuildError, listed
from leanspec_build.project.keys import PLATFORMS
from leanspec_build.project.manifest import Project
from leanspec_build.tags.model import oldest_systems
from leanspec_build.tags.platforms import (
    FAMILY_SYSTEMS,
    host_platform_key,
    machine_names,
)

from .program_set import ProgramSet


def installable_platforms() -> set[str]:
    """Return the platforms whose wheels the installers of this Python take."""
    tags = (tag.platform for tag in sys_tags())
    machines = {
        (family, cpu): number
        for (family, cpu), number in oldest_systems(tags).items()
        if family in FAMILY_SYSTEMS
    }
    names = {name for name in machine_names(machines) if re.fullmatch(PLATFORMS, name)}
    # For some CPUs of Linux, there is no tag but `linux_armv6l`.
    return names or {host_platform_key()}


def choose_platforms(
    sets: list[ProgramSet], project: Project, requested: Sequence[str]
) -> list[ProgramSet]:
    """Return the sets for the requested platforms, or all of them.

    Raises BuildError if a platform that is requested, or stated by the project, has none, and for a
    set that is for none of those that the project states.
    """
    platforms = project.platforms
    others = [name for name in requested if platforms and name not in platforms]
    if others:
        raise BuildError(
            f"`--platform` names {listed(others)}, which is not among the `platforms` of the project",
            hint=f"the project has {listed(platforms)}; or add it under `[tool.leanspec-build]`",
        )
    expected = requested or platforms
    hint = "build them, or take them out of `platforms` under `[tool.leanspec-build]`"
    if requested:
        hint = "build them, or ask for one of the others: `--platform NAME`"
    available = {name for programs in sets for name in programs.platforms}
    missing = [name for name in expected if name not in available]
    if missing:
        raise BuildError(
            f"there are no programs for {listed(missing)}, only for {listed(sorted(available))}",
            hint=hint,
        )
    chosen = sets
    if requested:
        chosen = [programs for programs in sets if programs.platforms & {*expected}]
    if platforms:
        _must_be_expected(chosen, platforms)
    return chosen


def _must_be_expected(sets: list[ProgramSet], platforms: Sequence[str]) -> None:
    """Raise BuildError for programs that are for none of the platforms.

    A static program for one of them runs with musl, too, and a universal one on both CPUs.
    """
    more = [programs for programs in sets if programs.platforms.isdisjoint(platforms)]
    if not more:
        return
    lines = [
        f"`{programs.place}` is for {listed(sorted(programs.platforms))}"
        for programs in more
    ]
    others = {name for programs in more for name in programs.platforms}
    quoted = ", ".join(f'"{name}"' for name in [*platforms, *sorted(others)])
    raise BuildError(
        f"{'; '.join(lines)}, which is not among the `platforms` of the project",
        hint=f"write `platforms = [{quoted}]`, or leave the place out by `exclude`",
    )

"""The platforms that a project states, or whoever builds asks for, held against what was built."""

from __future__ import annotations

from collections.abc import Sequence

from leanspec_build.errors import BuildError
from leanspec_build.project.manifest import Project

from .program_set import ProgramSet

MUSL = "-musl"


def choose_platforms(
    sets: list[ProgramSet], project: Project, requested: Sequence[str]
) -> list[ProgramSet]:
    """Return the sets for the requested platforms, or all of them.

    Raises BuildError if a platform that is requested, or stated by the project, has none; without a
    request, also for a set that is for none of the project's.
    """
    expected = requested or project.platforms
    hint = "build them, or take them out of `platforms` under `[tool.leanspec-build]`"
    if requested:
        hint = "build them, or ask for one of the others: `--platform NAME`"
    available = {name for programs in sets for name in programs.platforms}
    missing = [name for name in expected if name not in available]
    if missing:
        raise BuildError(
            f"there are no programs for {_listed(missing)}, only for {_listed(sorted(available))}",
            hint=hint,
        )
    if requested:
        return [programs for programs in sets if programs.platforms & set(requested)]
    if project.platforms:
        _must_be_expected(sets, project.platforms)
    return sets


def _must_be_expected(sets: list[ProgramSet], platforms: Sequence[str]) -> None:
    """Raise BuildError for programs that are for none of the platforms."""
    more = [programs for programs in sets if not _is_expected(programs, platforms)]
    if not more:
        return
    lines = [
        f"`{programs.place}` is for {_listed(sorted(programs.platforms))}"
        for programs in more
    ]
    every = [*platforms, *sorted({min(programs.platforms) for programs in more})]
    quoted = ", ".join(f'"{name}"' for name in every)
    raise BuildError(
        f"{'; '.join(lines)}, which is not among the `platforms` of the project",
        hint=f"write `platforms = [{quoted}]`, or leave the place out by `exclude`",
    )


def _is_expected(programs: ProgramSet, platforms: Sequence[str]) -> bool:
    names = programs.platforms
    # Whoever states no musl is content with a static program, which runs there, too.
    plain = {name.removesuffix(MUSL) for name in names if programs.is_static}
    return bool((names | plain) & set(platforms))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

"""The platforms that a project states, or whoever builds asks for, held against what was built."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from leanspec_build.errors import BuildError
from leanspec_build.project.manifest import Project

from .program_set import ProgramSet


def choose_platforms(
    sets: list[ProgramSet], project: Project, requested: Sequence[str]
) -> list[ProgramSet]:
    """Return the sets for the requested platforms, or all of them.

    Raises BuildError if a platform that is requested, or stated by the project, has none, and for a
    set that is for a platform that the project does not state.
    """
    _must_be_of_project(requested, project.platforms)
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
    chosen = [programs for programs in sets if programs.platforms & {*expected}]
    if not requested:
        chosen = sets
    if project.platforms:
        _must_be_expected(chosen, project.platforms)
    return chosen


def _must_be_of_project(requested: Sequence[str], platforms: Sequence[str]) -> None:
    """Raise BuildError for a platform that is requested, and not among those of the project."""
    others = [name for name in requested if platforms and name not in platforms]
    if others:
        raise BuildError(
            f"`--platform` names {_listed(others)}, which is not among the `platforms` of the project",
            hint=f"the project has {_listed(platforms)}; or add it under `[tool.leanspec-build]`",
        )


def _must_be_expected(sets: list[ProgramSet], platforms: Sequence[str]) -> None:
    """Raise BuildError for programs that are for other platforms, if only in addition."""
    more = [programs for programs in sets if programs.platforms - {*platforms}]
    if not more:
        return
    others = [sorted(programs.platforms - {*platforms}) for programs in more]
    lines = [
        f"`{programs.place}` is for {_listed(names)}"
        for programs, names in zip(more, others, strict=True)
    ]
    every = dict.fromkeys([*platforms, *sorted(itertools.chain.from_iterable(others))])
    quoted = ", ".join(f'"{name}"' for name in every)
    hint = f"write `platforms = [{quoted}]`"
    if all(programs.platforms.isdisjoint(platforms) for programs in more):
        hint += ", or leave the place out by `exclude`"
    raise BuildError(
        f"{'; '.join(lines)}, which is not among the `platforms` of the project", hint=hint
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

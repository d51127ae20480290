"""The wheel of programs that an installation puts on the path, for one kind of machine."""

import dataclasses
from collections.abc import Mapping

from leanspec_build.errors import BuildError
from leanspec_build.project.manifest import Project
from leanspec_build.wheel import (
    LOCAL_LEVEL,
    Content,
    WheelEntry,
    data_entries,
    editable_entries,
    package_entries,
    scripts_folder,
    source_date_epoch,
)

from .program_set import ProgramSet
from .sets import find_sets, set_for_platform, set_for_this_machine

# Settings of the other mode, and what to do instead.
ABSENT = {
    "stub": "write `stub = true` under `[tool.leanspec-build]`; `python -m leanspec_build all` makes it",
    "repair": "name the place that has them: `-C from=PLACE`",
    "binary": "name the place that has them: `-C from=PLACE`",
}


def wheel_content(project: Project, settings: Mapping[str, str]) -> Content:
    """Return the programs that the settings ask for, or those for this machine, and the package."""
    content = content_of(project, _choose_set(project, settings))
    # What is published, `all` makes.
    return dataclasses.replace(content, level=LOCAL_LEVEL)


def editable_content(project: Project, settings: Mapping[str, str]) -> Content:
    """Return a wheel that leads to the package; programs are as in any other wheel."""
    programs = _choose_set(project, settings)
    entries = editable_entries(project, is_windows=_are_of_windows(programs))
    entries += _program_entries(project, programs)
    return Content(entries, programs.tags)


def content_of(project: Project, programs: ProgramSet) -> Content:
    """Return the programs, 0755, where an installer takes those for the path (Binary distribution format)."""
    entries = package_entries(project)
    entries += data_entries(project, is_windows=_are_of_windows(programs))
    entries += _program_entries(project, programs)

    def make_sbom() -> bytes:
        from leanspec_build.sbom import bill_of_materials  # noqa: PLC0415 - see Content

        return bill_of_materials(project, programs.binaries, source_date_epoch())

    return Content(entries, programs.tags, make_sbom)


def _choose_set(project: Project, settings: Mapping[str, str]) -> ProgramSet:
    for name, hint in ABSENT.items():
        if name in settings:
            raise BuildError(
                f"the config setting `{name}` is not for a project with `programs`",
                hint=hint,
            )
    places = [settings["from"]] if "from" in settings else []
    sets = find_sets(project, places)
    if "platform" in settings:
        return set_for_platform(sets, settings["platform"])
    return set_for_this_machine(sets)


def _are_of_windows(programs: ProgramSet) -> bool:
    return any(binary.suffix for binary in programs.binaries.values())


def _program_entries(project: Project, programs: ProgramSet) -> list[WheelEntry]:
    folder = scripts_folder(project)
    return [
        WheelEntry(f"{folder}/{name}{binary.suffix}", binary.source, 0o755)
        for name, binary in programs.binaries.items()
    ]

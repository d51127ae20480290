"""The wheel of programs that an installation puts on the path, for one kind of machine."""

import dataclasses
from collections.abc import Mapping

from leanspec_build.errors import BuildError
from leanspec_build.project.manifest import Project
from leanspec_build.wheel import LOCAL_LEVEL, Content, WheelEntry, project_entries

from .program_set import ProgramSet
from .selection import installable_platforms
from .sets import find_sets, set_for_platform, set_for_this_machine

# Settings of the other mode, and what to do instead.
ABSENT = {
    "stub": "write `stub = true` under `[tool.leanspec-build]`; `python -m leanspec_build all` makes it",
    "repair": "name the place that has them: `-C from=PLACE`",
    "binary": "name the place that has them: `-C from=PLACE`",
}


def wheel_content(
    project: Project, settings: Mapping[str, str], *, is_editable: bool = False
) -> Content:
    """Return the programs that the settings ask for, or those for this machine, and the package."""
    for name, hint in ABSENT.items():
        if name in settings:
            raise BuildError(
                f"the config setting `{name}` is not for a project with `programs`",
                hint=hint,
            )
    places = [settings["from"]] if "from" in settings else []
    platform = settings.get("platform")
    platforms = [platform] if platform else installable_platforms()
    sets = find_sets(project, places, platforms=platforms)
    programs = set_for_platform(sets, platform) if platform else set_for_this_machine(sets)
    content = content_of(project, programs, is_editable=is_editable)
    # What is published, `all` makes.
    return dataclasses.replace(content, level=LOCAL_LEVEL)


def content_of(
    project: Project, programs: ProgramSet, *, is_editable: bool = False
) -> Content:
    """Return the programs, 0755, where an installer takes those for the path (Binary distribution format)."""
    entries = project_entries(project, programs.tags, is_editable=is_editable)
    for name, binary in programs.binaries.items():
        place = f"{project.stem}.data/scripts/{name}{binary.suffix}"
        entries.append(WheelEntry(place, binary.source, 0o755))

    def make_sbom() -> bytes:
        from leanspec_build.sbom import bill_of_materials  # noqa: PLC0415 - see Content

        return bill_of_materials(project, programs.binaries)

    return Content(entries, programs.tags, None if is_editable else make_sbom)

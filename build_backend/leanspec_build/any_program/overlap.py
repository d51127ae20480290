"""Programs from two places for the same machines, of which installers would choose one or the other."""

import dataclasses
from pathlib import Path

from leanspec_build.errors import BuildError, listed, note
from leanspec_build.tags.model import NEVER, System

from .program_set import ProgramSet
from .search import Request


def without_overlap(
    sets: list[ProgramSet], root: Path, request: Request
) -> list[ProgramSet]:
    """Return the sets with each machine's newest tag in one of them alone.

    A set for more machines than another one leaves to that what it has, as a static program does
    beside one for glibc. A note names each set that is left with nothing. Raises BuildError for
    two sets that are for the same machines, which are asked for, and differ.
    """
    different = _without_copies(sets)
    result = []
    for programs in different:
        others = [other for other in different if other is not programs]
        smaller = [other for other in others if _is_broader(programs, other, root, request)]
        remaining = _leave_to(programs, smaller)
        if remaining.tags.platforms:
            result.append(remaining)
        else:
            places = listed((other.place for other in smaller), " and ")
            note(
                f"note: all machines of `{programs.place}` have programs in {places}: passed by"
            )
    return result


def _without_copies(sets: list[ProgramSet]) -> list[ProgramSet]:
    different: dict[tuple[str, ...], ProgramSet] = {}
    copies = []
    for programs in sets:
        other = different.setdefault(programs.contents, programs)
        # A place may be named twice.
        if other.places != programs.places:
            copies.append(f"`{programs.place}` has the same programs as `{other.place}`")
    if copies:
        more = f", and {len(copies) - 1} more like this" if len(copies) > 1 else ""
        note(f"note: {copies[0]}{more}: passed by")
    return list(different.values())


def _is_broader(
    programs: ProgramSet, other: ProgramSet, root: Path, request: Request
) -> bool:
    """Tell whether a set has all machines of another one, or all CPUs, and more; raises BuildError if neither has."""
    ours, theirs = set(programs.machines), set(other.machines)
    if _has_more(ours, theirs):
        return True
    if ours & theirs and not _has_more(theirs, ours):
        common = programs.platforms & other.platforms
        names = ", ".join(sorted(common))
        error = BuildError(
            f"`{programs.place}` and `{other.place}` have different programs for the same machines ({names})",
            hint=_exclude_hint(programs, other, root),
        )
        error.platforms = frozenset(common)
        request.fail(error)
        # Once for both.
        if programs.place < other.place:
            note(f"note: {error.message}: passed by")
    return False


def _has_more(ours: set[System], theirs: set[System]) -> bool:
    """Tell whether some machines are more than others, or of more CPUs: for ARMv6, a program is for ARMv7, too."""
    cpus, their_cpus = ({cpu for _, cpu in machines} for machines in (ours, theirs))
    return ours > theirs or (bool(ours & theirs) and cpus > their_cpus)


def _exclude_hint(programs: ProgramSet, other: ProgramSet, root: Path) -> str:
    """Return a hint that names one of two places: a debug build, or what no index takes, rather than the other."""
    less, more = sorted(
        (other, programs),
        key=lambda one: one.tags.publishable and not is_debug(one, root),
    )
    names = _nameable(less, root)
    common = names & _nameable(more, root)
    if common:
        # `exclude` names an archive, and no member of it.
        return (
            f"make `{min(common)}` again with one of them, or unpack it into a folder and name"
            " that: `--from PLACE`"
        )
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    return f"leave one of them out, as `exclude = [{listed}]` does, or name one: `--from PLACE`"


def _nameable(programs: ProgramSet, root: Path) -> set[str]:
    """Return the paths of programs, or of the archives around them, as the project may name them."""
    names = set()
    for place in map(Path, programs.places):
        path = next(path for path in (place, *place.parents) if path.exists())
        names.add(_inside(path.absolute(), root.absolute()).as_posix())
    return names


def is_debug(programs: ProgramSet, root: Path) -> bool:
    """Tell a debug build by its folder, as cargo, CMake and Swift call it."""
    return any(
        part.casefold() == "debug"
        for place in programs.places
        for part in _inside(Path(place).resolve(), root.resolve()).parts
    )


def _inside(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


def _leave_to(programs: ProgramSet, others: list[ProgramSet]) -> ProgramSet:
    """Return a set without the tags that an installer could take instead of those of others.

    Installers prefer the newer tag: an older one is what they take where the other one does not fit.
    """
    tags, remarks = programs.tags, list(programs.tags.remarks)
    remaining = tags.platforms
    for other in others:
        left = [
            tag
            for tag in tags.platforms
            if any(
                number >= other.machines.get(machine, NEVER)
                for machine, number in programs.machines_of(tag).items()
            )
        ]
        if left:
            remarks.append(
                f"it leaves {', '.join(left)} to the programs of `{other.place}`"
            )
        remaining = tuple(tag for tag in remaining if tag not in left)
    new = dataclasses.replace(tags, platforms=remaining, remarks=tuple(remarks))
    return dataclasses.replace(programs, tags=new)

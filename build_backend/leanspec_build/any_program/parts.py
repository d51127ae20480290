"""Programs that lie alone, in a folder each, and belong together all the same.

`goreleaser build` leaves a folder per program and machine.
"""

from collections.abc import Iterator

from leanspec_build.errors import (
    BuildError,
    NoFileError,
    NoTagError,
    NotAProgramError,
    listed,
)
from leanspec_build.tags.platforms import platform_keys

from .search import Folder, Part, Search

# The platforms of a program, and the C library that it is linked to.
Machine = tuple[tuple[str, ...], str | None]
# Name of a program -> digest -> the program.
Candidates = dict[str, dict[str, Part]]


def joined_parts(search: Search) -> Iterator[Folder]:
    """Yield the programs for each machine that has all of them, and no folder with all of them.

    The parts of the search are those that remain. Raises BuildError if a machine has two of a name.
    """
    # Of whole folders alone, without those that are joined meanwhile.
    in_folders = set(search.machines)
    remaining = list(search.parts)
    machines = _by_machine(search, remaining)
    for machine in sorted(machines, key=str):
        candidates = machines[machine]
        keys, libc = machine
        platforms = {f"{key}-musl" if libc == "musl" else key for key in keys}
        if len(candidates) < len(search.names) or platforms <= in_folders:
            continue
        programs = {}
        for name in search.names:
            part, *others = candidates[name].values()
            if others:
                listed = " and ".join(sorted(platforms))
                error = BuildError(
                    f"`{part.precise_place}` and `{others[0].precise_place}` both have `{name}` for {listed}",
                    hint="leave one of them out by `exclude` under `[tool.leanspec-build]`",
                )
                error.platforms = part.read().platforms
                search.fail(error)
            programs[name] = part
        remaining = [part for part in remaining if part not in programs.values()]
        places = dict.fromkeys(part.precise_place for part in programs.values())
        yield tuple(places), {name: part.read for name, part in programs.items()}
    search.parts = remaining


def _by_machine(search: Search, remaining: list[Part]) -> dict[Machine, Candidates]:
    """Return the programs by machine; those that cannot be read do not remain."""
    machines: dict[Machine, Candidates] = {}
    for part in search.parts:
        try:
            binary = part.read()
        except (NotAProgramError, NoFileError, NoTagError) as error:
            search.passed_by.append(error.message)
            search.has_programs |= isinstance(error, NoTagError)
            remaining.remove(part)
            continue
        except BuildError as error:
            search.fail(error)
            remaining.remove(part)
            continue
        machine = tuple(platform_keys(binary.executable)), binary.executable.libc
        programs = machines.setdefault(machine, {}).setdefault(part.name, {})
        programs.setdefault(binary.source.sha256, part)
    for (platforms, libc), candidates in machines.items():
        static = machines.get((platforms, None), {})
        if libc and len(static) < len(search.names):
            # A static program among others runs where they do.
            for name, programs in static.items():
                candidates.setdefault(name, {}).update(programs)
    return machines


def part_messages(search: Search) -> Iterator[str]:
    """Yield what each folder has, and what it lacks."""
    by_folder: dict[tuple[str, str], list[str]] = {}
    for part in search.parts:
        by_folder.setdefault((part.place, part.ending), []).append(part.name)
    for (place, ending), present in by_folder.items():
        files = listed(name + ending for name in present)
        missing = listed(name + ending for name in search.names if name not in present)
        yield f"`{place}` has {files}, but not {missing}"

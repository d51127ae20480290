"""The programs that a project's wheels install: found in what a build left, told apart by their own bytes.

A build leaves folders and archives: `target/<triple>/release` (cargo), `dist/` (GoReleaser),
`target/distrib` (cargo-dist), `zig-out/bin`. Their names are not read. A set is what lies in one
folder, of a disk or of an archive, under the names that the project states.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from packaging.tags import sys_tags

from leanspec_build.archives import ARCHIVES, read_members
from leanspec_build.binaries import Binary, must_keep_floor
from leanspec_build.errors import BuildError, NotAProgramError
from leanspec_build.formats.executable import parse_executable, read_program
from leanspec_build.project.keys import WINDOWS_SUFFIX
from leanspec_build.project.manifest import Project
from leanspec_build.tags.model import Tags, of_all
from leanspec_build.tags.platforms import platform_keys

from .universal import join

MACOS = ("darwin-x64", "darwin-arm64")
# What a build leaves besides programs can be a lot, and none of it is read.
MOST_FILES = 200_000


@dataclasses.dataclass(frozen=True)
class ProgramSet:
    """The programs of one wheel."""

    where: str
    """The folder or archive that they are from, for people."""
    programs: Mapping[str, Binary]
    """By the name that the project states, in its order."""
    tags: Tags

    @property
    def digest(self) -> str:
        """Identify the bytes of all programs."""
        total = hashlib.sha256()
        for binary in self.programs.values():
            total.update(hashlib.sha256(binary.data).digest())
        return total.hexdigest()

    @property
    def platforms(self) -> set[str]:
        """The platforms that they are for, as `linux-x64`; several for universal files."""
        every = (platform_keys(binary.executable) for binary in self.programs.values())
        return {key for keys in every for key in keys}


def places_of(project: Project, given: str) -> list[Path]:
    """Return where the programs are: what is given, or what the project states, which may be a glob.

    Raises BuildError if neither says so, or if nothing is there.
    """
    if not given and not project.place:
        raise BuildError(
            "nothing says where the programs are",
            hint='write `from = "dist"` under `[tool.leanspec-build]`, or give `--from PLACE`',
        )
    # What is given is relative to where it was typed, what the project states to the project.
    root = Path() if given else project.root
    stated = given or project.place
    if (root / stated).exists():
        return [root / stated]
    found = sorted(glob.glob(stated, root_dir=root, recursive=True))  # noqa: PTH207 - absolute ones, too
    if not found:
        raise BuildError(
            f"`{root / stated}` does not exist",
            hint="name what the build left: `--from PLACE`, or `from` under `[tool.leanspec-build]`",
        )
    return [root / name for name in found]


def find_sets(
    project: Project, places: list[Path], say: Callable[[str], None]
) -> list[ProgramSet]:
    """Return every complete set of a project's programs in folders or archives, by its tags.

    A file of the same name that is no program is passed by, which is said. Raises BuildError if
    there is no set, if two are for the same machines and differ, or if a program is damaged.
    """
    found: dict[tuple[str, ...], ProgramSet] = {}
    passed_by = []
    for where, members in _all_places(places, project.programs):
        try:
            own = _set_of(project, where, members)
        except NotAProgramError as error:
            # A folder of completions has files of the program's name, and one of debug symbols.
            passed_by.append(error.message)
            continue
        other = found.setdefault(own.tags.platforms, own)
        if other.digest != own.digest:
            raise BuildError(
                f"`{other.where}` and `{own.where}` have different programs for the same machines",
                hint="name one of them: `--from PLACE`",
            )
    if not found:
        names = ", ".join(f"`{name}`" for name in project.programs)
        where = ", ".join(f"`{place}`" for place in places)
        but = "".join(f"\n  {each}" for each in passed_by)
        raise BuildError(
            f"no folder or archive in {where} has {names}{but}",
            hint='build first, or name what was built: `programs = ["example"]` under `[tool.leanspec-build]`',
        )
    for each in passed_by:
        say(f"note: {each}: passed by")
    sets = [found[tags] for tags in sorted(found)]
    return _joined(sets) if project.is_universal2 else sets


def _joined(sets: list[ProgramSet]) -> list[ProgramSet]:
    """Return the sets with one for both CPUs of macOS in place of one for each.

    Raises BuildError if there is one for one of them only.
    """
    thin = {key: each for key in MACOS for each in sets if each.platforms == {key}}
    if not thin:
        return sets
    for key in MACOS:
        if key not in thin:
            raise BuildError(
                f"`universal2` wants programs for {' and '.join(MACOS)}, and there are none for `{key}`",
                hint="build them, or take `universal2` out of `[tool.leanspec-build]`",
            )
    first, second = (thin[key] for key in MACOS)
    where = f"{first.where} and {second.where}"
    programs = {
        name: _join(where, one, second.programs[name])
        for name, one in first.programs.items()
    }
    both = ProgramSet(where, programs, of_all([each.tags for each in programs.values()]))
    return [*(each for each in sets if each not in (first, second)), both]


def _join(where: str, one: Binary, other: Binary) -> Binary:
    parts = {binary.executable.cpus[0]: binary.data for binary in (one, other)}
    data = join(parts)
    path = Path(where, one.path.name)
    return Binary(path, data, parse_executable(data, f"`{path}`"), None)


def for_this_machine(sets: list[ProgramSet]) -> ProgramSet:
    """Return the set that this Python's installers would choose; raises BuildError if none fits."""
    ours = [tag.platform for tag in sys_tags() if tag.abi == "none"]
    ranks = {tag: number for number, tag in reversed([*enumerate(ours)])}
    for each in sorted(sets, key=lambda one: _rank(one, ranks)):
        if _rank(each, ranks) < len(ours):
            return each
    others = ", ".join(sorted({tag for each in sets for tag in each.tags.platforms}))
    raise BuildError(
        f"there are no programs for this machine, only for {others}",
        hint="`python -m leanspec_build all` makes a wheel of each",
    )


def of_platform(sets: list[ProgramSet], platform: str) -> ProgramSet:
    """Return the one set for a platform, as `linux-x64`; raises BuildError if there is none, or several."""
    found = [each for each in sets if platform in each.platforms]
    if len(found) == 1:
        return found[0]
    places = ", ".join(f"`{each.where}`" for each in found) or "none"
    raise BuildError(
        f"there has to be one set of programs for `{platform}`, and there is: {places}",
        hint="`python -m leanspec_build all` makes a wheel of each",
    )


def _rank(each: ProgramSet, ranks: Mapping[str, int]) -> int:
    return min(ranks.get(tag, len(ranks) + 1) for tag in each.tags.platforms)


def _set_of(
    project: Project, where: str, members: Mapping[str, bytes | Path]
) -> ProgramSet:
    binaries = {}
    for name in project.programs:
        source = members[name]
        if isinstance(source, Path):
            data, executable = read_program(source)
            path = source
        else:
            path, data = Path(where, name), source
            executable = parse_executable(data, f"`{name}` in `{where}`")
        must_keep_floor(project, executable, path)
        binaries[name] = Binary(path, data, executable, None)
    tags = of_all([binary.tags for binary in binaries.values()])
    if not tags.platforms:
        raise BuildError(
            f"the programs in `{where}` run on no common system",
            hint="build them for one, or name another place: `--from PLACE`",
        )
    return ProgramSet(where, binaries, tags)


def _all_places(
    places: list[Path], names: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, bytes | Path]]]:
    for place in places:
        yield from _places(place, names)


def _places(
    place: Path, names: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, bytes | Path]]]:
    """Yield each folder that has all of the names, on the disk and in archives; or the file that is given."""
    if place.is_file():
        yield from _file(place, names)
        return
    seen = 0
    for folder, folders, files in os.walk(place):
        folders.sort()
        seen += len(files)
        if seen > MOST_FILES:
            raise BuildError(
                f"`{place}` has more than {MOST_FILES} files",
                hint="name a folder inside of it",
            )
        members = {file: Path(folder, file) for file in files}
        for own in _complete(members, names):
            yield folder, own
        for file in sorted(files):
            if file.endswith(ARCHIVES):
                yield from _archive(Path(folder, file), names)


def _file(
    path: Path, names: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, bytes | Path]]]:
    """Yield what is in an archive; or a program, which may have any name if there is only one."""
    if path.name.endswith(ARCHIVES):
        yield from _archive(path, names)
        return
    if len(names) > 1:
        raise BuildError(
            f"`{path}` is one file, and there are to be {len(names)} programs",
            hint="name the folder or archive that has them",
        )
    yield str(path), {names[0]: path}


def _complete(
    members: Mapping[str, bytes | Path], names: tuple[str, ...]
) -> Iterator[dict[str, bytes | Path]]:
    """Yield the programs of a folder if all of them are there: those of Windows apart from any others."""
    for suffix in ("", WINDOWS_SUFFIX):
        own = {name: members[name + suffix] for name in names if name + suffix in members}
        if len(own) == len(names):
            yield own


def _archive(
    path: Path, names: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, bytes | Path]]]:
    """Yield each folder of an archive that has all of the names."""
    files = {name + suffix for name in names for suffix in ("", WINDOWS_SUFFIX)}
    folders: dict[str, dict[str, bytes | Path]] = {}
    for member, data in read_members(path, files):
        folders.setdefault(str(member.parent), {})[member.name] = data
    for folder, members in sorted(folders.items()):
        for own in _complete(members, names):
            # The archive itself, if they are at its top.
            yield str(path / folder), own

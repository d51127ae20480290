"""Sets of a project's programs in the output of a build, told apart by their own bytes.

A build leaves folders and archives: `target/<triple>/release` (cargo), `dist/` (GoReleaser),
`target/distrib` (cargo-dist), `zig-out/bin`. Their names are not read. A set is what lies in one
folder, of a disk or of an archive, under the names that the project states.
"""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from packaging.tags import sys_tags

from leanspec_build.archives import ARCHIVES, Member, read_members
from leanspec_build.binaries import Binary, must_keep_floor
from leanspec_build.errors import BuildError, NotAProgramError, note
from leanspec_build.formats.executable import load_executable, parse_executable
from leanspec_build.project.keys import WINDOWS_SUFFIX
from leanspec_build.project.manifest import Project
from leanspec_build.tags.model import Tags, of_all
from leanspec_build.tags.platforms import platform_keys

from .universal import join

MACOS = ("darwin-x64", "darwin-arm64")
# What a build leaves besides programs can be a lot, and none of it is read.
MOST_FILES = 200_000
ANOTHER = "make it again, or unpack it into a folder and name that: `--from PLACE`"
# File name -> its content, or its path.
Files = Mapping[str, bytes | Path]


@dataclasses.dataclass(frozen=True)
class ProgramSet:
    """The programs of one wheel."""

    place: str
    """The folder or archive that they are from, for people."""
    binaries: Mapping[str, Binary]
    """By the name that the project states, in its order."""
    tags: Tags

    @property
    def contents(self) -> list[bytes]:
        """The bytes of each program."""
        return [binary.data for binary in self.binaries.values()]

    @property
    def platforms(self) -> set[str]:
        """The platforms that they are for, as `linux-x64`; several for universal files."""
        executables = (binary.executable for binary in self.binaries.values())
        return {key for executable in executables for key in platform_keys(executable)}


def find_sets(project: Project, place: str) -> list[ProgramSet]:
    """Return every complete set of a project's programs, by its tags.

    They are in `place`, or where the project says. A note names each file of the same name that is
    no program. Raises BuildError if there is no set, if two are for the same machines and differ,
    or if a program is damaged.
    """
    places = _places(project, place)
    sets: dict[tuple[str, ...], ProgramSet] = {}
    skipped = []
    for origin, files in _complete_folders(places, project.programs):
        try:
            programs = _read_set(project, origin, files)
        except NotAProgramError as error:
            # A folder of completions has files of the program's name, and one of debug symbols.
            skipped.append(error.message)
            continue
        other = sets.setdefault(programs.tags.platforms, programs)
        if other.contents != programs.contents:
            raise BuildError(
                f"`{other.place}` and `{programs.place}` have different programs for the same machines",
                hint="name one of them: `--from PLACE`",
            )
    if not sets:
        names = ", ".join(f"`{name}`" for name in project.programs)
        shown = ", ".join(f"`{path}`" for path in places)
        lines = "".join(f"\n  {message}" for message in skipped)
        raise BuildError(
            f"no folder or archive in {shown} has {names}{lines}",
            hint='build first, or name what was built: `programs = ["example"]` under `[tool.leanspec-build]`',
        )
    for message in skipped:
        note(f"note: {message}: passed by")
    in_order = [sets[tags] for tags in sorted(sets)]
    return _joined(in_order) if project.is_universal2 else in_order


def set_for_this_machine(sets: list[ProgramSet]) -> ProgramSet:
    """Return the set that this Python's installers would choose; raises BuildError if none fits."""
    for tag in sys_tags():
        for programs in sets:
            if tag.abi == "none" and tag.platform in programs.tags.platforms:
                return programs
    others = sorted({tag for programs in sets for tag in programs.tags.platforms})
    raise BuildError(
        f"there are no programs for this machine, only for {', '.join(others)}",
        hint="`python -m leanspec_build all` makes a wheel of each",
    )


def set_for_platform(sets: list[ProgramSet], platform: str) -> ProgramSet:
    """Return the one set for a platform, as `linux-x64`; raises BuildError if there is none, or several."""
    matches = [programs for programs in sets if platform in programs.platforms]
    if len(matches) == 1:
        return matches[0]
    places = ", ".join(f"`{programs.place}`" for programs in matches) or "none"
    raise BuildError(
        f"there has to be one set of programs for `{platform}`, and there is: {places}",
        hint="`python -m leanspec_build all` makes a wheel of each",
    )


def _joined(sets: list[ProgramSet]) -> list[ProgramSet]:
    """Return the sets with one for both CPUs of macOS in place of one for each.

    Raises BuildError if there is one for one of them only.
    """
    thin = {
        key: programs for key in MACOS for programs in sets if programs.platforms == {key}
    }
    if not thin:
        return sets
    for key in MACOS:
        if key not in thin:
            raise BuildError(
                f"`universal2` wants programs for {' and '.join(MACOS)}, and there are none for `{key}`",
                hint="build them, or take `universal2` out of `[tool.leanspec-build]`",
            )
    intel, arm = (thin[key] for key in MACOS)
    place = f"{intel.place} and {arm.place}"
    binaries = {
        name: _join(place, binary, arm.binaries[name])
        for name, binary in intel.binaries.items()
    }
    tags = of_all([binary.tags for binary in binaries.values()])
    others = [programs for programs in sets if programs not in (intel, arm)]
    return [*others, ProgramSet(place, binaries, tags)]


def _join(place: str, intel: Binary, arm: Binary) -> Binary:
    data = join([intel.data, arm.data])
    path = Path(place, intel.path.name)
    return Binary(path, data, parse_executable(data, f"`{path}`"))


def _read_set(project: Project, place: str, files: Files) -> ProgramSet:
    binaries = {}
    for name in project.programs:
        source = files[name]
        if isinstance(source, Path):
            path = source
            data, executable = load_executable(path)
        else:
            path, data = Path(place, name), source
            executable = parse_executable(data, f"`{name}` in `{place}`")
        binaries[name] = Binary(path, data, executable)
        must_keep_floor(project, binaries[name])
    tags = of_all([binary.tags for binary in binaries.values()])
    if not tags.platforms:
        raise BuildError(
            f"the programs in `{place}` run on no common system",
            hint="build them for one, or name another place: `--from PLACE`",
        )
    return ProgramSet(place, binaries, tags)


def _places(project: Project, place: str) -> list[Path]:
    """Return where the programs are: the given place, or that of the project, which may be a glob.

    Raises BuildError if there is neither, or nothing is there.
    """
    # What is given is relative to where it was typed, what the project states to the project.
    root = Path() if place else project.root
    pattern = place or project.place
    if not pattern:
        raise BuildError(
            "nothing says where the programs are",
            hint='write `from = "dist"` under `[tool.leanspec-build]`, or give `--from PLACE`',
        )
    if (root / pattern).exists():
        return [root / pattern]
    names = sorted(glob.glob(pattern, root_dir=root, recursive=True))  # noqa: PTH207 - absolute ones, too
    if not names:
        raise BuildError(
            f"`{root / pattern}` does not exist",
            hint="name what the build left: `--from PLACE`, or `from` under `[tool.leanspec-build]`",
        )
    return [root / name for name in names]


def _complete_folders(
    places: list[Path], names: tuple[str, ...]
) -> Iterator[tuple[str, Files]]:
    """Yield each folder that has all of the names, on the disk and in archives; or the file that is given."""
    for place in places:
        if not place.is_file():
            yield from _in_folder(place, names)
        elif place.name.endswith(ARCHIVES):
            yield from _in_archive(place, names)
        elif len(names) == 1:
            # A program that is given may have any name.
            yield str(place), {names[0]: place}
        else:
            raise BuildError(
                f"`{place}` is one file, and there are to be {len(names)} programs",
                hint="name the folder or archive that has them",
            )


def _in_folder(place: Path, names: tuple[str, ...]) -> Iterator[tuple[str, Files]]:
    count = 0
    for folder, folders, files in os.walk(place):
        folders.sort()
        count += len(files)
        if count > MOST_FILES:
            raise BuildError(
                f"`{place}` has more than {MOST_FILES} files",
                hint="name a folder inside of it",
            )
        for programs in _complete({file: Path(folder, file) for file in files}, names):
            yield folder, programs
        for file in sorted(files):
            if file.endswith(ARCHIVES):
                yield from _in_archive(Path(folder, file), names)


def _in_archive(path: Path, names: tuple[str, ...]) -> Iterator[tuple[str, Files]]:
    files = {name + suffix for name in names for suffix in ("", WINDOWS_SUFFIX)}
    folders: dict[str, dict[str, bytes]] = {}

    def is_chosen(member: Member) -> bool:
        return PurePosixPath(member.name).name in files

    for member, data in read_members(path, is_chosen, ANOTHER):
        place = PurePosixPath(member.name)
        folders.setdefault(str(place.parent), {})[place.name] = data
    for folder, members in sorted(folders.items()):
        for programs in _complete(members, names):
            # The archive itself, if they are at its top.
            yield str(path / folder), programs


def _complete(files: Files, names: tuple[str, ...]) -> Iterator[Files]:
    """Yield the programs of a folder if all of them are there: those of Windows apart from any others."""
    for suffix in ("", WINDOWS_SUFFIX):
        programs = {name: files[name + suffix] for name in names if name + suffix in files}
        if len(programs) == len(names):
            yield programs

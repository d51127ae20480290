"""Sets of a project's programs in the output of a build, told apart by their own bytes.

A build leaves folders and archives: `target/<triple>/release` (cargo), `dist/` (GoReleaser),
`target/distrib` (cargo-dist), `zig-out/bin`. Their names are not read. A set is what lies in one
folder, of a disk or of an archive, under the names that the project states.
"""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from packaging.tags import sys_tags

from leanspec_build.archives import ARCHIVES, Member, read_members
from leanspec_build.binaries import Binary, must_keep_floor
from leanspec_build.errors import BuildError, NoTagError, NotAProgramError, note
from leanspec_build.formats.executable import load_executable, parse_executable
from leanspec_build.project.keys import WINDOWS_SUFFIX
from leanspec_build.project.manifest import Project
from leanspec_build.tags.model import of_all

from .overlap import is_debug, without_overlap
from .program_set import ProgramSet
from .universal import join

MACOS = ("darwin-x64", "darwin-arm64")
# What a build leaves besides programs can be a lot, and none of it is read.
MOST_FILES = 200_000
DEBUG_REMARK = "its folder says that it is a debug build, which is large and slow: name another one under `from`"
ANOTHER = "make it again, or unpack it into a folder and name that: `--from PLACE`"
# File name -> its content, or its path.
Files = Mapping[str, bytes | Path]


@dataclasses.dataclass
class Walk:
    """A walk through what a build left."""

    names: tuple[str, ...]
    excluded: set[str]
    passed_by: list[str] = dataclasses.field(default_factory=list)
    """What has no programs although it could, for people."""

    def included(self, folder: str, names: list[str]) -> list[str]:
        """Return the names in a folder that are not left out."""
        return [
            name for name in names if _identity(Path(folder, name)) not in self.excluded
        ]


def find_sets(project: Project, places: Sequence[str]) -> list[ProgramSet]:
    """Return every complete set of a project's programs, by its tags; no two are for the same machines.

    They are in `places`, or where the project says. A note names each file of the same name that is
    no program, or is for a machine that no tag names. Raises BuildError if a place has no set, if
    two are for the same machines and differ, or if a program is damaged.
    """
    # What is given is relative to where it was typed, what the project states to the project.
    root = Path() if places else project.root
    patterns = places or project.places
    if not patterns:
        raise BuildError(
            "nothing says where the programs are",
            hint='write `from = "dist"` under `[tool.leanspec-build]`, or give `--from PLACE`',
        )
    walk = Walk(project.programs, _excluded(project))
    sets = [
        programs
        for pattern in patterns
        for programs in _sets_in(project, walk, root, pattern)
    ]
    if not sets:
        raise _nothing_found(walk, patterns, walk.passed_by)
    for message in walk.passed_by:
        note(f"note: {message}: passed by")
    separate = without_overlap(sets, root)
    in_order = sorted(separate, key=lambda programs: programs.tags.platforms)
    return _joined(in_order) if project.is_universal2 else in_order


def _sets_in(project: Project, walk: Walk, root: Path, pattern: str) -> list[ProgramSet]:
    """Return the sets of one place; raises BuildError if there is nothing for any machine."""
    sets = []
    has_others = False
    first_message = len(walk.passed_by)
    for origin, files in _complete_folders(walk, _paths(root, pattern)):
        try:
            programs = _read_set(project, origin, files)
        except NotAProgramError as error:
            # A folder of completions has files of the program's name, and one of debug symbols.
            walk.passed_by.append(error.message)
            continue
        except NoTagError as error:
            walk.passed_by.append(error.message)
            has_others = True
            continue
        if "debug" not in pattern.casefold() and is_debug(Path(origin), root):
            programs = _remarked(programs, DEBUG_REMARK)
        sets.append(programs)
    if not sets and not has_others:
        raise _nothing_found(walk, [pattern], walk.passed_by[first_message:])
    return sets


def _remarked(programs: ProgramSet, remark: str) -> ProgramSet:
    tags = programs.tags
    new = dataclasses.replace(tags, remarks=(*tags.remarks, remark))
    return dataclasses.replace(programs, tags=new)


def _nothing_found(walk: Walk, patterns: Sequence[str], messages: list[str]) -> BuildError:
    names = ", ".join(f"`{name}`" for name in walk.names)
    shown = ", ".join(f"`{pattern}`" for pattern in patterns)
    lines = "".join(f"\n  {message}" for message in messages)
    return BuildError(
        f"no folder or archive in {shown} has {names}{lines}",
        hint='build first, or name what was built: `programs = ["example"]` under `[tool.leanspec-build]`',
    )


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
        key: programs
        for key in MACOS
        for programs in sets
        if programs.platforms == {key} and programs.is_thin
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


def _excluded(project: Project) -> set[str]:
    """Return the paths that the project leaves out."""
    paths = set()
    for pattern in project.exclude:
        names = _glob(project.root, pattern)
        if not names:
            note(f"note: `exclude` names `{pattern}`, which does not exist")
        paths |= {_identity(project.root / name) for name in names}
    return paths


def _glob(root: Path, pattern: str) -> list[str]:
    return sorted(
        glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)  # noqa: PTH207 - absolute ones, too
    )


def _identity(path: Path) -> str:
    """Return a path in the one form that tells whether two are the same."""
    return os.path.normcase(path.absolute())


def _paths(root: Path, pattern: str) -> list[Path]:
    """Return what a place names, which may be a glob; raises BuildError if nothing is there."""
    if (root / pattern).exists():
        return [root / pattern]
    names = _glob(root, pattern)
    if not names:
        raise BuildError(
            f"`{root / pattern}` does not exist",
            hint="name what the build left: `--from PLACE`, or `from` under `[tool.leanspec-build]`",
        )
    return [root / name for name in names]


def _complete_folders(walk: Walk, paths: list[Path]) -> Iterator[tuple[str, Files]]:
    """Yield each folder that has all of the programs, on the disk and in archives; or the file that is given."""
    for path in paths:
        if _identity(path) in walk.excluded:
            continue
        if not path.is_file():
            is_empty = True
            for programs in _in_folder(walk, path):
                is_empty = False
                yield programs
            if is_empty and len(paths) > 1:
                walk.passed_by.append(f"`{path}` has no {_names(walk)}")
        elif path.name.endswith(ARCHIVES):
            yield from _in_archive(walk, path)
        elif len(walk.names) == 1:
            # A program that is given may have any name.
            yield str(path), {walk.names[0]: path}
        else:
            raise BuildError(
                f"`{path}` is one file, and there are to be {len(walk.names)} programs",
                hint="name the folder or archive that has them",
            )


def _names(walk: Walk) -> str:
    return " and ".join(f"`{name}`" for name in walk.names)


def _in_folder(walk: Walk, place: Path) -> Iterator[tuple[str, Files]]:
    count = 0
    for folder, folders, names in os.walk(place):
        folders[:] = sorted(walk.included(folder, folders))
        count += len(names)
        if count > MOST_FILES:
            raise BuildError(
                f"`{place}` has more than {MOST_FILES} files",
                hint="name a folder inside of it",
            )
        files = {name: Path(folder, name) for name in walk.included(folder, names)}
        for programs in _complete(walk, folder, files):
            yield folder, programs
        for file in sorted(files):
            if file.endswith(ARCHIVES):
                yield from _in_archive(walk, files[file])


def _in_archive(walk: Walk, path: Path) -> Iterator[tuple[str, Files]]:
    files = {name + suffix for name in walk.names for suffix in ("", WINDOWS_SUFFIX)}
    folders: dict[str, dict[str, bytes]] = {}

    def is_chosen(member: Member) -> bool:
        return PurePosixPath(member.name).name in files

    for member, data in read_members(path, is_chosen, ANOTHER):
        place = PurePosixPath(member.name)
        folders.setdefault(str(place.parent), {})[place.name] = data
    for folder, members in sorted(folders.items()):
        for programs in _complete(walk, str(path / folder), members):
            # The archive itself, if they are at its top.
            yield str(path / folder), programs
    if not folders:
        walk.passed_by.append(f"`{path}` has no {_names(walk)}")


def _complete(walk: Walk, place: str, files: Files) -> Iterator[Files]:
    """Yield the programs of a folder if all of them are there: those of Windows apart from any others."""
    for suffix in ("", WINDOWS_SUFFIX):
        names = [name + suffix for name in walk.names]
        missing = [f"`{name}`" for name in names if name not in files]
        if not missing:
            yield {name: files[name + suffix] for name in walk.names}
        elif len(missing) < len(names):
            present = [f"`{name}`" for name in names if name in files]
            walk.passed_by.append(
                f"`{place}` has {', '.join(present)}, but not {', '.join(missing)}"
            )

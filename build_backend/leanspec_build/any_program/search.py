"""A walk through what a build left, for folders that have all programs of a project: on the disk, and in archives."""

import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from leanspec_build.archives import ARCHIVES, OTHERS, SINGLES
from leanspec_build.binaries import read_binary
from leanspec_build.errors import (
    BuildError,
    NoFileError,
    NoSpaceError,
    NotAProgramError,
    listed,
    one_line,
)
from leanspec_build.project.names import without_exe

from .names import (
    has_any_ending,
    is_another,
    is_companion,
    is_for_another,
    is_match,
    is_other_form,
    other_name,
    program_of,
)
from .packed import (
    UNREAD,
    PackedPrograms,
    Reader,
    executables_in,
    file_name,
    is_archive,
    is_executable,
    is_other_archive,
    is_unread,
    programs_in,
)
from .program_set import ProgramSet

# What a build leaves besides programs can be a lot, and none of it is read.
MOST_FILES = 200_000
# How many files are looked at, and shown, if nothing has the right name.
MOST_TRIES, MOST_SHOWN = 1000, 5
# An archive may have thousands of others that cannot be read.
MOST_NOTES = 50
# The folders and archives of the programs of one wheel, and how to read each program.
Folder = tuple[tuple[str, ...], Mapping[str, Reader]]


@dataclass(frozen=True)
class Part:
    """A program in a folder without the others."""

    place: str
    precise_place: str
    """Its folder, or the file itself: `exclude` with the folder would leave out others, too."""
    name: str
    ending: str
    """The rest of its file name, as `.exe`."""
    read: Reader


@dataclass
class Request:
    """The platforms that are asked for: what is wrong with a program of another one is passed by."""

    platforms: frozenset[str] = frozenset()
    """None for all of them."""
    doubts: list[BuildError] = field(default_factory=list)
    """What is wrong with files that do not say which platform they are for."""

    def fail(self, error: BuildError) -> None:
        """Raise an error, unless it is of no platform that is asked for."""
        is_asked_for = not self.platforms or self.platforms & error.platforms
        if is_asked_for or isinstance(error, NoSpaceError):
            raise error
        if not error.platforms:
            self.doubts.append(error)

    def must_be_met(self, sets: Iterable[ProgramSet]) -> None:
        """Raise the first doubt if sets leave out a platform that is asked for: the file may be its program."""
        available = {platform for programs in sets for platform in programs.platforms}
        if self.doubts and not self.platforms <= available:
            raise self.doubts[0]


@dataclass
class Search:
    """A search of one place."""

    names: tuple[str, ...]
    excluded: set[str]
    """The paths that the project leaves out."""
    out: str = ""
    """The folder for wheels, which is not searched."""
    request: Request = field(default_factory=Request)
    places: frozenset[str] = frozenset()
    """What is searched, with the other places."""
    left_out: list[Path] = field(default_factory=list)
    """What of the excluded paths is there."""
    parts: list[Part] = field(default_factory=list)
    has_match: bool = False
    """Whether a glob matches a file of the program's name."""
    others: dict[Path, BuildError | None] = field(default_factory=dict)
    """Programs of other names that a glob matches; those that are damaged, with the error."""
    other_names: list[Path] = field(default_factory=list)
    """Those that were passed by."""
    machines: set[str] = field(default_factory=set)
    """The platforms that whole folders are for."""
    has_programs: bool = False
    """Whether there are all programs for a machine, which may be one that no tag names."""
    passed_by: list[str] = field(default_factory=list)
    """What has no programs although it could, for people."""

    no_programs: list[str] = field(default_factory=list)
    """What other files are, for people who have no programs."""

    @property
    def notes(self) -> list[str]:
        """What was passed by, a line each, and how many more there are."""
        # A glob may match a folder, and what is in it.
        others = [] if self.has_programs else self.no_programs
        messages = list(dict.fromkeys([*self.passed_by, *others]))
        notes = [one_line(message) for message in messages[:MOST_NOTES]]
        if more := len(messages[MOST_NOTES:]):
            notes.append(f"{more} more files and folders like these")
        return notes

    def pass_by_name(self, path: Path) -> None:
        """Note a program that has another name, unless it is a place itself."""
        if identity(path) in self.places:
            return
        self.passed_by.append(f"`{path}` {other_name(file_name(path), self.names)}")
        self.other_names.append(path)

    def fail(self, error: BuildError) -> None:
        """Raise an error, or pass by what is wrong with a program that is not asked for."""
        self.request.fail(error)
        self.passed_by.append(error.message)
        self.has_programs = True

    def included(self, folder: str, names: list[str]) -> list[str]:
        """Return the names in a folder that are not left out, in order."""
        return sorted(name for name in names if self.includes(Path(folder, name)))

    def includes(self, path: Path) -> bool:
        """Tell whether a path is searched, and remember one that the project leaves out."""
        name = identity(path)
        if name in self.excluded:
            self.left_out.append(path)
        return name not in (*self.excluded, self.out)


def identity(path: Path) -> str:
    """Return a path in the one form that tells whether two are the same."""
    return os.path.normcase(path.absolute())


def complete_folders(
    search: Search, paths: list[Path], *, is_glob: bool = False
) -> Iterator[Folder]:
    """Yield each folder that has all of the programs, on the disk and in archives; or the file that is given."""
    matches = []
    for path in paths:
        if not search.includes(path):
            continue
        if not path.is_file():
            count = len(search.parts)
            folders = list(_in_folder(search, path))
            yield from folders
            if not folders and len(paths) > 1 and len(search.parts) == count:
                search.passed_by.append(f"`{path}` has no {listed(search.names, ' and ')}")
        elif path.name.casefold().endswith((*ARCHIVES, *OTHERS)):
            yield from _in_archive(search, path)
        elif is_glob:
            matches.append(path)
        elif len(search.names) == 1:
            # A program that is given may have any name.
            yield from single_file(search, path)
        else:
            raise BuildError(
                f"`{path}` is one file, and there are to be {len(search.names)} programs",
                hint="name the folder or archive that has them",
            )
    yield from _matching_files(search, matches)


def single_file(search: Search, path: Path) -> Iterator[Folder]:
    """Yield a file as the one program of the project, whatever it is called."""
    read: Reader = functools.partial(read_binary, path)
    if path.name.casefold().endswith(SINGLES):
        packed = _programs_in(search, path, (without_exe(path.stem),))
        if packed is None:
            return
        (read,) = packed.folders["."].values()
    yield (str(path),), {search.names[0]: read}


def _matching_files(search: Search, paths: list[Path]) -> Iterator[Folder]:
    """Yield the programs among the files that a glob matches; the search keeps those of other names."""
    folders: dict[Path, dict[str, Reader]] = {}
    for path in paths:
        file = file_name(path)
        if len(search.names) == 1 and _is_program(search, path):
            search.has_match = True
            yield from single_file(search, path)
        elif is_archive(path.name, search.names):
            yield from _in_archive(search, path)
        elif program_of(file, search.names):
            read = functools.partial(read_binary, path)
            folders.setdefault(path.parent, {})[file] = read
        else:
            _keep_other(search, path)
    for folder, readers in folders.items():
        yield from _complete(search, str(folder), readers, is_alone=False)


def _is_program(search: Search, path: Path) -> bool:
    """Tell whether a match is the one program by its name; a machine in front has to be that of its bytes."""
    file, (name,) = file_name(path), search.names
    if program_of(file, search.names) or not is_match(file, search.names):
        return is_match(file, search.names)
    try:
        for _, readers in single_file(search, path):
            return not is_another(file, name, readers[name]().executable)
    except NotAProgramError:
        # Of the name, it is no reason to take a program of another one.
        search.has_match = True
        return False
    except BuildError:
        # It is raised once the program is packed.
        return True
    return True


def _keep_other(search: Search, path: Path) -> None:
    """Keep a program of another name; any other file is passed by."""
    search.others[path] = None
    try:
        folders = list(single_file(search, path))
        for _, readers in folders:
            readers[search.names[0]]()
        if not folders:
            del search.others[path]
    except (NotAProgramError, NoFileError) as error:
        if is_other_form(path.name, search.names):
            search.passed_by.append(f"`{path}` {UNREAD}")
        else:
            search.no_programs.append(error.message)
        del search.others[path]
    except NoSpaceError:
        raise
    except BuildError as error:
        # It may be the program all the same: then this is raised.
        search.others[path] = error
        if is_companion(path.name):
            search.no_programs.append(error.message)
            del search.others[path]


def executables(paths: list[Path]) -> Iterator[Path]:
    """Yield some executables of any name, outside archives and in them."""
    below = (sorted(path.rglob("*")) if path.is_dir() else [path] for path in paths)
    files = itertools.islice(itertools.chain.from_iterable(below), MOST_TRIES)
    programs = itertools.chain.from_iterable(map(_executables_of, files))
    yield from itertools.islice(programs, MOST_SHOWN)


def _executables_of(path: Path) -> Iterator[Path]:
    if path.name.casefold().endswith((*ARCHIVES, *SINGLES)):
        yield from (path / name for name in executables_in(path))
    elif is_executable(path):
        yield path


def _in_folder(search: Search, place: Path) -> Iterator[Folder]:
    count = 0

    def pass_by(error: OSError) -> None:
        search.passed_by.append(f"`{error.filename}`: {error.strerror}")

    for folder, folders, names in os.walk(place, onerror=pass_by):
        search.passed_by += [
            f"`{path}` is a link to a folder"
            for path in sorted(Path(folder, name) for name in folders)
            if path.is_symlink()
        ]
        folders[:] = search.included(folder, folders)
        count += len(names)
        if count > MOST_FILES:
            raise BuildError(
                f"`{place}` has more than {MOST_FILES} files",
                hint="name a folder inside of it",
            )
        files = search.included(folder, names)
        readers = {
            file: functools.partial(read_binary, Path(folder, file)) for file in files
        }
        archives = [
            file
            for file in files
            if is_archive(file, search.names) or is_other_archive(file, search.names)
        ]
        yield from _complete(search, folder, readers, is_alone=not folders and not archives)
        _pass_by_variants(search, [Path(folder, file) for file in files])
        for file in archives:
            yield from _in_archive(search, Path(folder, file))


def _pass_by_variants(search: Search, paths: list[Path]) -> None:
    """Note the executables of a folder that are called after a program, as `tool-linux-fips` and `Tool`."""
    for path in paths:
        if not is_unread(path.name, search.names):
            continue
        crates = [name.replace("-", "_") for name in search.names]
        if path.parent.name == "deps" and without_exe(path.name) in crates:
            # Cargo's own copy, as it is on Windows.
            continue
        # A link to the program is no other one.
        target = os.path.basename(os.path.realpath(path))  # noqa: PTH119 - a link may lead to itself
        if program_of(target, search.names):
            continue
        if is_executable(path):
            search.pass_by_name(path)
        elif has_any_ending(path.name, search.names):
            search.no_programs.append(f"`{path}` {UNREAD}")


def _in_archive(search: Search, path: Path) -> Iterator[Folder]:
    if is_other_archive(path.name, search.names):
        search.passed_by.append(f"`{path}` {UNREAD}")
        return
    packed = _programs_in(search, path, search.names)
    if packed is None:
        return
    search.passed_by += packed.problems
    for folder, files in sorted(packed.folders.items()):
        # The archive itself, if they are at its top.
        yield from _complete(search, str(path / folder), files, is_alone=True)
    if not packed.folders and not packed.problems:
        search.passed_by.append(f"`{path}` has no {listed(search.names, ' and ')}")


def _programs_in(
    search: Search, path: Path, names: tuple[str, ...]
) -> PackedPrograms | None:
    """Return the programs of an archive, or None for a damaged one that is passed by."""
    try:
        return programs_in(path, names)
    except BuildError as error:
        error.platforms = frozenset(
            platform
            for platform in search.request.platforms
            if not is_for_another(path.name, search.names, platform)
        )
        search.fail(error)
        return None


def _complete(
    search: Search, place: str, files: Mapping[str, Reader], *, is_alone: bool
) -> Iterator[Folder]:
    """Yield the programs of a folder if all of them are there: those for each machine that their names say."""
    pairs = {file: program_of(file, search.names) for file in files}
    matches = {file: match for file, match in pairs.items() if match}
    is_alone = is_alone and len({ending for _, ending in matches.values()}) == 1
    by_ending: dict[str, dict[str, Part]] = {}
    for file, (name, ending) in matches.items():
        is_plain = is_alone and not without_exe(ending)
        precise_place = place if is_plain else str(Path(place, file))
        part = Part(
            place=place,
            precise_place=precise_place,
            name=name,
            ending=ending,
            read=files[file],
        )
        by_ending.setdefault(ending, {})[name] = part
    for parts in by_ending.values():
        if len(parts) == len(search.names):
            places = dict.fromkeys(parts[name].precise_place for name in search.names)
            yield tuple(places), {name: part.read for name, part in parts.items()}
        else:
            search.parts += parts.values()

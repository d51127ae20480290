"""Programs in an archive, or in the archives in it."""

import contextlib
import functools
import itertools
import posixpath
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, NamedTuple, NoReturn

from leanspec_build.archives import (
    ARCHIVES,
    FILE,
    OTHER,
    OTHERS,
    SINGLES,
    Bounds,
    Member,
    open_members,
    readable,
)
from leanspec_build.binaries import Binary, binary_of
from leanspec_build.errors import BuildError, NoSpaceError, one_line
from leanspec_build.formats.executable import (
    LARGEST_FILE,
    LONGEST_MAGIC,
    MAGICS,
    read_executable,
)
from leanspec_build.formats.view import PIECE, Bytes, load_bytes
from leanspec_build.source import source_of

from .names import is_other_form, is_variant, other_name, program_of

ANOTHER = "make it again, or unpack it into a folder and name that: `--from PLACE`"
UNREAD = "is of a kind that is not read"
# A source archive of a large project has tens of thousands of files.
BOUNDS = Bounds(members=100_000, content=8 * LARGEST_FILE)
# An archive of archives is what services wrap around the output of a build.
DEEPEST = 2
# Links may lead to links.
MOST_PASSES = 4

# Return a program, or raise BuildError.
Reader = Callable[[], Binary]


class MemberPlace(NamedTuple):
    """The place of a member in its archive."""

    number: int
    name: str
    """A file name for the member, which says how to unpack it."""


@dataclass
class PackedPrograms:
    """The programs of an archive."""

    path: Path
    names: tuple[str, ...]
    folders: dict[str, dict[str, Reader]] = field(default_factory=dict)
    """Folder of the archive -> file name -> program."""
    problems: list[str] = field(default_factory=list)
    """What could not be read, for people."""
    digests: dict[str, str] = field(default_factory=dict)
    unpacked: int = 0
    files: int = 0
    """How many files with a program's name there are, whether they can be read or not."""

    def add(self, name: str, read: Callable[[], Bytes], data: Bytes) -> None:
        """Add a program with its bytes; it is refused if another one has its name."""
        name = one_line(name)
        source = source_of(f"`{name}` in `{self.path}`", data, read)
        place = PurePosixPath(name)
        files = self.folders.setdefault(str(place.parent), {})
        if self.digests.setdefault(name, source.sha256) != source.sha256:
            error = BuildError(
                f"`{self.path}` has two different files `{name}`", hint=ANOTHER
            )
            files[place.name] = functools.partial(_refuse, error)
            return
        try:
            # The facts are read while the bytes are there; an error matters once they are needed.
            binary = binary_of(self.path / place, data, source)
        except BuildError as error:
            files[place.name] = functools.partial(_refuse, error)
        else:
            files[place.name] = lambda: binary


def programs_in(path: Path, names: tuple[str, ...]) -> PackedPrograms:
    """Return the programs of an archive.

    Raises BuildError for one that is damaged, or larger than is read, unless nothing says that it
    has programs: that is a problem of the result.
    """
    programs = PackedPrograms(path, names)
    _Walk(programs, path).search(str(path))
    return programs


class _Walk:
    """A walk through an archive: first by the names of programs, then by those that links lead to."""

    def __init__(
        self,
        programs: PackedPrograms,
        archive: Path,
        prefix: str = "",
        outer: tuple[MemberPlace, ...] = (),
    ) -> None:
        """`prefix` begins the names in an archive that lies in the `outer` ones."""
        self._programs = programs
        self._archive = archive
        self._prefix = prefix
        self._outer = outer
        # Names that links lead to, with those of the links: in this pass, and in the next one.
        self._targets: dict[str, list[str]] = {}
        self._links: dict[str, list[str]] = {}
        self._missing: dict[str, list[str]] = {}
        self._number = -1

    def search(self, name: str) -> None:
        """Add the programs; `name` stands for the archive in messages."""
        programs = self._programs
        count = programs.files
        try:
            with readable(self._archive, ANOTHER):
                self._pass({})
                for _ in range(MOST_PASSES):
                    if self._links:
                        self._pass(self._links)
        except NoSpaceError:
            # The archive may be a temporary file.
            raise NoSpaceError(f"cannot unpack `{name}`") from None
        except BuildError as error:
            message = error.message.replace(str(self._archive), name)
            is_named = any(program in Path(name).name for program in programs.names)
            if is_named or programs.files > count:
                raise BuildError(message, hint=error.hint) from None
            if error.hint not in (None, ANOTHER):
                message += f" ({error.hint})"
            programs.problems.append(message)
            return
        for alias in itertools.chain.from_iterable(self._links.values()):
            self._note(alias, "is a link to a link to a link")

    def _pass(self, targets: dict[str, list[str]]) -> None:
        self._targets, self._missing, self._links = targets, dict(targets), {}
        self._number = -1
        programs = self._programs
        for member, file in open_members(self._archive, self._is_chosen, BOUNDS):
            name = _plain(member.name)
            if self._is_archive(name):
                self._search_inner(name, file)
                continue
            if not targets and not program_of(posixpath.basename(name), programs.names):
                self._pass_by_variant(name, file)
                continue
            places = (*self._outer, MemberPlace(self._number, name))
            read = functools.partial(_load, programs.path, places)
            data = load_bytes(file, member.size)
            for alias in targets.get(name, [name]):
                programs.add(self._prefix + alias, read, data)
        for target, aliases in self._missing.items():
            for alias in aliases:
                self._note(
                    alias, f"is a link to `{target}`, which the archive does not have"
                )

    def _pass_by_variant(self, name: str, file: IO[bytes]) -> None:
        """Note an executable that is called after a program, as `tool-linux-fips`."""
        ending = next(filter(name.casefold().endswith, SINGLES), "")
        with _spooled(file, f"inner{ending}") as path:
            if is_executable(path):
                words = other_name(file_name(PurePosixPath(name)), self._programs.names)
                self._note(self._prefix + name, words)

    def _note(self, name: str, problem: str) -> None:
        self._programs.problems.append(f"`{name}` in `{self._programs.path}` {problem}")

    def _is_chosen(self, member: Member) -> bool:
        self._number += 1
        programs, name = self._programs, _plain(member.name)
        is_searched = self._is_searched(name)
        is_inner = is_archive(posixpath.basename(name), programs.names)
        if is_searched and member.kind == FILE and not is_inner:
            programs.files += 1
        if is_searched and member.size > LARGEST_FILE:
            raise BuildError(
                f"`{name}` in `{programs.path}` is more than the {LARGEST_FILE} bytes that are read"
            )
        # With the archives in it.
        programs.unpacked += member.size
        if programs.unpacked > BOUNDS.unpacked:
            raise BuildError(
                f"`{programs.path}` unpacks to more than {BOUNDS.unpacked} bytes"
            )
        if not is_searched:
            is_small = member.kind == FILE and member.size <= LARGEST_FILE
            file = posixpath.basename(name)
            return is_small and not self._targets and is_unread(file, programs.names)
        self._missing.pop(name, None)
        if member.kind == OTHER:
            self._note(self._prefix + name, f"is {member.kind}")
        if member.target:
            aliases = self._targets.get(name, [name])
            self._links.setdefault(member.target, []).extend(aliases)
        return member.kind == FILE

    def _is_searched(self, name: str) -> bool:
        if self._targets:
            return name in self._targets
        file = posixpath.basename(name)
        if is_other_archive(file, self._programs.names):
            self._note(self._prefix + name, UNREAD)
        return bool(program_of(file, self._programs.names)) or self._is_archive(name)

    def _is_archive(self, name: str) -> bool:
        """Tell whether a member is an archive to search; one that lies too deep is a problem."""
        is_one = is_archive(posixpath.basename(name), self._programs.names)
        if self._targets or not is_one:
            return False
        if len(self._outer) < DEEPEST - 1:
            return True
        self._note(self._prefix + name, f"lies in more than {DEEPEST} archives")
        return False

    def _search_inner(self, name: str, file: IO[bytes]) -> None:
        ending = next(filter(name.casefold().endswith, (*ARCHIVES, *SINGLES)))
        prefix, file_name = f"{name}/", f"inner{ending}"
        if ending in SINGLES:
            # Only compressed, it lies where its archive does, and keeps its name.
            prefix, file_name = (
                name.removesuffix(posixpath.basename(name)),
                posixpath.basename(name),
            )
        place = MemberPlace(self._number, file_name)
        full_name = f"{self._programs.path}/{self._prefix}{name}"
        with _spooled(file, place.name) as path:
            outer = (*self._outer, place)
            _Walk(self._programs, path, self._prefix + prefix, outer).search(full_name)


def executables_in(path: Path, depth: int = DEEPEST) -> Iterator[str]:
    """Yield the names of executables in an archive, and in those in it, as far as they can be read."""

    def is_file(member: Member) -> bool:
        return member.kind == FILE and member.size <= LARGEST_FILE

    with contextlib.suppress(BuildError), readable(path):
        for member, file in open_members(path, is_file, BOUNDS):
            name = one_line(_plain(member.name))
            if name.casefold().endswith(ARCHIVES) and depth > 1:
                ending = next(filter(name.casefold().endswith, ARCHIVES))
                with _spooled(file, f"inner{ending}") as inner:
                    for inner_name in executables_in(inner, depth - 1):
                        yield f"{name}/{inner_name}"
            elif _has_code(file):
                yield name


def is_executable(path: Path) -> bool:
    """Tell whether a file is a program, or the one that is compressed in it."""
    if path.name.casefold().endswith(SINGLES):
        return any(executables_in(path))
    with contextlib.suppress(BuildError):
        read_executable(path)
        return True
    return False


def is_unread(file: str, names: Iterable[str]) -> bool:
    """Tell whether a file is called after a program, and neither searched nor noted otherwise."""
    is_other = is_archive(file, names) or is_other_archive(file, names)
    return is_variant(file, names) and not is_other


def file_name(path: PurePath) -> str:
    """Return the name of a file, or of the one that is compressed in it."""
    return path.stem if path.name.casefold().endswith(SINGLES) else path.name


def _has_code(file: IO[bytes]) -> bool:
    """Tell whether a member is a program by its bytes; of any other file, only the first ones are read."""
    start = file.read(LONGEST_MAGIC)
    if not start.startswith(MAGICS):
        return False
    with _spooled(file, "inner", start) as path:
        return is_executable(path)


def is_archive(file: str, names: Iterable[str]) -> bool:
    """Tell whether a file may have programs in it; one that is only compressed has to have a program's name."""
    if file.casefold().endswith(ARCHIVES):
        return True
    stem, dot, ending = file.rpartition(".")
    return (dot + ending).casefold() in SINGLES and bool(program_of(stem, names))


def is_other_archive(file: str, names: Iterable[str]) -> bool:
    """Tell whether a file may have programs in it that cannot be read."""
    if is_archive(file, names):
        return False
    return file.casefold().endswith(OTHERS) or is_other_form(file, names)


def _plain(name: str) -> str:
    """Return the name of a member in the one form that links lead to."""
    return posixpath.normpath(name.replace("\\", "/")).lstrip("/")


@contextlib.contextmanager
def _spooled(file: IO[bytes], name: str, start: bytes = b"") -> Iterator[Path]:
    """Give a file of its own to an archive in an archive: most kinds cannot be read in place."""
    with tempfile.TemporaryDirectory(prefix="leanspec-build-") as folder:
        path = Path(folder, name)
        with path.open("wb") as target:
            target.write(start)
            shutil.copyfileobj(file, target, PIECE)
        yield path


def _refuse(error: BuildError) -> NoReturn:
    raise error


def _load(path: Path, places: tuple[MemberPlace, ...]) -> Bytes:
    """Load a member of an archive, or of an archive in it, again."""
    place, *inner = places
    numbers = itertools.count()

    def is_chosen(_: Member) -> bool:
        return next(numbers) == place.number

    with readable(path, ANOTHER):
        for member, file in open_members(path, is_chosen, BOUNDS):
            if not inner:
                return load_bytes(file, member.size)
            with _spooled(file, place.name) as archive:
                return _load(archive, tuple(inner))
    raise BuildError(f"`{path}` changed while it was read", hint=ANOTHER)

"""Sets of a project's programs in the output of a build, told apart by their own bytes.

A build leaves folders and archives: `target/<triple>/release` (cargo), `dist/` (GoReleaser),
`target/distrib` (cargo-dist), `zig-out/bin`. Their names are not read. A set is what lies in one
folder, of a disk or of an archive, under the names that the project states.
"""

import dataclasses
import functools
import glob
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

from packaging.tags import sys_tags
from packaging.version import Version

from leanspec_build.archives import ARCHIVES, SINGLES
from leanspec_build.binaries import (
    Binary,
    binary_of,
    must_keep_floor,
    with_data_files,
)
from leanspec_build.errors import (
    BuildError,
    NoFileError,
    NoTagError,
    NotAProgramError,
    listed,
    note,
)
from leanspec_build.project.manifest import Project
from leanspec_build.project.names import without_exe
from leanspec_build.source import source_of
from leanspec_build.tags.model import of_all
from leanspec_build.tags.platforms import host_platform_key, platform_keys

from .names import (
    is_companion,
    is_nameless,
    is_other_form,
    is_spelling,
    is_variant,
    own_name,
    program_of,
    wrong_version,
    wrong_word,
)
from .overlap import is_debug, without_overlap
from .packed import Reader, file_name
from .parts import joined_parts, part_messages
from .program_set import ProgramSet
from .search import (
    Folder,
    Request,
    Search,
    complete_folders,
    executables,
    identity,
    single_file,
)
from .universal import join_loaded

MACOS = ("darwin-x64", "darwin-arm64")
IN_TABLE = "under `[tool.leanspec-build]`"
NAME_IT = "name another place: `--from PLACE`"
DEBUG_REMARK = "its folder says that it is a debug build, which is large and slow: name another one under `from`"


def find_sets(
    project: Project,
    places: Sequence[str],
    out: Path | None = None,
    platforms: Iterable[str] = (),
) -> list[ProgramSet]:
    """Return every complete set of a project's programs, by its tags; no two are for the same machines.

    They are in `places`, or where the project says, and not in `out`, which is for wheels. A note
    names each file of the same name that is no program, or is for a machine that no tag names.
    Raises BuildError if a place has no set, if two are for the same machines and differ, or if a
    program is damaged; of `platforms`, if any are given: what is wrong with others gets a note.
    """
    # What is given is relative to where it was typed, what the project states to the project.
    root = Path() if places else project.root
    patterns = places or project.places
    if not patterns:
        raise BuildError(
            "nothing says where the programs are",
            hint='write `from = "dist"` under `[tool.leanspec-build]`, or give `--from PLACE`',
        )
    excluded = _excluded(project)
    if out is not None:
        _must_be_elsewhere(out, root, patterns)
    # What is wrong with them is wrong with no program.
    project.placed_files()
    request = _request(project, frozenset(platforms))
    out_name = identity(out) if out else ""
    own_places = frozenset(identity(root / pattern) for pattern in patterns)
    sets: list[ProgramSet] = []
    searches: dict[str, Search] = {}
    for pattern in patterns:
        search = Search(project.programs, excluded, out_name, request, own_places)
        searches[pattern] = search
        paths = _paths(root, pattern)
        whole = complete_folders(search, paths, is_glob=paths != [root / pattern])
        folders = itertools.chain(whole, joined_parts(search))
        sets += _read_sets(project, search, folders, root, pattern)
    sets += _sets_of_several(project, searches, root, request)
    sets += _sets_of_others(project, searches, root)
    request.must_be_met(sets)
    empty = {name: search for name, search in searches.items() if not search.has_programs}
    if empty or not sets:
        raise _no_programs_error(project, root, empty or searches)
    _note_all(searches.values())
    _hint_at_names(project, map(root.joinpath, patterns), searches.values())
    sets = without_overlap(sets, project.root, request)
    sets.sort(key=lambda programs: programs.tags.platforms)
    return _joined(project, sets, request) if project.is_universal2 else sets


def _must_be_elsewhere(out: Path, root: Path, patterns: Sequence[str]) -> None:
    """Raise BuildError for a folder for wheels that the programs are in."""
    if out.resolve() in folders_of(root, patterns):
        raise BuildError(
            f"refusing to write wheels into `{out}`, where the programs are",
            hint="name another folder: `--out wheelhouse`",
        )


def _request(project: Project, platforms: frozenset[str]) -> Request:
    """Return what is asked for: of a wheel for both CPUs of macOS, both."""
    if project.is_universal2 and platforms & {*MACOS}:
        platforms |= {*MACOS}
    return Request(platforms)


def _read_sets(
    project: Project, search: Search, folders: Iterable[Folder], root: Path, pattern: str
) -> list[ProgramSet]:
    """Return the sets of folders, without those that no wheel can carry."""
    sets = []
    for places, files in folders:
        try:
            programs = _read_set(project, places, files)
        # A folder of completions has files of the program's name, and one of debug symbols. A
        # link that leads nowhere is no program, either.
        except (NotAProgramError, NoFileError, NoTagError) as error:
            has_hint = isinstance(error, NoTagError) and error.hint
            search.passed_by.append(error.message + f" ({error.hint})" * bool(has_hint))
            search.has_programs |= isinstance(error, NoTagError)
            continue
        except BuildError as error:
            search.fail(error)
            continue
        search.has_programs = True
        search.machines |= programs.platforms
        if "debug" not in pattern.casefold() and is_debug(programs, root):
            remarks = (*programs.tags.remarks, DEBUG_REMARK)
            tags = dataclasses.replace(programs.tags, remarks=remarks)
            programs = dataclasses.replace(programs, tags=tags)
        sets.append(programs)
    return sets


def _sets_of_several(
    project: Project, searches: Mapping[str, Search], root: Path, request: Request
) -> list[ProgramSet]:
    """Return the sets of programs that lie in several places, and note each part that belongs to none."""
    together = Search(project.programs, set(), request=request)
    for search in searches.values():
        together.parts += search.parts
        together.machines |= search.machines
    sets = []
    if len(searches) > 1:
        patterns = " ".join(searches)
        sets = _read_sets(project, together, joined_parts(together), root, patterns)
    for search in searches.values():
        remaining = [part for part in search.parts if part in together.parts]
        search.has_programs |= len(remaining) < len(search.parts)
        search.parts = remaining
        search.passed_by += part_messages(search)
    return sets


def _note_all(searches: Iterable[Search]) -> None:
    """Say what was passed by, each of it once."""
    lines = (message for search in searches for message in search.notes)
    for message in dict.fromkeys(lines):
        note(f"note: {message}: passed by")


def _hint_at_names(
    project: Project, places: Iterable[Path], searches: Iterable[Search]
) -> None:
    """Say once how to pack a program of another name: as the project's one, or in addition to it."""
    files = [path for search in searches for path in search.other_names]
    if not files:
        return
    file = file_name(files[0])
    name = own_name(file)
    hints = []
    if len(project.programs) == 1:
        paths = [_in_manifest(project, path) for path in [*places, files[0]]]
        quoted = _quoted(dict.fromkeys(paths))
        hints.append(f"as `{project.programs[0]}`, write `from = [{quoted}]`")
    is_new = name.casefold() not in map(str.casefold, project.programs)
    if is_new and program_of(file, [name]) and not is_nameless(file):
        hints.append(
            f"as `{name}`, write `programs = [{_quoted([*project.programs, name])}]`"
        )
    if hints:
        note(f"hint: to pack `{files[0]}` {', or '.join(hints)} {IN_TABLE}")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _in_manifest(project: Project, path: Path) -> str:
    """Return a path as `from` may state it."""
    path, root = path.absolute(), project.root.absolute()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _sets_of_others(
    project: Project, searches: Mapping[str, Search], root: Path
) -> list[ProgramSet]:
    """Return the sets of files that a glob matches, if their one name is another than the project's.

    Raises BuildError if they have several names. Beside programs of the project's, they are passed by.
    """
    others = {}
    for search in searches.values():
        others.update(search.others)
    sound = [path for path, error in others.items() if error is None]
    by_name = {own_name(file_name(path)).casefold(): path for path in sound or others}
    is_beside = any(search.has_programs or search.has_match for search in searches.values())
    is_renamed = len(project.programs) == 1 and not is_beside
    if is_renamed and len(by_name) > 1:
        one, other, *_ = by_name.values()
        raise BuildError(
            f"neither `{one}` nor `{other}` is called {listed(project.programs)}, and their names differ",
            hint=f"{_hint_at_own_name(project, list(by_name.values()))}, or files of one name: `--from PLACE`",
        )
    sets = []
    for pattern, search in searches.items():
        for path, error in search.others.items():
            if is_renamed and own_name(file_name(path)).casefold() in by_name:
                folders = single_file(search, path)
                sets += _read_sets(project, search, folders, root, pattern)
            elif error:
                search.passed_by.append(error.message)
            elif not is_companion(path.name):
                search.pass_by_name(path)
    return sets


def folders_of(root: Path, patterns: Iterable[str]) -> set[Path]:
    """Return the folders that places are, or that the files among them lie in."""
    folders = set()
    for pattern in patterns:
        fixed = Path(pattern)
        while glob.has_magic(str(fixed)):
            fixed = fixed.parent
        paths = [root / name for name in _glob(root, pattern)]
        folders |= {path.absolute().parent for path in paths if path.is_file()}
        folders.add(root / fixed)
    return {folder.resolve() for folder in folders}


def _no_programs_error(
    project: Project, root: Path, searches: Mapping[str, Search]
) -> BuildError:
    """Return an error that says what the places have instead, and what to do about that."""
    messages: list[str] = []
    left_out: list[Path] = []
    others: list[Path] = []
    programs = project.programs
    platforms: frozenset[str] = frozenset()
    for pattern, search in searches.items():
        platforms = search.request.platforms
        messages += search.notes
        left_out += search.left_out
        excluded = {*search.excluded, search.out}
        others += [
            path
            for path in executables(_paths(root, pattern))
            if not program_of(path.name, programs)
            and not is_other_form(path.name, programs)
            and excluded.isdisjoint(map(identity, (path, *path.parents)))
        ]
    has_messages = bool(messages)
    messages += [f"`{path}` is left out by `exclude`" for path in left_out]
    messages += [
        f"`{path}` is a program of another name"
        for path in others
        if not any(path in search.other_names for search in searches.values())
        # Of those in archives, there are notes, too.
        and not is_variant(path.name, programs)
    ]
    if any(search.parts for search in searches.values()):
        hint = f"build all of them for one machine, or take the others out of `programs` {IN_TABLE}"
    elif others:
        hint = _hint_at_name(project, others)
    elif left_out:
        hint = f"take what has the programs out of `exclude` {IN_TABLE}"
    elif any(search.has_programs for search in searches.values()):
        machines = listed(sorted(platforms)) or "a machine that wheels can name"
        hint = f"build for {machines}, or {NAME_IT}"
    elif has_messages:
        hint = f"put the program there, in a file or an archive of its own, or {NAME_IT}"
    else:
        hint = f"build first, or {NAME_IT}; `programs` {IN_TABLE} says how it is called"
    lines = "".join(f"\n  {message}" for message in messages)
    return BuildError(
        f"no folder or archive in {listed(searches)} has {listed(programs)}{lines}",
        hint=hint,
    )


def _hint_at_name(project: Project, files: list[Path]) -> str:
    """Return a hint at one of some programs: that of the project's by its name, or the first one."""
    spelled = [
        path
        for path in files
        if path.is_file() and is_spelling(path.name, project.programs)
    ]
    if spelled and len(project.programs) == 1:
        return _hint_at_files(project, spelled)
    path = min(files, key=lambda file: not is_variant(file.name, project.programs))
    name = own_name(path.name)
    is_variant_of_one = (
        is_variant(path.name, project.programs) and len(project.programs) == 1
    )
    if is_variant_of_one and path.is_file() and name != without_exe(path.name):
        return f'name the file itself: `from = "{_in_manifest(project, path)}"` {IN_TABLE}'
    return _hint_at_own_name(project, [path, *files])


def _hint_at_own_name(project: Project, files: Sequence[Path]) -> str:
    """Return a hint at the name of the first program that has one, or at the files."""
    for path in files:
        if not is_nameless(file_name(path)):
            name = own_name(file_name(path))
            return f'name what was built: `programs = ["{name}"]` {IN_TABLE}'
    program = project.programs[0]
    if len(project.programs) > 1 or not all(path.is_file() for path in files):
        return f"call the files by the program, too, as `{program}-{files[0].name}`"
    return _hint_at_files(project, files)


def _hint_at_files(project: Project, files: Iterable[Path]) -> str:
    paths = dict.fromkeys(_in_manifest(project, path) for path in files)
    return f"name the files themselves: `from = [{_quoted(paths)}]` {IN_TABLE}"


def set_for_this_machine(sets: list[ProgramSet]) -> ProgramSet:
    """Return the set that this Python's installers would choose; raises BuildError if none fits."""
    for tag in sys_tags():
        for programs in sets:
            if tag.abi == "none" and tag.platform in programs.tags.platforms:
                return programs
    others = {name for programs in sets for name in programs.platforms}
    if host_platform_key() in others:
        # This system is too old for its program, which only a tag says.
        others = {tag for programs in sets for tag in programs.tags.platforms}
    raise BuildError(
        f"there are no programs for this machine, only for {', '.join(sorted(others))}",
        hint="`python -m leanspec_build all` makes a wheel of each",
    )


def set_for_platform(sets: list[ProgramSet], platform: str) -> ProgramSet:
    """Return the set that installers choose on a new system of a platform, as `linux-x64`.

    Raises BuildError if there is none.
    """
    matches = [programs for programs in sets if platform in programs.platforms]
    if not matches:
        others = sorted({name for programs in sets for name in programs.platforms})
        raise BuildError(
            f"there are no programs for `{platform}`, only for {', '.join(others)}",
            hint="`python -m leanspec_build all` makes a wheel of each",
        )
    # Of one for glibc and a static one, installers choose the one for the newer system.
    return max(matches, key=lambda programs: programs.newest(platform))


def _joined(project: Project, sets: list[ProgramSet], request: Request) -> list[ProgramSet]:
    """Return the sets with one for both CPUs of macOS, if that is possible; raises BuildError if that is asked for."""
    try:
        return _with_both(project, sets)
    except BuildError as error:
        error.platforms = frozenset(MACOS)
        request.fail(error)
        note(f"note: {error.message}: passed by")
        return sets


def _with_both(project: Project, sets: list[ProgramSet]) -> list[ProgramSet]:
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
    missing = [key for key in MACOS if key not in thin]
    universal = [programs for programs in sets if not programs.is_thin]
    if missing and universal:
        (other,) = thin.values()
        raise BuildError(
            f"`{universal[0].place}` is for both CPUs already, and `{other.place}` for one of them",
            hint="leave one of the two out by `exclude` under `[tool.leanspec-build]`",
        )
    if missing:
        raise BuildError(
            f"`universal2` wants programs for {' and '.join(MACOS)}, and there are none for `{missing[0]}`",
            hint="build them, or take `universal2` out of `[tool.leanspec-build]`",
        )
    intel, arm = (thin[key] for key in MACOS)
    places = intel.places + arm.places
    binaries = {}
    for name, binary in intel.binaries.items():
        path = Path(" and ".join(places), binary.path.name)
        loaders = [binary.source.load, arm.binaries[name].source.load]
        read = functools.partial(join_loaded, loaders)
        data = read()
        thick = binary_of(path, data, source_of(f"`{path}`", data, read))
        binaries[name] = with_data_files(project, thick)
    tags = of_all([binary.tags for binary in binaries.values()])
    others = [programs for programs in sets if programs not in (intel, arm)]
    return [*others, ProgramSet(places, binaries, tags)]


def _read_set(
    project: Project, places: tuple[str, ...], files: Mapping[str, Reader]
) -> ProgramSet:
    binaries = {name: files[name]() for name in project.programs}
    try:
        return _checked_set(project, places, binaries)
    except BuildError as error:
        platforms = (binary.platforms for binary in binaries.values())
        error.platforms = frozenset(itertools.chain.from_iterable(platforms))
        raise


def _checked_set(
    project: Project, places: tuple[str, ...], alone: Mapping[str, Binary]
) -> ProgramSet:
    binaries = {name: with_data_files(project, binary) for name, binary in alone.items()}
    for binary in binaries.values():
        must_keep_floor(project, binary)
        _note_wrong_names(project, binary)
    tags = of_all([binary.tags for binary in binaries.values()])
    programs = ProgramSet(places, binaries, tags)
    if not tags.platforms:
        raise BuildError(
            f"the programs in `{programs.place}` run on no common system",
            hint="build them for one, or name another place: `--from PLACE`",
        )
    return programs


def _note_wrong_names(project: Project, binary: Binary) -> None:
    """Remark on a program whose file, folder or archive is called by another machine or version than its own."""
    path, root = binary.path.resolve(), project.root.resolve()
    # Above the project, a folder may have any name.
    parts = path.relative_to(root).parts if path.is_relative_to(root) else (path.name,)
    platforms = " and ".join(platform_keys(binary.executable))
    names = (*project.programs, project.metadata.name, project.name)
    words, versions = [], []
    for part in parts:
        endings = filter(part.casefold().endswith, (*ARCHIVES, *SINGLES))
        stem = without_exe(part[: len(part) - len(next(endings, ""))])
        words.append(wrong_word(stem, names, binary.executable))
        # A file that is named may have any name.
        is_renamed = part == parts[-1] and not is_variant(stem, names)
        any_names = (*names, own_name(stem)) if is_renamed else names
        versions.append(wrong_version(stem, any_names, Version(project.version)))
    if word := next(filter(None, words), None):
        note(f"note: `{binary.path}` is called `{word}`, and is for {platforms}")
    if version := next(filter(None, versions), None):
        note(
            f"note: `{binary.path}` is called `{version}`, and the project has version {project.version}"
        )


def _excluded(project: Project) -> set[str]:
    """Return the paths that the project leaves out."""
    paths = set()
    for pattern in project.exclude:
        names = _glob(project.root, pattern)
        if file := not names and _file_around(project.root, pattern):
            note(
                f"note: `exclude` names `{pattern}`, which lies in `{file}`: only the whole file can be left out"
            )
        elif not names:
            note(f"note: `exclude` names `{pattern}`, which does not exist")
        paths |= {identity(project.root / name) for name in names}
    return paths


def _glob(root: Path, pattern: str) -> list[str]:
    return sorted(
        glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)  # noqa: PTH207 - absolute ones, too
    )


def _file_around(root: Path, pattern: str) -> str | None:
    """Return the archive that a place would lie in: a member cannot be named."""
    parents = map(str, PurePath(pattern).parents)
    archives = (parent for parent in parents if parent.casefold().endswith(ARCHIVES))
    names = (name for archive in archives for name in _glob(root, archive))
    return next((name for name in names if (root / name).is_file()), None)


def _paths(root: Path, pattern: str) -> list[Path]:
    """Return what a place names, which may be a glob; raises BuildError if nothing is there."""
    if (root / pattern).exists():
        return [root / pattern]
    names = _glob(root, pattern)
    if not names:
        file = _file_around(root, pattern)
        hint = f"name what the build left: `--from PLACE`, or `from` {IN_TABLE}"
        if file:
            hint = f"name `{file}` as a whole: `--from PLACE`, or `from` {IN_TABLE}"
        raise BuildError(f"`{root / pattern}` does not exist", hint=hint)
    return [root / name for name in names]

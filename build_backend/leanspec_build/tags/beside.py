"""Libraries that an installation puts where a program looks for them: next to it, or in a folder that it names."""

import dataclasses
import posixpath
from collections.abc import Callable, Iterator, Mapping

from leanspec_build.formats.facts import Executable, FileFormat, Libraries

# What a loader replaces with the folder of the file that needs a library.
OWN_FOLDERS = ("@loader_path", "$ORIGIN", "${ORIGIN}")


def with_libraries(
    program: Executable, folder: str, files: Mapping[str, Callable[[], Executable | None]]
) -> tuple[Executable, Libraries]:
    """Return a program and the libraries beside it by their places, where each needs what is left to the system alone.

    `folder` is that of the program in an environment, where installed `files` have their places;
    each returns the facts of a library, or None if it is none.
    """
    if program.format is FileFormat.PE:
        files = {_windows_place(place): read for place, read in files.items()}
    parts: dict[str, Executable] = {}
    queue = [("", folder, program)]
    while queue:
        place, own_folder, part = queue.pop()
        needed = []
        for name in part.needed:
            lookups = _lookups(name, part, own_folder, program, folder)
            match = next((lookup for lookup in lookups if lookup in files), None)
            library = files[match]() if match else None
            if match is None or library is None or not {*program.cpus} <= {*library.cpus}:
                needed.append(name)
            elif match not in parts:
                parts[match] = library
                queue.append((match, posixpath.dirname(match), library))
        parts[place] = dataclasses.replace(part, needed=tuple(needed))
    program = parts.pop("")
    return program, parts


def _windows_place(place: str) -> str:
    """Return a place by which files are the same on Windows, whose programs are in `Scripts`."""
    folder, slash, rest = place.casefold().partition("/")
    return f"bin/{rest}" if slash and folder == "scripts" else place.casefold()


def _lookups(
    name: str, part: Executable, own_folder: str, program: Executable, folder: str
) -> Iterator[str]:
    """Yield the places of a library that a loader looks at; `own_folder` is that of the part that needs it."""
    if part.format is FileFormat.PE:
        yield _windows_place(f"{folder}/{name}")
        return
    run_path = [(own_folder, path) for path in part.run_path]
    file = name.removeprefix("@rpath/")
    if part.format is FileFormat.MACH_O:
        run_path += [(folder, path) for path in program.run_path]
    references = [(start, f"{path}/{file}") for start, path in run_path]
    if part.format is FileFormat.MACH_O and file == name:
        references = [(own_folder, name)]
    for start, reference in references:
        first, _, rest = reference.partition("/")
        if first in OWN_FOLDERS:
            yield posixpath.normpath(f"{start}/{rest}")
        elif first == "@executable_path":
            yield posixpath.normpath(f"{folder}/{rest}")

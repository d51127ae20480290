"""Executables of any format, read from their bytes; no policy.

Each format has a reader of its own, which reads what a loader reads, in bounds: any file is
answered soon.
"""

import contextlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from leanspec_build.errors import BuildError, NoFileError, NotAProgramError, adding_reason

from . import elf, mach_o, pe
from .elf_file import ELF_MAGIC
from .facts import Executable
from .view import Bytes, ends_in_zeros, load_bytes

LARGEST_FILE = 512 * 1024 * 1024
MAGICS = (ELF_MAGIC, pe.MAGIC, *mach_o.FAT_ENTRIES, *mach_o.MAGICS)
LONGEST_MAGIC = max(map(len, MAGICS))
# What helps about a file that cannot be read, and has no other hint.
HINTS = {
    BuildError: "build or fetch it again",
    NotAProgramError: "name a compiled program, or a wheel",
}


def read_executable(path: Path) -> Executable:
    """Read the headers of the executable at `path`.

    Raises BuildError for anything but a complete executable, and says what the file is instead.
    """
    with _opened(path) as (file, size), contextlib.ExitStack() as stack:
        data: Bytes = b""
        # An empty file cannot be mapped; of another one, only what is looked at is read.
        if size:
            mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
            data = stack.enter_context(mapping)
        return parse_executable(data, f"`{path}`")


def load_file(path: Path) -> Bytes:
    """Return the bytes of a regular file; raises BuildError if it cannot be read, or is too large."""
    with _opened(path) as (file, size):
        return load_bytes(file, size)


def parse_executable(data: Bytes, name: str, *, library: bool = False) -> Executable:
    """Read the headers of an executable's bytes; `name` stands for it in messages.

    With `library`, a shared library is read instead. Raises BuildError for anything but a
    complete file of the wanted kind, and says what the bytes are instead.
    """
    try:
        _must_look_like_one(data)
        return _parsed(data, library=library)
    except BuildError as error:
        hint = error.hint or HINTS.get(type(error))
        raise type(error)(f"{name} {error.message}", hint=hint) from None


def _parsed(data: Bytes, *, library: bool) -> Executable:
    if data[:4] == ELF_MAGIC:
        executable = elf.parse(data, library=library)
    elif data[:2] == pe.MAGIC:
        executable = pe.parse_program(data, library=library)
    else:
        executable = mach_o.parse_program(data, library=library)
    if ends_in_zeros(data):
        raise BuildError("is damaged: its end is zeros")
    return executable


def header_machine(data: Bytes) -> tuple[str, tuple[str, ...]]:
    """Return the system and the CPUs that the header of a damaged program names, as far as it can be read."""
    start = data[:4]
    with contextlib.suppress(BuildError):
        if start == ELF_MAGIC:
            return "linux", elf.header_cpus(data)
        if start.startswith(pe.MAGIC):
            return "windows", pe.header_cpus(data)
        if start in (*mach_o.MAGICS, *mach_o.FAT_ENTRIES):
            return "darwin", mach_o.header_cpus(data)
    return "", ()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open a regular file, and give its size."""
    must_be_file(path)
    with adding_reason(BuildError(f"cannot read `{path}`")), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST_FILE:
            raise BuildError(
                f"`{path}` has {size} bytes, more than the {LARGEST_FILE} that are read",
                hint="take its debug information out: `strip PROGRAM`",
            )
        yield file, size


def must_be_file(path: Path) -> None:
    """Raise BuildError for a path that is not a regular file."""
    if path.is_dir():
        raise BuildError(
            f"`{path}` is a directory, not a file", hint="name the files in it: `FOLDER/*`"
        )
    if path.is_symlink() and not path.exists():
        raise NoFileError(
            f"`{path}` is a link to `{path.readlink()}`, which does not exist",
            hint="build or copy what the link leads to",
        )
    if not path.exists():
        raise NoFileError(
            f"`{path}` does not exist", hint="correct the path, or build the file first"
        )
    if not path.is_file():
        raise BuildError(
            f"`{path}` is not a regular file", hint="build the file again, in this place"
        )


def _must_look_like_one(data: Bytes) -> None:
    """Raise BuildError for what was to be a program and is none, NotAProgramError for a file of another kind."""
    start = bytes(data[:80])
    if not start:
        raise BuildError("is empty, not an executable")
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        raise BuildError(
            "is a Git LFS pointer, not an executable",
            hint="`git lfs pull` fetches the file itself",
        )
    if start.startswith(b"#!"):
        line = start.splitlines()[0].decode("utf-8", "replace")
        raise NotAProgramError(f"is a script (`{line}`), not an executable")
    if mach_o.is_java(data):
        raise NotAProgramError("is a Java class file, not an executable")
    if not start.startswith(MAGICS):
        shown = f"it starts with the bytes `{start[:4].hex(' ')}`"
        raise NotAProgramError(
            f"is neither ELF, Mach-O nor PE ({shown}), not an executable"
        )

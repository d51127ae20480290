"""Bounded reads from an untrusted archive, which may be damaged or hostile."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import BuildError
from .formats.executable import LARGEST_FILE

ARCHIVES = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar", ".zip")
ZIPS = (".zip", ".whl")
# What reading an archive raises: damaged, encrypted, compressed in a way that this Python does not
# know, or without the member that is asked for.
UNREADABLE = (
    OSError,
    EOFError,
    KeyError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,
    ValueError,
)
# By the first bytes: a name may say anything.
DECOMPRESSORS: dict[bytes, Callable[[Path], io.BufferedIOBase]] = {
    b"\x1f\x8b\x08": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7z": lzma.LZMAFile,
}
FILE, FOLDER = "a file", "a folder"


@dataclass(frozen=True)
class Member:
    """A member of an archive."""

    name: str
    size: int
    kind: str
    """FILE, FOLDER, or what else it is, in words."""


@dataclass(frozen=True)
class Bounds:
    """The size of an archive up to which it is read."""

    members: int = 10_000
    content: int = LARGEST_FILE
    """Bytes of the members that are read."""
    unpacked: int = 8 * LARGEST_FILE
    """Bytes of all members, because the others have to be passed over."""


def read_members(
    path: Path,
    is_chosen: Callable[[Member], bool],
    hint: str | None = None,
    bounds: Bounds = Bounds(),
) -> Iterator[tuple[Member, bytes]]:
    """Yield the files that are chosen, with their content; each member is offered.

    Raises BuildError with the hint for an archive that is damaged, or larger than the bounds.
    """
    members = _zip_members if path.suffix in ZIPS else _tar_members
    count = content = unpacked = 0
    try:
        for member, read in members(path, bounds):
            is_read = is_chosen(member) and member.kind == FILE
            count += 1
            unpacked += member.size
            content += member.size * is_read
            if count > bounds.members:
                raise BuildError(f"`{path}` has more than {bounds.members} members")
            if content > bounds.content:
                raise BuildError(
                    f"`{member.name}` in `{path}` is more than the {bounds.content} bytes that are read"
                )
            if unpacked > bounds.unpacked:
                raise BuildError(f"`{path}` unpacks to more than {bounds.unpacked} bytes")
            if is_read:
                yield member, read()
    except BuildError as error:
        raise BuildError(error.message, hint=hint) from None
    except UNREADABLE as error:
        raise BuildError(f"`{path}` is not a whole archive: {error}", hint=hint) from None


# A member, and how to read it.
Readable = tuple[Member, Callable[[], bytes]]


def _zip_members(path: Path, _bounds: Bounds) -> Iterator[Readable]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = FOLDER if info.is_dir() else FILE
            member = Member(info.filename, info.file_size, kind)
            yield member, functools.partial(archive.read, info)


def _tar_members(path: Path, bounds: Bounds) -> Iterator[Readable]:
    with path.open("rb") as packed:
        magic = packed.read(3)
    file = DECOMPRESSORS[magic](path) if magic in DECOMPRESSORS else path.open("rb")
    stream = _Stream(path, file, bounds)
    with file, tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            member = Member(info.name, info.size, _kind(info))
            yield member, functools.partial(_tar_content, archive, info)


def _tar_content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(info)
    return file.read() if file else b""


def _kind(info: tarfile.TarInfo) -> str:
    if info.isfile():
        return FILE
    if info.isdir():
        return FOLDER
    if info.issym() or info.islnk():
        return f"a link to `{info.linkname}`"
    return "neither a file nor a folder"


class _Stream(io.BufferedIOBase):
    """An unpacked archive, as far as the bounds: a header may claim a name of any size."""

    def __init__(self, path: Path, file: io.BufferedIOBase, bounds: Bounds) -> None:
        self._path = path
        self._file = file
        self._bounds = bounds
        self._size = 0

    def read(self, size: int | None = -1) -> bytes:
        data = self._file.read(size)
        self._size += len(data)
        if self._size > self._bounds.unpacked:
            raise BuildError(
                f"`{self._path}` unpacks to more than {self._bounds.unpacked} bytes"
            )
        return data

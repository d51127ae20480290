"""Some files of an archive, in bounds: nothing is unpacked, and an archive may be damaged or hostile."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from .errors import BuildError
from .formats.executable import LARGEST_FILE

ARCHIVES = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar", ".zip")
# What reading an archive raises: damaged, encrypted, or compressed in a way that this Python does
# not know.
UNREADABLE = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,
    ValueError,
)
MOST_MEMBERS = 10_000
ANOTHER = "unpack what is wanted of it into a folder, and name that: `--from PLACE`"
# What an archive unpacks to has to be passed over, if not read.
MOST_BYTES = 8 * LARGEST_FILE


def read_members(path: Path, names: set[str]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield place and content of the regular files with some names.

    Raises BuildError for an archive that is damaged, or larger than what is read.
    """
    kind = _zip_members if path.suffix == ".zip" else _tar_members
    try:
        yield from kind(path, names)
    except UNREADABLE as error:
        raise BuildError(
            f"`{path}` is not a whole archive: {error}",
            hint="make it again, or name another place: `--from PLACE`",
        ) from None


def _zip_members(path: Path, names: set[str]) -> Iterator[tuple[PurePosixPath, bytes]]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        bounds = _Bounds(path)
        for info in infos:
            place = PurePosixPath(info.filename)
            is_read = place.name in names and not info.is_dir()
            bounds.add(info.filename, info.file_size, is_read=is_read)
            if is_read:
                yield place, archive.read(info)


def _tar_members(path: Path, names: set[str]) -> Iterator[tuple[PurePosixPath, bytes]]:
    with tarfile.open(path) as archive:
        bounds = _Bounds(path)
        for member in archive:
            place = PurePosixPath(member.name)
            is_read = place.name in names and member.isfile()
            bounds.add(member.name, member.size, is_read=is_read)
            content = archive.extractfile(member) if is_read else None
            if content is not None:
                yield place, content.read()


class _Bounds:
    """How much of an archive is read, and passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._members = self._read = self._passed = 0

    def add(self, name: str, size: int, *, is_read: bool) -> None:
        """Count a member; raises BuildError if that is too much."""
        self._members += 1
        self._passed += size
        self._read += size * is_read
        if self._members > MOST_MEMBERS:
            raise BuildError(
                f"`{self._path}` has more than {MOST_MEMBERS} members", hint=ANOTHER
            )
        if self._read > LARGEST_FILE:
            raise BuildError(
                f"`{name}` in `{self._path}` is more than the {LARGEST_FILE} bytes that are read",
                hint=ANOTHER,
            )
        if self._passed > MOST_BYTES:
            raise BuildError(
                f"`{self._path}` unpacks to more than {MOST_BYTES} bytes", hint=ANOTHER
            )

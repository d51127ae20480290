"""Bounded reads from an untrusted archive, which may be damaged or hostile."""

import bz2
import contextlib
import functools
import gzip
import importlib
import io
import lzma
import posixpath
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .errors import BuildError, NoSpaceError, is_full_disk
from .formats.executable import LARGEST_FILE

TARS = (
    *(".tar", ".tar.gz", ".tgz", ".taz", ".tar.xz", ".txz", ".tar.bz2", ".tbz", ".tbz2"),
    *(".tb2", ".tz2", ".tar.zst", ".tzst"),
)
ARCHIVES = (*TARS, ".zip")
ZIPS = (".zip", ".whl")
# One compressed file, without a name of its own.
SINGLES = (".gz", ".xz", ".bz2", ".zst")
# Archives that programs are released in as well, and that are not read here.
OTHERS = (".7z", ".rar", ".tar.lz", ".tlz", ".tar.lz4", ".tar.z", ".tz")
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
DECOMPRESSORS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b\x08": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7z": lzma.LZMAFile,
}
ZSTANDARD = b"\x28\xb5\x2f"
# Modules that read Zstandard alike: Python's own since 3.14, and its copy for older ones.
ZSTANDARD_MODULES = ("compression.zstd", "backports.zstd")
ZIP = b"PK\x03"
# A flag of a member of a zip archive (APPNOTE.TXT, 4.4.4).
ENCRYPTED = 1
FILE, FOLDER, OTHER = "a file", "a folder", "neither a file nor a folder"
# A header has a name of some hundred bytes, and attributes of a few thousand.
LARGEST_HEADER = 1 << 20
HEADER_BYTES = 1 << 12
# The directory of a zip archive has 46 bytes for a member, its name, and a few dozen more.
DIRECTORY_BYTES = 1 << 8
PIECE = 1 << 20


@dataclass(frozen=True)
class Member:
    """A member of an archive."""

    name: str
    size: int
    kind: str
    """FILE, FOLDER, OTHER or a link, in words."""
    target: str = ""
    """The name of the member that a link leads to."""


@dataclass(frozen=True)
class Bounds:
    """The size of an archive up to which it is read."""

    members: int = 10_000
    content: int = LARGEST_FILE
    """Bytes of the members that are read."""
    unpacked: int = 8 * LARGEST_FILE
    """Bytes of all members, because the others have to be passed over."""


# A member, and how to open it.
Openable = tuple[Member, Callable[[], IO[bytes]]]


def read_members(
    path: Path,
    is_chosen: Callable[[Member], bool],
    hint: str | None = None,
    bounds: Bounds = Bounds(),
) -> Iterator[tuple[Member, bytes]]:
    """Yield the files that are chosen, with their content; each member is offered.

    Raises BuildError with the hint for an archive that is damaged, or larger than the bounds.
    """
    with readable(path, hint):
        for member, file in open_members(path, is_chosen, bounds):
            yield member, file.read()


@contextlib.contextmanager
def readable(path: Path, hint: str | None = None) -> Iterator[None]:
    """Raise BuildError with the hint for whatever reading an archive raises."""
    try:
        yield
    except NoSpaceError:
        raise
    except BuildError as error:
        raise BuildError(error.message, hint=error.hint or hint) from None
    except NotImplementedError as error:
        raise BuildError(
            f"`{path}` has a file that Python cannot unpack: {error}", hint=hint
        ) from None
    except UNREADABLE as error:
        if is_full_disk(error):
            raise NoSpaceError(f"cannot unpack `{path}`") from None
        raise BuildError(f"`{path}` is not a whole archive: {error}", hint=hint) from None


def open_members(
    path: Path, is_chosen: Callable[[Member], bool], bounds: Bounds = Bounds()
) -> Iterator[tuple[Member, IO[bytes]]]:
    """Yield the files that are chosen, each open until the next one; each member is offered.

    To be called where the archive is `readable`: what is wrong with it may show in any read.
    """
    content = unpacked = 0
    for count, (member, opened) in enumerate(_members(path, bounds), 1):
        is_read = is_chosen(member) and member.kind == FILE
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
            with opened() as file:
                yield member, file


def _members(path: Path, bounds: Bounds) -> Iterator[Openable]:
    # Opening a pipe waits for whoever writes to it, and a device may have no end.
    if path.exists() and not path.is_file():
        raise BuildError(f"`{path}` is not a regular file")
    with path.open("rb") as packed:
        magic = packed.read(3)
    file = path.name.casefold()
    if file.endswith(ZIPS) or magic == ZIP:
        return _zip_members(path, bounds)
    if file.endswith(SINGLES) and not file.endswith(TARS):
        return _single_member(path, magic, bounds)
    return _tar_members(path, magic, bounds)


def _zip_members(path: Path, bounds: Bounds) -> Iterator[Openable]:
    with _ZipFile(path, bounds) as file, zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            # As the `Compress-Archive` of Windows PowerShell writes them.
            name = info.filename.replace("\\", "/")
            kind, target = FILE, ""
            if name.endswith("/"):
                kind = FOLDER
            elif stat.S_ISLNK(info.external_attr >> 16):
                text = archive.read(info) if info.file_size < HEADER_BYTES else b""
                target = _linked(name, text.decode("utf-8", "replace"))
                kind = f"a link to `{target}`"
            elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                kind = OTHER
            member = Member(name, info.file_size, kind, target)
            yield member, functools.partial(_open_zip_member, archive, info)


def _open_zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.flag_bits & ENCRYPTED:
        raise BuildError(f"`{info.filename}` in `{archive.filename}` is encrypted")
    return archive.open(info)


class _ZipFile(io.FileIO):
    """A zip archive whose directory is read up to a size."""

    def __init__(self, path: Path, bounds: Bounds) -> None:
        super().__init__(path)
        self._most = bounds.members * DIRECTORY_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._most:
            raise BuildError(f"`{self.name!s}` has a directory of {size} bytes")
        return super().read(size) or b""


def _single_member(path: Path, magic: bytes, bounds: Bounds) -> Iterator[Openable]:
    size = 0
    with _unpacked(path, magic) as file:
        while piece := file.read(PIECE):
            size += len(piece)
            if size > bounds.content:
                break
    with _unpacked(path, magic) as file:
        yield Member(path.stem, size, FILE), lambda: file


def _tar_members(path: Path, magic: bytes, bounds: Bounds) -> Iterator[Openable]:
    stream = _Stream(path, _unpacked(path, magic), bounds)
    with stream, _opened_tar(stream, magic) as archive:
        while info := archive.next():
            yield _tar_member(info), functools.partial(stream.open, archive, info)
            stream.expect_header()
            # Nothing is looked up in them, and an archive may have many.
            archive.members.clear()  # type: ignore[attr-defined]
        stream.must_end()


def _opened_tar(stream: "_Stream", magic: bytes) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=stream, mode="r:")
    except tarfile.ReadError as error:
        shown = f"it starts with the bytes `{magic.hex(' ')}`"
        raise tarfile.ReadError(f"{error} ({shown})") from None


def _tar_member(info: tarfile.TarInfo) -> Member:
    kind, target = OTHER, ""
    if info.isfile():
        kind = FILE
    elif info.isdir():
        kind = FOLDER
    elif info.issym() or info.islnk():
        kind = f"a link to `{info.linkname}`"
        target = posixpath.normpath(info.linkname)
    if info.issym():
        target = _linked(info.name, info.linkname)
    return Member(info.name, info.size, kind, target)


def _linked(name: str, target: str) -> str:
    """Return the name of the member that a symbolic link leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target))


def _unpacked(path: Path, magic: bytes) -> IO[bytes]:
    if magic in DECOMPRESSORS:
        file: IO[bytes] = DECOMPRESSORS[magic](path)
        return file
    if magic != ZSTANDARD:
        return path.open("rb")
    for name in ZSTANDARD_MODULES:
        with contextlib.suppress(ImportError):
            stream: IO[bytes] = importlib.import_module(name).ZstdFile(path)
            return stream
    raise BuildError(
        f"`{path}` is compressed by Zstandard, which this Python cannot read",
        hint="Python 3.14 can, and others with `pip install backports.zstd`; or unpack it: `zstd -d`",
    )


class _Stream(io.BufferedIOBase):
    """An unpacked archive, as far as the bounds, which is only read forwards.

    A header may claim a name of any size, or a thousand attributes: what is read between two
    members is bounded, too.
    """

    def __init__(self, path: Path, file: IO[bytes], bounds: Bounds) -> None:
        self._path = path
        self._file = file
        self._bounds = bounds
        self._position = 0
        self._headers = LARGEST_HEADER
        self._is_header = True
        self._block = b""

    def expect_header(self) -> None:
        """Count what is read from now on as part of a header."""
        self._is_header = True
        self._headers += HEADER_BYTES

    def open(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
        """Open a member: what is read from now on is content."""
        self._is_header = False
        return archive.extractfile(info) or io.BytesIO()

    def must_end(self) -> None:
        """Raise an error if the archive ends with anything but a block of zeros, or its check sum is wrong."""
        if self._block.strip(b"\0"):
            raise tarfile.ReadError("it has a damaged header")
        self._is_header = False
        while self.read(PIECE):
            pass

    def read(self, size: int | None = -1, /) -> bytes:
        length = PIECE if size is None or size < 0 else size
        if self._is_header:
            self._headers -= length
            if self._headers < 0:
                raise BuildError(
                    f"`{self._path}` has a header of more than {LARGEST_HEADER} bytes"
                )
        data = self._file.read(length)
        self._position += len(data)
        if self._is_header:
            self._block = data
        if self._position > self._bounds.unpacked:
            raise BuildError(
                f"`{self._path}` unpacks to more than {self._bounds.unpacked} bytes"
            )
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence or offset < self._position:
            raise tarfile.StreamError("its parts are not in order")
        is_header, self._is_header = self._is_header, False
        while self._position < offset:
            if not self.read(min(PIECE, offset - self._position)):
                break
        self._is_header = is_header
        return self._position

    def close(self) -> None:
        self._file.close()
        super().close()

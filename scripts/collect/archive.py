"""Extracting one file from an untrusted package archive."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from leanspec_launcher.manage.errors import CommandError

# The largest package so far unpacks to 49 MB.
LARGEST_ARCHIVE = 128 * 1024 * 1024
# A package has some five; each costs time to look at, however small it is.
MOST_ENTRIES = 1_000


class _Bounded(gzip.GzipFile):
    """A gzip stream that fails after a number of bytes, because an archive may unpack to any size."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > LARGEST_ARCHIVE:
            raise CommandError(f"it unpacks to more than {LARGEST_ARCHIVE} bytes")
        if size is None or size < 0:
            size = LARGEST_ARCHIVE
        return super().read(min(size, LARGEST_ARCHIVE))


def extract_file(archive: Path, member: str, target: Path) -> None:
    """Copy the regular file `member` of a `.tar.gz` to `target`; nothing else is ever written.

    Raises CommandError if it is not there, and where any entry of the archive leaves it, links,
    or is too large.
    """
    try:
        with _Bounded(archive) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as entries:
            found = False
            for number, entry in enumerate(entries):
                if number == MOST_ENTRIES:
                    raise CommandError(f"it holds more than {MOST_ENTRIES} entries")
                _must_be_harmless(entry)
                if entry.name == member:
                    if found:
                        raise CommandError(f"it holds `{member}` twice")
                    found = True
                    _copy(entries, entry, target)
        if not found:
            raise CommandError(f"it holds no `{member}`")
    except CommandError as error:
        target.unlink(missing_ok=True)
        raise CommandError(f"the archive `{archive.name}` is refused: {error.message}") from None
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        target.unlink(missing_ok=True)
        raise CommandError(f"the archive `{archive.name}` is damaged: {error}") from None


def _must_be_harmless(entry: tarfile.TarInfo) -> None:
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.name:
        raise CommandError(f"its entry `{entry.name}` leads out of it")
    if entry.issym() or entry.islnk():
        raise CommandError(f"its entry `{entry.name}` is a link to `{entry.linkname}`")
    if not (entry.isfile() or entry.isdir()):
        raise CommandError(f"its entry `{entry.name}` is neither a file nor a folder")
    if entry.size > LARGEST_ARCHIVE:
        raise CommandError(f"its entry `{entry.name}` unpacks to {entry.size} bytes")


def _copy(entries: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    source = entries.extractfile(entry)
    if source is None:
        raise CommandError(f"its entry `{entry.name}` has no content")
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file)

"""Extracting files from an untrusted package archive."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from leanspec_launcher.diagnosis.errors import CommandError

# The largest package so far unpacks to 49 MB.
LARGEST_ARCHIVE = 128 * 1024 * 1024
# A program's package has some five, that of the pages 918; each costs time, however small it is.
MOST_ENTRIES = 4_000


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

    Raises CommandError if it is not there, or if any entry of the archive leads out of it, is a
    link, or is too large.
    """
    if not extract_files(archive, lambda name: target if name == member else None):
        raise CommandError(
            f"the archive `{archive.name}` is refused: it holds no `{member}`"
        )


def extract_files(archive: Path, place: Callable[[str], Path | None]) -> list[Path]:
    """Copy the regular files of a `.tar.gz` for which `place` names a target; return the targets.

    Raises CommandError, and leaves no target, if any entry of the archive leads out of it, is a
    link, is too large, or is there twice.
    """
    written: list[Path] = []
    try:
        with (
            _Bounded(archive) as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|") as entries,
        ):
            for number, entry in enumerate(entries):
                if number == MOST_ENTRIES:
                    raise CommandError(f"it holds more than {MOST_ENTRIES} entries")
                _must_be_harmless(entry)
                target = place(entry.name) if entry.isfile() else None
                if target is None:
                    continue
                if target in written:
                    raise CommandError(f"it holds `{entry.name}` twice")
                written.append(target)
                _copy(entries, entry, target)
    except CommandError as error:
        _remove(written)
        raise CommandError(
            f"the archive `{archive.name}` is refused: {error.message}"
        ) from None
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        _remove(written)
        raise CommandError(f"the archive `{archive.name}` is damaged: {error}") from None
    return written


def _remove(files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


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
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file)

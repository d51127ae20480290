"""A wheel, unpacked whole: no entry leaves its folder, nothing is larger than any wheel of ours."""

import csv
import shutil
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.records import SHA256, recorded_digest

MOST_BYTES = 1 << 30
MOST_ENTRIES = 10_000
RUN_BITS = 0o111
ANOTHER = "name another place of this release's files: `--from PLACE`"
FOLDER, PROGRAM, FILE = 0o700, 0o700, 0o600


def unpack(wheel: Path, folder: Path) -> None:
    """Unpack a wheel into a new folder, for this user alone.

    Raises CommandError if it is none, or holds what a wheel cannot.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            entries = archive.infolist()
            _must_be_harmless(entries)
            folder.mkdir(FOLDER)
            for entry in entries:
                if not entry.is_dir():
                    _write(archive, entry, folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise CommandError(
            f"`{wheel.name}` is not a complete wheel: {error}", hint=ANOTHER
        ) from None


def _must_be_harmless(entries: list[zipfile.ZipInfo]) -> None:
    size = sum(entry.file_size for entry in entries)
    if size > MOST_BYTES or len(entries) > MOST_ENTRIES:
        raise CommandError("the wheel is larger than any wheel of LeanSpec", hint=ANOTHER)
    names = [entry.filename.casefold() for entry in entries]
    if len(set(names)) != len(names):
        raise CommandError("the wheel contains a name twice", hint=ANOTHER)
    for entry in entries:
        # What either system takes for a way out of the folder, or for a stream of a file.
        path = PureWindowsPath(entry.filename)
        if path.drive or path.root or ".." in path.parts or ":" in entry.filename:
            raise CommandError(
                f"the wheel contains `{entry.filename}`, which leads out of it",
                hint=ANOTHER,
            )


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    path = folder.joinpath(*PurePosixPath(entry.filename).parts)
    # The topmost first: `parents=True` would let others write to those in between.
    for above in reversed(path.relative_to(folder).parents):
        (folder / above).mkdir(FOLDER, exist_ok=True)
    with archive.open(entry) as source, path.open("xb") as target:
        shutil.copyfileobj(source, target)
    is_program = (entry.external_attr >> 16) & RUN_BITS
    mode = PROGRAM if is_program else FILE
    path.chmod(mode)


def is_whole(folder: Path) -> bool:
    """Tell whether each file of an unpacked wheel is as its record says (Binary distribution format)."""
    try:
        (record,) = folder.glob("*.dist-info/RECORD")
        rows = list(csv.reader(record.read_text("utf-8").splitlines()))
        return all(_is_recorded(folder / name, digest) for name, digest, _ in rows)
    except (OSError, ValueError, csv.Error):
        return False


def _is_recorded(path: Path, digest: str) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    # The record itself has no digest.
    return not digest or digest == f"{SHA256}{recorded_digest(str(path))}"

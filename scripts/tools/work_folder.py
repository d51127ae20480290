"""Results that appear when they are whole: a file, or a folder in which one process works at a time."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .console import say

PREFIX = ".in-progress-"


@contextlib.contextmanager
def work_folder(base: Path) -> Iterator[Path]:
    """Give an empty folder inside `base`, removed afterwards, while no other process has one there.

    What a killed process left there is removed first.
    """
    base.mkdir(parents=True, exist_ok=True)
    with _alone(base):
        for left in base.glob(f"{PREFIX}*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=base) as folder:
            yield Path(folder)


@contextlib.contextmanager
def _alone(base: Path) -> Iterator[None]:
    """Lock a folder for one process; the system releases the lock however this process ends."""
    if sys.platform == "win32":
        yield  # a folder cannot be locked there
        return
    import fcntl  # noqa: PLC0415 - Windows has none

    descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that works in {base}")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to; what is there at the end takes the place of `path`.

    If the block fails, `path` stays as it was and nothing is left next to it.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)

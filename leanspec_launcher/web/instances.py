"""Which servers run for which projects: a small file per project, in the user's own cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from leanspec_launcher._search import is_trusted, stamp_directory
from leanspec_launcher.verify.proof import make_private

from .port import ask

NAME = "ui"


@dataclass(frozen=True)
class Instance:
    """A running server: where it is, and what it shows."""

    url: str
    host: str
    port: int
    process: int
    project: str
    version: str


def folder() -> str:
    """Return the folder of these files, made if need be; empty if no folder is this user's alone."""
    stamps = stamp_directory()
    place = os.path.join(os.path.dirname(stamps), NAME) if stamps else ""
    return place if place and make_private(place) else ""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one process of this user start a server at a time: two would take the same port.

    Not on Windows, where the second one fails, and not if there is no place for the lock.
    """
    place = folder()
    if not place or sys.platform == "win32":
        yield
        return
    import fcntl

    with open(os.path.join(place, "lock"), "w") as file:
        # The system releases it however this process ends, also when it becomes the watcher.
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def file_of(project: Path) -> str:
    """Return the file of a project; empty if there is no place for it."""
    place = folder()
    name = hashlib.sha256(os.fsencode(project)).hexdigest()[:32]
    return os.path.join(place, f"{name}.json") if place else ""


def find_running(project: Path, version: str) -> Instance | None:
    """Return the server that shows a project; None if none answers, or if another program does."""
    path = file_of(project)
    if not path or not is_trusted(os.path.dirname(path)):
        return None
    try:
        found = Instance(**json.loads(Path(path).read_text("utf-8")))
        answer = ask(str(found.host), int(found.port))
    except (OSError, ValueError, TypeError):
        return None
    is_ours = answer is not None and version in ("", answer.version)
    if answer is None or not is_ours or str(project) not in answer.projects:
        return None
    return found


def remember(path: str, instance: Instance) -> None:
    """Write the file of a running server. Without it, a second command starts another server."""
    new = Path(f"{path}.{os.getpid()}.new")
    try:
        new.write_text(json.dumps(asdict(instance)) + "\n", "utf-8")
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)

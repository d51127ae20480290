"""Servers that run: a small file per project in the user's cache folder, and a lock for a start."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from leanspec_launcher import folders
from leanspec_launcher._say import say
from leanspec_launcher._search import is_trusted
from leanspec_launcher.verify.proof import make_private

from .listener import is_listening
from .port import ask

if TYPE_CHECKING:
    from filelock import FileLock

NAME = "ui"
# Seconds that a start waits for the start of another server, and between two looks.
LOCK_SECONDS, LOCK_POLL = 30.0, 0.05


@dataclass(frozen=True)
class Instance:
    """A running server: where it is, and what it shows."""

    url: str
    """The page of the project."""
    host: str
    port: int
    process: int
    project: str
    version: str
    readonly: bool


def folder() -> str:
    """Return the folder of these files, made if need be; empty if no folder is this user's alone."""
    stamps = folders.cache()
    place = os.path.join(os.path.dirname(stamps), NAME) if stamps else ""
    return place if place and make_private(place) else ""


def page(host: str, port: int, project: Path | None, version: str = "") -> str:
    """Return the URL of a project's pages, or of all projects; empty if the server does not show it.

    The bare address shows the first project of the registry, which may be any. Also empty if the
    server has another version than an expected one.
    """
    name = f"[{host}]" if ":" in host else host
    url = f"http://{name}:{port}/projects"
    if project is None:
        return url
    answer = ask(host, port)
    if answer is None or version not in ("", answer.version):
        return ""
    project_id = answer.project_id(project)
    return f"{url}/{quote(project_id, safe='')}" if project_id else ""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one process of this user start a server at a time: two would take the same port.

    Not on Windows, where the second one fails, and not if there is no place for the lock. Nothing
    that waits for somebody else belongs in here.
    """
    place = folder()
    if not place or sys.platform == "win32":
        yield
        return
    from filelock import FileLock  # 36 ms, which only the start of a server pays

    lock = FileLock(os.path.join(place, "lock"))
    try:
        _acquire(lock)
    except (OSError, NotImplementedError) as error:
        # NFS and sshfs may know no locks, and a read-only file system has no place for one.
        reason = getattr(error, "strerror", None) or error
        say(f"note: `{place}` cannot be locked: {reason}; a second start may fail")
    try:
        yield
    finally:
        lock.release(force=True)


def _acquire(lock: FileLock) -> None:
    """Take a lock; the system releases it however this process ends. Raises OSError if it does not."""
    from filelock import Timeout

    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("note: another server is being started: waiting for it")
        try:
            lock.acquire(timeout=LOCK_SECONDS, poll_interval=LOCK_POLL)
        except Timeout:
            raise TimeoutError("another start takes too long") from None


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
        instance = Instance(**json.loads(Path(path).read_text("utf-8")))
        host, port, process = str(instance.host), int(instance.port), int(instance.process)
        # The file may be that of a server that was killed, whose port is another user's now.
        is_ours = is_listening(process, port)
        url = page(host, port, project, version) if is_ours else ""
    except (OSError, ValueError, TypeError):
        return None
    return replace(instance, url=url) if url else None


def remember(path: str, instance: Instance) -> None:
    """Write the file of a running server. Without it, a second command starts another server."""
    new = Path(f"{path}.{os.getpid()}.new")
    try:
        new.write_text(json.dumps(asdict(instance)) + "\n", "utf-8")
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)

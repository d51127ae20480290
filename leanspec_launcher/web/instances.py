"""Servers that run: a small file per project in the user's cache folder, and a lock for a start."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO
from urllib.parse import quote

from leanspec_launcher._say import say
from leanspec_launcher._search import is_trusted, stamp_directory
from leanspec_launcher.verify.proof import make_private

from .listener import is_listening
from .port import ask

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
    stamps = stamp_directory()
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
    with contextlib.ExitStack() as stack:
        try:
            _lock(stack.enter_context(open(os.path.join(place, "lock"), "w")))
        except OSError as error:
            # NFS and sshfs may know no locks, and a read-only file system has no place for one.
            say(
                f"note: `{place}` cannot be locked: {error.strerror}; a second start may fail"
            )
        yield


def _lock(file: IO[str]) -> None:
    """Lock a file; the system releases it however this process ends. Raises OSError if it does not."""
    if sys.platform == "win32":
        return
    import fcntl

    deadline, is_first = time.monotonic() + LOCK_SECONDS, True
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise TimeoutError(error.errno, "another start takes too long") from None
        else:
            return
        if is_first:
            say("note: another server is being started: waiting for it")
            is_first = False
        time.sleep(LOCK_POLL)


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

"""Servers that run: a small file per project in the user's cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from leanspec_launcher import folders
from leanspec_launcher._pins import BINARIES
from leanspec_launcher._search import is_trusted
from leanspec_launcher.verify.proof import make_private

from .listener import is_listening
from .port import ask

NAME = "ui"


class Instance(NamedTuple):
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


def file_of(project: Path) -> str:
    """Return the file of a project; empty if there is no place for it."""
    place = folder()
    name = hashlib.sha256(os.fsencode(project)).hexdigest()[:32]
    return os.path.join(place, f"{name}.json") if place else ""


def find_running(project: Path) -> Instance | None:
    """Return the server that shows a project; None if none answers, or if another program does.

    The file of one that does not answer is removed.
    """
    path = file_of(project)
    if not path or not is_trusted(os.path.dirname(path)):
        return None
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, ValueError):
        return None
    instance = _answering(text, project)
    if instance is None:
        # Unless it names another server by now.
        with contextlib.suppress(OSError, ValueError):
            if Path(path).read_text("utf-8") == text:
                os.unlink(path)
    return instance


def _answering(text: str, project: Path) -> Instance | None:
    """Return the server that a file names, if it answers for a project."""
    try:
        instance = Instance(**json.loads(text))
        port = int(instance.port)
        # The file may be that of a server that was killed, whose port is another user's now.
        is_ours = is_listening(int(instance.process), port)
        url = page(str(instance.host), port, project, BINARIES) if is_ours else ""
    except (OSError, ValueError, TypeError):
        return None
    return instance._replace(url=url) if url else None


def record(path: str, instance: Instance) -> bool:
    """Write the file of a running server; return whether it is the only one of its project.

    A link fails if the name exists, so of several processes at once one succeeds. Without the
    file, a second command starts another server.
    """
    new = Path(f"{path}.{os.getpid()}.new")
    try:
        new.write_text(json.dumps(instance._asdict()) + "\n", "utf-8")
        os.link(new, path)
    except FileExistsError:
        return False
    except OSError:
        # A file system without links: the last one of several wins.
        with contextlib.suppress(OSError):
            new.replace(path)
    finally:
        with contextlib.suppress(OSError):
            new.unlink()
    return True

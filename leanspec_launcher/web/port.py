"""On which port the server listens, and who answers there."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any, NamedTuple

from leanspec_launcher.commands import CommandError

FIRST_PORT, TRIES = 3000, 100
HIGHEST = 65535
# Seconds for a whole answer, however slowly its bytes come.
ANSWER_SECONDS, STRANGER_SECONDS = 5.0, 1.0
LARGEST_ANSWER = 1 << 20
VARIABLE = "PORT"
ALLOWED = "access-control-allow-origin"
# An origin that no server of ours allows: whoever does, echoes what it is asked.
NO_ORIGIN = "http://echo.invalid"


class Answer(NamedTuple):
    """What a LeanSpec server says of itself."""

    version: str
    projects: dict[str, str]
    """The id of each project that it shows, by the project's folder."""

    def project_id(self, project: Path) -> str:
        """Return the id of a project; empty if the server does not show it."""
        if str(project) in self.projects:
            return self.projects[str(project)]
        # The server may write the same path in another way.
        same = (path for path in self.projects if _is_same(path, project))
        return self.projects.get(next(same, ""), "")


def _is_same(path: str, project: Path) -> bool:
    try:
        return os.path.samefile(path, project)
    except (OSError, ValueError):
        return False


def choose_port(host: str, option: int | None, configured: int | None) -> tuple[int, str]:
    """Return a free port, and why it is not the usual one; empty if it is.

    An explicit port, as an option or in `PORT`, must be free; otherwise the next 100 are tried.
    """
    try:
        _bind(host, 0)
    except OSError as error:
        raise CommandError(
            f"cannot listen on `{host}`: {error.strerror or error}",
            hint="name an address of this machine: `--host 127.0.0.1`",
        ) from None
    explicit = option if option is not None else _of_the_environment()
    if explicit is not None:
        _must_be_free(host, explicit, is_option=option is not None)
        return explicit, ""
    first = configured or FIRST_PORT
    for port in range(first, min(first + TRIES, HIGHEST + 1)):
        with contextlib.suppress(OSError):
            _bind(host, port)
            return port, f"port {first} is in use" if port != first else ""
    raise CommandError(
        f"no port from {first} to {first + TRIES - 1} is free",
        hint="name one: `--port PORT`",
    )


def _of_the_environment() -> int | None:
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    number = port_of(text)
    if number is None:
        raise CommandError(
            f"`{VARIABLE}` is `{text}`, not a port from 1 to {HIGHEST}",
            hint=f"`unset {VARIABLE}`, or name one with `--port PORT`",
        )
    return number


def port_of(text: str) -> int | None:
    """Return the port that a text names; None if it names none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(HIGHEST))
    return int(text) if is_number and 1 <= int(text) <= HIGHEST else None


def _must_be_free(host: str, port: int, *, is_option: bool) -> None:
    try:
        _bind(host, port)
    except PermissionError:
        option = "--port " if is_option else f"{VARIABLE}="
        raise CommandError(
            f"this user may not listen on port {port}",
            hint=f"name a port above 1023: `{option}{FIRST_PORT}`",
        ) from None
    except OSError as error:
        answer, user = ask(host, port, STRANGER_SECONDS), "another program"
        if answer:
            projects = ", ".join(f"`{path}`" for path in answer.projects) or "no project"
            user = f"LeanSpec {answer.version} with {projects}"
        raise CommandError(
            f"port {port} of `{host}` is in use by {user}: {error.strerror}",
            hint=f"name another port, or leave `{'--port' if is_option else VARIABLE}` out to get a free one",
        ) from None


def _bind(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    )[0]
    with socket.socket(family, kind, protocol) as server:
        # As the server does on POSIX: a port whose last connections are not forgotten is free. On
        # Windows, the option would take a port that another program listens on.
        if os.name != "nt":
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen()


def ask(host: str, port: int, seconds: float = ANSWER_SECONDS) -> Answer | None:
    """Ask who listens on a port; None if it is no LeanSpec server, or nobody."""
    deadline = time.monotonic() + seconds
    try:
        _, health = _get(host, port, "/health", deadline)
        _, body = _get(host, port, "/api/projects", deadline)
        rows = body["projects"]
        projects = {str(project["path"]): str(project["id"]) for project in rows}
        return Answer(str(health["version"]), projects)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def health(host: str, port: int, origin: str) -> str:
    """Return the version of the server that allows an origin, and no other; empty if it is another."""
    deadline = time.monotonic() + STRANGER_SECONDS
    try:
        echo, _ = _get(host, port, "/health", deadline, NO_ORIGIN)
        head, body = _get(host, port, "/health", deadline, origin)
        version = str(body["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    is_ours = _allows(head, origin) and not _allows(echo, NO_ORIGIN)
    return version if is_ours else ""


def _allows(head: str, origin: str) -> bool:
    return f"{ALLOWED}: {origin}" in head.lower().splitlines()


def _get(
    host: str, port: int, path: str, deadline: float, origin: str = ""
) -> tuple[str, Any]:
    """Return the head and the JSON that a server answers with, to a page of an origin if one is given.

    Raises OSError or ValueError if it does not, or not until the deadline. Without http.client, whose
    import takes a fifth of the time to a healthy server. No proxy of the environment has a part in
    this.
    """
    # In HTTP/1.0, the answer ends with the connection, and is in one piece.
    lines = [f"GET {path} HTTP/1.0", f"Host: {host}:{port}"]
    if origin:
        lines.append(f"Origin: {origin}")
    request = "\r\n".join([*lines, "", ""])
    data = b""
    with socket.create_connection((connectable(host), port), _left(deadline)) as connection:
        connection.sendall(request.encode())
        while len(data) < LARGEST_ANSWER and (part := connection.recv(1 << 16)):
            data += part
            connection.settimeout(_left(deadline))
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), json.loads(body)


def _left(deadline: float) -> float:
    """Return the seconds until a deadline. Raises OSError if there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def connectable(host: str) -> str:
    """Return an address under which a server that listens on `host` can be reached."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what to leave out

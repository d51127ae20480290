"""A real index server on loopback, for rehearsals: users, tokens, JSON and HTML, no file ever replaced."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from leanspec_launcher.commands import CommandError
from scripts.tools.console import step
from scripts.tools.loopback import free_port
from scripts.tools.processes import capture, clean_environment, must_succeed, own_program

USER = "rehearsal"
SECONDS = 60


@dataclass
class Devpi:
    """A running server: where it is, and a token of its user."""

    url: str
    folder: Path
    port: int
    token: str = field(default="", repr=False)
    process: subprocess.Popen[bytes] | None = None

    def request(self, method: str, path: str, **settings: Any) -> requests.Response:  # noqa: ANN401
        """Ask the server as its user."""
        session = requests.Session()
        session.trust_env = False
        auth = (USER, self.token) if self.token else None
        headers = {"Accept": "application/json"}
        own: dict[str, Any] = {"auth": auth, "headers": headers, "timeout": SECONDS}
        answer = session.request(method, f"{self.url}{path}", **own, **settings)
        if answer.status_code >= 400:  # noqa: PLR2004 - HTTP
            raise CommandError(
                f"devpi answers {answer.status_code} to {method} {path}: {answer.text[:200]}"
            )
        return answer

    def make_index(self, name: str, *bases: str) -> str:
        """Make an index on which no file can be replaced; return its URL, which is where it takes uploads."""
        settings = {"type": "stage", "volatile": "False", "bases": ",".join(bases)}
        self.request("PUT", f"/{USER}/{name}", json=settings)
        return f"{self.url}/{USER}/{name}/"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [
            sys.executable,
            "-W",
            "ignore",
            own_program("devpi-server"),
            "--serverdir",
            str(self.folder),
        ]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--threads", "10"]
        # The key of the tokens is derived at every start, for ten seconds. It protects nothing here.
        for cost in ("time-cost=1", "memory-cost=8", "parallelism=1"):
            command.append(f"--argon2-{cost}")
        with (self.folder.parent / "devpi.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(requests.RequestException, CommandError):
                self.request("GET", "/+api")
                return
            time.sleep(0.2)
        raise CommandError("devpi-server did not start", hint=f"see {log.name}")

    def stop(self) -> None:
        """End the server that `start` started."""
        if self.process:
            self.process.terminate()
            self.process.wait(SECONDS)
            self.process = None


@contextlib.contextmanager
def devpi(folder: Path) -> Iterator[Devpi]:
    """Run a server with a user, and a token in the place of its password."""
    server_folder = folder / "devpi"
    port = free_port()
    server = Devpi(f"http://127.0.0.1:{port}", server_folder, port)
    with step("starting a real index server on loopback (devpi)"):
        init = [
            sys.executable,
            "-W",
            "ignore",
            own_program("devpi-init"),
            "--serverdir",
            str(server_folder),
        ]
        environment = clean_environment(PYTHONWARNINGS="ignore")
        must_succeed(capture([*init, "--no-root-pypi"], env=environment), "`devpi-init`")
        server.start()
    try:
        password = secrets.token_hex(16)
        server.request("PUT", f"/{USER}", json={"password": password})
        answer = server.request(
            "POST", "/+login", json={"user": USER, "password": password}
        ).json()
        server.token = answer["result"]["password"]
        yield server
    finally:
        server.stop()


def upload_foreign(server: Devpi, index: str, wheels: list[Path]) -> None:
    """Put what our wheels need into an index, with twine's own command."""
    secret = {
        "TWINE_USERNAME": USER,
        "TWINE_PASSWORD": server.token,
        "NO_PROXY": "127.0.0.1",
    }
    command = [
        own_program("twine"),
        "upload",
        "--disable-progress-bar",
        "--non-interactive",
        "--repository-url",
        index,
    ]
    done = capture([*command, *map(str, wheels)], env=dict(os.environ) | secret)
    must_succeed(done, "`twine upload`")

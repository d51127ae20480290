"""A real index server on loopback (devpi): users, tokens, JSON and HTML, no file ever replaced."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from scripts.tools.loopback import free_port
from scripts.tools.processes import clean_environment, own_program
from tests.support.programs import install_programs
from tests.support.surroundings import run

USER = "rehearsal"
SECONDS = 60
# The key of the tokens is derived at every start, for ten seconds. It protects nothing here.
QUICK = ("--argon2-time-cost=1", "--argon2-memory-cost=8", "--argon2-parallelism=1")


@dataclass
class Devpi:
    """A running server, with a token of its user."""

    url: str
    token: str = field(default="", repr=False)

    def request(self, method: str, path: str, **settings: Any) -> requests.Response:  # noqa: ANN401
        """Send a request as the server's user."""
        session = requests.Session()
        session.trust_env = False
        session.auth = (USER, self.token) if self.token else None
        session.headers["Accept"] = "application/json"
        url = f"{self.url}{path}"
        answer = session.request(method, url, timeout=SECONDS, **settings)
        answer.raise_for_status()
        return answer

    def make_index(self, name: str, *bases: str) -> str:
        """Make an index on which no file can be replaced; return its URL, which takes uploads."""
        settings = {"type": "stage", "volatile": "False", "bases": ",".join(bases)}
        self.request("PUT", f"/{USER}/{name}", json=settings)
        return f"{self.url}/{USER}/{name}/"

    def upload(self, index: str, *wheels: Path) -> None:
        """Upload wheels of other projects with twine's own command."""
        options = ("--disable-progress-bar", "--non-interactive", "--repository-url", index)
        env = clean_environment(
            TWINE_USERNAME=USER, TWINE_PASSWORD=self.token, NO_PROXY="127.0.0.1"
        )
        run([own_program("twine"), "upload", *options, *wheels], env)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Devpi]:
    """Run a server with a user, and a token in the place of its password."""
    programs = install_programs(folder)
    place, log = folder / "devpi", folder / "devpi.log"
    env = clean_environment(PYTHONWARNINGS="ignore")
    common = ["--serverdir", str(place)]
    run([programs / "devpi-init", "--no-root-pypi", *common], env)
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--threads", "10", *QUICK]
    command = [str(programs / "devpi-server"), *common, *options]
    server = Devpi(f"http://127.0.0.1:{port}")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        try:
            _wait(server, process, log)
            password = secrets.token_hex(16)
            account = {"user": USER, "password": password}
            server.request("PUT", f"/{USER}", json={"password": password})
            answer = server.request("POST", "/+login", json=account).json()
            server.token = answer["result"]["password"]
            yield server
        finally:
            process.terminate()


def _wait(server: Devpi, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.RequestException):
            server.request("GET", "/+api")
            return
        time.sleep(0.2)
    raise AssertionError(f"devpi-server did not start:\n{log.read_text()}")

"""`leanspec-ui` under test: an installation with pages and a server, and a running command."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from tests.support.site import Site
from tests.support.surroundings import run


@dataclass
class Web:
    """An installation with pages and a server, and a project."""

    site: Site
    project: Path

    @property
    def pages(self) -> Path:
        return self.site.root / "leanspec_ui_pages/pages"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", self.site.call("main", ".web"), *arguments]

    def run(
        self,
        *arguments: str,
        code: int = 1,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> CompletedProcess[str]:
        """Run the command to its end."""
        command = self.command("--no-open", *arguments)
        env = self.site.env | (env or {})
        return run(command, env, code=code, cwd=cwd or self.project, timeout=30)

    def start(
        self,
        *arguments: str,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        **settings: Any,  # noqa: ANN401 - of `Popen`
    ) -> subprocess.Popen[str]:
        """Start the command; its output and messages can be read."""
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(
            self.command(*arguments),
            env=self.site.env | (env or {}),
            cwd=cwd or self.project,
            text=True,
            **(pipes | settings),
        )

    @contextlib.contextmanager
    def running(
        self, *arguments: str
    ) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
        """Run the command while the block does; give its process and what it printed."""
        with self.start("--no-open", "--json", *arguments, stderr=None) as process:
            try:
                yield process, first_line(process)
            finally:
                process.kill()

    def log(self) -> str:
        (path,) = Path(self.site.env["HOME"], ".cache/lean-spec/ui").glob("*.log")
        return path.read_text()


def first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a command prints when its server is ready; fail if it prints nothing."""
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], 30)
    assert ready, "it printed nothing within 30 s"
    instance: dict[str, Any] = json.loads(process.stdout.readline())
    return instance


def base(instance: dict[str, Any]) -> str:
    """Return the address of a server, without the page of its project."""
    return f"http://{instance['host']}:{instance['port']}/"


def open_url(url: str) -> HTTPResponse:
    """Ask a server on loopback, past any proxy of the environment."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = HTTPConnection(host, timeout=20)
    connection.request("GET", f"/{path}")
    return connection.getresponse()


def wait_until_gone(process: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def wait_for(path: Path) -> str:
    """Return the text of a file, once it is there."""
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until, f"{path} is not there"
        time.sleep(0.05)
    return path.read_text()


def wait_until_it_watches(process: subprocess.Popen[str]) -> None:
    """Wait until a start has said all that it has to say."""
    if sys.platform != "linux":
        time.sleep(1)
        return
    until = time.monotonic() + 5
    while b"watch.py" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
        assert time.monotonic() < until


def stderr_of_a_start(web: Web, *arguments: str, **env: str) -> str:
    """Return what a start says on standard error until its server runs."""
    with web.start("--no-open", "--json", "--new", *arguments, env=env) as process:
        first_line(process)
        wait_until_it_watches(process)
        process.terminate()
        return process.communicate(timeout=20)[1]


def has_listener(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0

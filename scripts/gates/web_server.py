"""The web server of a release, on loopback for as long as a gate asks it something."""

import contextlib
import http.client
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.tools.loopback import free_port

HEALTH_SECONDS = 20


@contextlib.contextmanager
def web_server(
    command: Path, *options: str, folder: Path, env: Mapping[str, str]
) -> Iterator[int]:
    """Give the port of a web server that answers, until the block ends.

    Raises CommandError if it ends, or does not answer in time.
    """
    port = free_port()
    line = [str(command), "--no-open", "-p", str(port), *options]
    with subprocess.Popen(
        line,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait(process, port)
            yield port
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    hint = "see what it prints: run `leanspec-http --no-open` from the wheel"
    deadline = time.monotonic() + HEALTH_SECONDS
    while process.poll() is None:
        if time.monotonic() > deadline:
            text = f"the web server did not answer within {HEALTH_SECONDS} s"
            raise CommandError(text, hint=hint)
        try:
            ask(port, "/health")
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise CommandError(f"the web server ended with {process.returncode}", hint=hint)


def ask(port: int, path: str) -> tuple[int, str, bytes]:
    """Request a path of a server on loopback, past any proxy; return status, content type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HEALTH_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        content_type = answer.getheader("Content-Type") or ""
        return answer.status, content_type, answer.read()

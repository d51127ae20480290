"""An index with one fault: a proxy on loopback in front of a real one."""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from scripts.tools import loopback

HOP_BY_HOP = (
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-encoding",
    "content-length",
    "date",
    "server",
)
SECONDS = 60


@dataclass
class Exchange:
    """One request that came to the proxy, and how often its kind came before."""

    method: str
    path: str
    body: bytes
    uploads: int
    """How many uploads came before this one."""

    @property
    def is_upload(self) -> bool:
        """Tell whether it brings a file."""
        return self.method == "POST" and b'name=":action"' in self.body

    @property
    def file(self) -> str:
        """Return the name of the file that it brings, fetches or lists; empty if it does neither."""
        found = re.search(rb'filename="([^"]+)"', self.body) if self.is_upload else None
        return found[1].decode() if found else self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Reply:
    """An answer; no status means that the connection is cut."""

    status: int | None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Pass = Callable[[], Reply]
# What a fault does with a request: answer it by itself, pass it on, or change the answer.
Fault = Callable[[Exchange, Pass], Reply]


def cut() -> Reply:
    """Break the connection without a word."""
    return Reply(None)


@dataclass
class Proxy:
    """A running proxy and what it saw."""

    url: str
    log: list[Exchange]

    def uploaded(self) -> list[str]:
        """Return the files that were brought, in order."""
        return [each.file for each in self.log if each.is_upload]


@contextlib.contextmanager
def proxy(port: int, target: int, fault: Fault) -> Iterator[Proxy]:
    """Pass requests on to a server on loopback, with one fault."""
    server = _Server(port, target, fault)
    with loopback.running(server):
        yield Proxy(server.url.rstrip("/"), server.seen)


class _Server(loopback.Server):
    """The proxy itself: where it passes requests on to, its fault, and every request so far."""

    def __init__(self, port: int, target: int, fault: Fault) -> None:
        self.target = target
        self.fault = fault
        self.seen: list[Exchange] = []
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def note(self, method: str, path: str, body: bytes) -> Exchange:
        """Write a request down, with the number of uploads before it."""
        with self._lock:
            uploads = sum(each.is_upload for each in self.seen)
            exchange = Exchange(method, path, body, uploads)
            self.seen.append(exchange)
        return exchange

    def handle_error(self, *_: object) -> None:
        """Ignore broken connections: they are what is rehearsed."""


class _Handler(loopback.Silent):
    """One connection to the proxy."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        exchange = self.server.note(self.command, self.path, body)
        reply = self.server.fault(exchange, lambda: self._pass_on(body))
        if reply.status is None:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _pass_on(self, body: bytes) -> Reply:
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() != "accept-encoding"
        }
        # devpi then names this proxy in the addresses of files.
        headers["X-Outside-Url"] = f"http://127.0.0.1:{self.server.server_port}"
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.server.target, timeout=SECONDS
        )
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.read(), dict(answer.getheaders()))
        except OSError:
            return cut()
        finally:
            connection.close()

    do_GET = do_POST = do_PUT = do_HEAD = _handle


def none(_: Exchange, pass_on: Pass) -> Reply:
    """Pass everything on."""
    return pass_on()


def refusing(
    status: int,
    headers: dict[str, str] | None = None,
    *,
    first: int = 0,
    times: int = 10**6,
) -> Fault:
    """Answer some uploads with an error."""

    def fault(exchange: Exchange, pass_on: Pass) -> Reply:
        if exchange.is_upload and first <= exchange.uploads < first + times:
            return Reply(status, b"no", headers or {})
        return pass_on()

    return fault


def cutting(first: int, times: int, *, after_arrival: bool) -> Fault:
    """Cut the connection of some uploads, before or after the file arrived."""

    def fault(exchange: Exchange, pass_on: Pass) -> Reply:
        if exchange.is_upload and first <= exchange.uploads < first + times:
            if after_arrival:
                pass_on()
            return cut()
        return pass_on()

    return fault


def hiding(pattern: str, seconds: float) -> Fault:
    """Show nothing of a project for some time after the first upload."""
    since: list[float] = []

    def fault(exchange: Exchange, pass_on: Pass) -> Reply:
        if exchange.is_upload and not since:
            since.append(time.monotonic())
        hidden = since and time.monotonic() - since[0] < seconds
        if hidden and "+simple" in exchange.path and re.search(pattern, exchange.path):
            return Reply(404, b"not yet")
        return pass_on()

    return fault


def stale(seconds: float) -> Fault:
    """Show each project as it was at first, for some time after the first upload."""
    since: list[float] = []
    before: dict[str, Reply] = {}

    def fault(exchange: Exchange, pass_on: Pass) -> Reply:
        if exchange.is_upload and not since:
            since.append(time.monotonic())
        if "+simple" not in exchange.path or exchange.method != "GET":
            return pass_on()
        if exchange.path not in before:
            before[exchange.path] = pass_on()
        return (
            before[exchange.path]
            if not since or time.monotonic() - since[0] < seconds
            else pass_on()
        )

    return fault


def slow(seconds: float) -> Fault:
    """Answer everything late."""

    def fault(_: Exchange, pass_on: Pass) -> Reply:
        time.sleep(seconds)
        return pass_on()

    return fault


def falsifying(pattern: str) -> Fault:
    """Serve other bytes under a file's name."""

    def fault(exchange: Exchange, pass_on: Pass) -> Reply:
        reply = pass_on()
        if exchange.method == "GET" and re.search(
            pattern, exchange.path.rpartition("/")[2]
        ):
            return Reply(reply.status, reply.body[:-1] + b"x", reply.headers)
        return reply

    return fault


def down(first: int, seconds: float) -> Fault:
    """Answer nothing at all for some time, once so many uploads came."""
    since: list[float] = []

    def fault(exchange: Exchange, pass_on: Pass) -> Reply:
        if exchange.is_upload and exchange.uploads == first and not since:
            since.append(time.monotonic())
        if since and time.monotonic() - since[0] < seconds:
            return cut()
        return pass_on()

    return fault

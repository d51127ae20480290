"""Eras of the Model Context Protocol: asking a server for its version and tools, in the newest that it speaks.

A server of 2026-07-28 knows no handshake: it answers `server/discover`, and each request states its
version. An older one begins with `initialize`. Only its answer tells them apart (specification of
2026-07-28: Versioning, Backward Compatibility; Transports, stdio, Backward Compatibility).
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess  # noqa: TID251 - LeanSpec's own programs work in the user's folder
import threading
import time
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
# client -> the versions that it begins with, in this order: docs/decisions/0006-mcp-version.md. With
# a handshake, it takes whatever older version the server answers.
BEGINS_WITH = {
    "claude": (MODERN, LEGACY[0]),
    "codex": (LEGACY[1],),
    "copilot": (MODERN, LEGACY[0]),
    "gemini": (LEGACY[1],),
    "opencode": (LEGACY[0],),
    "qwen": (LEGACY[0],),
}
META = "io.modelcontextprotocol/"
UNSUPPORTED_VERSION = -32022
# A server that does not know `server/discover` may say nothing at all.
PROBE_SECONDS = 5
SECONDS = 10
MOST_BYTES = 4 << 20
MOST_PAGES = 20
MOST_WORDS = 200
FIRST, LISTING = 1, 2
IDENTITY = {"name": "leanspec-launcher", "version": "0"}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}

Message = dict[str, Any]


class ServerInfo(NamedTuple):
    """What a server says of itself."""

    name: str
    version: str
    protocols: tuple[str, ...]
    """The versions of the protocol that it answered in, newest first."""
    tools: list[Message]
    is_clean: bool
    """Whether it printed nothing but messages, and ended with its input."""


class Exchange(NamedTuple):
    """The answers of one process to some messages."""

    answers: dict[object, Message]
    is_clean: bool
    words: str
    """Its last line on standard error, or how long it was waited for."""

    def member(self, number: int, name: str) -> Message:
        """Return the `result` or `error` of a request; an empty one if there is none."""
        member = self.answers.get(number, {}).get(name)
        return member if isinstance(member, dict) else {}


class McpServer(NamedTuple):
    """A server to ask: its command, working directory and environment."""

    command: Sequence[str]
    folder: str | None
    env: Mapping[str, str] | None

    def exchange(
        self, messages: Sequence[Message], seconds: float | None = None
    ) -> Exchange:
        """Start the server, send it messages, and read until it has answered them and ended.

        Each exchange has a process of its own: a server that was asked in an era that it does not
        know may have ended, or wait for something else. Raises OSError if it cannot be started.
        """
        process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            return _exchange(process, messages, seconds or SECONDS)
        finally:
            process.kill()
            process.wait()


def ask(
    command: Sequence[str],
    folder: str | None = None,
    env: Mapping[str, str] | None = None,
    *,
    tools: bool = False,
    every: bool = False,
) -> ServerInfo:
    """Ask a server for its name and version, and for its tools if `tools` is true.

    The newest version of the protocol is tried first, and a handshake if the server does not know
    it, or if `every` is true. Raises OSError if the server cannot be started, or speaks neither.
    """
    server = McpServer(command, folder, env)
    probe = server.exchange([modern_request(FIRST, "server/discover")], PROBE_SECONDS)
    modern = _modern_server(server, probe, tools=tools)
    if modern and not every:
        return modern
    legacy, words = _legacy_server(server, tools=tools)
    if modern:
        protocols = (MODERN, *(legacy.protocols if legacy else ()))
        return modern._replace(protocols=protocols)
    if legacy is None:
        words = words or probe.words
        raise OSError(
            f"the server answered neither `server/discover` nor `initialize`{words}"
        )
    return legacy


def refusing_clients(clients: Iterable[str], protocols: Sequence[str]) -> Iterator[str]:
    """Yield the clients that would refuse a server of some versions. One that is not known is left out."""
    eras = {version == MODERN for version in protocols}
    for client in dict.fromkeys(clients):
        versions = BEGINS_WITH.get(client, ())
        if versions and not eras.intersection(version == MODERN for version in versions):
            yield client


def request(number: int, method: str, **params: object) -> Message:
    """Return a request as clients wrote it before 2026-07-28."""
    message: Message = {"jsonrpc": "2.0", "id": number, "method": method}
    return {**message, "params": params} if params else message


def modern_request(number: int, method: str, **params: object) -> Message:
    """Return a request of 2026-07-28, which states its version, its client and what that can do."""
    meta = {
        f"{META}protocolVersion": MODERN,
        f"{META}clientInfo": IDENTITY,
        f"{META}clientCapabilities": {},
    }
    return request(number, method, **params, _meta=meta)


def handshake(version: str = LEGACY[0]) -> Message:
    """Return the first message of a client before 2026-07-28."""
    client = {"capabilities": {}, "clientInfo": IDENTITY}
    return request(FIRST, "initialize", protocolVersion=version, **client)


def _modern_server(server: McpServer, probe: Exchange, *, tools: bool) -> ServerInfo | None:
    """Return what a server answers in 2026-07-28; None if it does not speak that, or does not say who it is.

    Raises OSError if it speaks only versions that nobody here knows.
    """
    result, error = probe.member(FIRST, "result"), probe.member(FIRST, "error")
    supported = result.get("supportedVersions")
    if error.get("code") == UNSUPPORTED_VERSION:
        data = error.get("data")
        supported = data.get("supported") if isinstance(data, dict) else None
    if not isinstance(supported, list) or not supported:
        return None
    if not {MODERN, *LEGACY}.intersection(map(str, supported)):
        versions = ", ".join(map(str, supported))
        raise OSError(
            f"the server speaks only MCP {versions}, which is newer than this launcher"
        )
    meta = result.get("_meta")
    about = meta.get(f"{META}serverInfo") if isinstance(meta, dict) else None
    info = _server_info(about, MODERN, probe)
    if MODERN not in supported or info is None:
        return None

    def page(**cursor: object) -> Exchange:
        return server.exchange([modern_request(LISTING, "tools/list", **cursor)])

    return _with_tools(info, page(), page) if tools else info


def _legacy_server(server: McpServer, *, tools: bool) -> tuple[ServerInfo | None, str]:
    """Return what a server answers to a handshake, or nothing and why: the newest version first.

    A server that does not know the version of a client answers with its own. One that refuses it
    instead is asked again, for an older one.
    """
    exchange = Exchange({}, is_clean=False, words="")
    for version in LEGACY:

        def page(version: str = version, **cursor: object) -> Exchange:
            listing = request(LISTING, "tools/list", **cursor)
            return server.exchange([handshake(version), INITIALIZED, listing])

        exchange = page() if tools else server.exchange([handshake(version)])
        result = exchange.member(FIRST, "result")
        protocol = str(result.get("protocolVersion", version))
        info = _server_info(result.get("serverInfo"), protocol, exchange)
        if info:
            return (_with_tools(info, exchange, page) if tools else info), ""
        if not exchange.member(FIRST, "error"):
            break
    return None, exchange.words


def _server_info(value: object, protocol: str, exchange: Exchange) -> ServerInfo | None:
    """Return a server by what it says of itself, if it states a version."""
    if not isinstance(value, dict) or not value.get("version"):
        return None
    return ServerInfo(
        name=str(value.get("name", "")),
        version=str(value["version"]),
        protocols=(protocol,),
        tools=[],
        is_clean=exchange.is_clean,
    )


def _with_tools(
    server: ServerInfo, exchange: Exchange, page: Callable[..., Exchange]
) -> ServerInfo:
    """Return a server with its tools; `exchange` has the first page of them, and `page` asks for another.

    Raises OSError if it does not list them.
    """
    tools: list[Message] = []
    for _ in range(MOST_PAGES):
        result = exchange.member(LISTING, "result")
        listed = result.get("tools")
        if not isinstance(listed, list) or not all(map(_is_tool, listed)):
            raise OSError(f"the server did not answer `tools/list`{exchange.words}")
        tools += listed
        if not result.get("nextCursor"):
            break
        exchange = page(cursor=result["nextCursor"])
    return server._replace(tools=tools, is_clean=exchange.is_clean)


def _is_tool(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str)


def _exchange(
    process: subprocess.Popen[bytes], messages: Sequence[Message], seconds: float
) -> Exchange:
    pipes = (process.stdin, process.stdout, process.stderr)
    stdin, stdout, stderr = cast("tuple[IO[bytes], IO[bytes], IO[bytes]]", pipes)
    deadline = time.monotonic() + seconds
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    errors: list[bytes] = []
    _read_in_background(stdout, lines.put)
    reader = _read_in_background(stderr, errors.append)
    data = "".join(f"{json.dumps(message)}\n" for message in messages).encode()
    with contextlib.suppress(OSError):  # the server has ended: its answers say why
        stdin.write(data)
        stdin.flush()
    # Only messages with a number are answered.
    numbers: set[object] = {message["id"] for message in messages if "id" in message}
    answers, is_clean = _read_answers(lines, deadline, numbers)
    with contextlib.suppress(OSError):
        stdin.close()
    # What it still says is not an answer, and a server whose input has ended has to end.
    _, is_end_clean = _read_answers(lines, deadline, None)
    if time.monotonic() < deadline:
        reader.join(1)
        text = b"".join(errors).decode(errors="replace").strip()
        words = "".join(f": {line[:MOST_WORDS]}" for line in text.splitlines()[-1:])
    else:
        words = f" within {seconds:g} s"
    return Exchange(answers, is_clean and is_end_clean, words)


def _read_answers(
    lines: queue.SimpleQueue[bytes], deadline: float, numbers: set[object] | None
) -> tuple[dict[object, Message], bool]:
    """Read until all requests are answered, or one is refused; with None, until the output ends.

    Return the answers, and whether nothing else but messages was read, in time.
    """
    answers: dict[object, Message] = {}
    is_clean = True
    while numbers is None or numbers - answers.keys():
        left = deadline - time.monotonic()
        try:
            line = lines.get(timeout=max(0, left))
        except queue.Empty:
            return answers, False
        if left < 0:
            return answers, False
        if not line:
            lines.put(line)
            break
        message = _message(line)
        is_clean = is_clean and bool(message)
        if numbers and message.get("id") in numbers:
            answers[message["id"]] = message
            if "error" in message:
                break
    return answers, is_clean


def _message(line: bytes) -> Message:
    """Return the message in a line; an empty one if it has none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _read_in_background(
    stream: IO[bytes], take: Callable[[bytes], object]
) -> threading.Thread:
    """Pass on the lines of a stream, and an empty one at its end, or when there are too many bytes."""

    def read() -> None:
        left = MOST_BYTES
        with stream:
            while left > 0 and (line := stream.readline(left)):
                left -= len(line)
                take(line)
        take(b"")

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread

"""Eras of MCP: servers of each, and what is no server at all, asked by the one module that knows them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leanspec_launcher import protocol
from leanspec_launcher.protocol import LEGACY, MODERN, ask, refusing_clients

# A server, as far as its table of answers says: method -> result or error. `{"exit": true}` ends it,
# `{"silence": true}` is no answer, and `{"text": "..."}` is printed as it stands.
SERVER = """
import json, os, sys, time

answers, log = json.loads(sys.argv[1]), open(sys.argv[2], "a")
log.write(f"start {os.getpid()}\\n")
for line in sys.stdin:
    message = json.loads(line)
    log.write(line)
    log.flush()
    if "id" not in message:
        continue
    key = message["method"]
    if key == "tools/list" and "_meta" not in message.get("params", {}):
        key = "tools/list, before"
    if cursor := message.get("params", {}).get("cursor"):
        key += f" from {cursor}"
    version = message.get("params", {}).get("protocolVersion")
    answer = answers.get(f"{key} {version}") or answers.get(key) or answers.get("*")
    if answer is None:
        answer = {"error": {"code": -32601, "message": "method not found"}}
    if "exit" in answer:
        sys.exit(answer["exit"])
    if "silence" not in answer:
        text = {"jsonrpc": "2.0", "id": message["id"], **answer}
        print(answer.get("text", json.dumps(text)), flush=True)
if answers.get("lingers"):
    time.sleep(60)
"""
IDENTITY = {"name": "leanspec-mcp", "version": "1.2.3"}
STAMP = {"io.modelcontextprotocol/serverInfo": IDENTITY}
TOOLS = [{"name": "one"}, {"name": "two"}]
DISCOVERED = {
    "result": {"resultType": "complete", "supportedVersions": [MODERN], "_meta": STAMP}
}
INITIALIZED = {"result": {"protocolVersion": LEGACY[-1], "serverInfo": IDENTITY}}
REFUSED = {
    "error": {"code": -32022, "message": "unsupported", "data": {"supported": [MODERN]}}
}
NEW = {
    "server/discover": DISCOVERED,
    "initialize": REFUSED,
    "tools/list": {"result": {"tools": TOOLS}},
}
OLD = {"initialize": INITIALIZED, "tools/list, before": {"result": {"tools": TOOLS}}}
Answers = dict[str, Any]
Serve = Callable[[Answers], list[str]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of what the servers were sent."""
    return tmp_path / "log"


@pytest.fixture
def serve(tmp_path: Path, log: Path) -> Serve:
    """Return the command of a server with these answers."""
    program = tmp_path / "server.py"
    program.write_text(SERVER)
    return lambda answers: [sys.executable, str(program), json.dumps(answers), str(log)]


def sent(log: Path) -> list[str]:
    """Return the methods that the servers were sent, and their starts."""
    lines = log.read_text().splitlines()
    return ["start" if line[0] == "s" else json.loads(line)["method"] for line in lines]


@pytest.mark.parametrize(
    ("answers", "protocols"),
    [
        pytest.param(NEW, (MODERN,), id="new"),
        pytest.param(OLD, (LEGACY[-1],), id="old"),
        pytest.param(OLD | NEW | {"initialize": INITIALIZED}, (MODERN, LEGACY[-1]), id="both"),
        pytest.param(OLD | {"server/discover": {"text": "not JSON"}}, (LEGACY[-1],), id="garbage"),
        pytest.param(OLD | {"server/discover": {"text": "[1]"}}, (LEGACY[-1],), id="a list"),
        pytest.param(
            OLD | {"server/discover": {"text": '{"jsonrpc": "2.0", "result": null}'}},
            (LEGACY[-1],),
            id="a result without id",
        ),
        pytest.param(OLD | {"server/discover": {"result": {}}}, (LEGACY[-1],), id="an empty result"),
        pytest.param(OLD | {"server/discover": {"error": 7}}, (LEGACY[-1],), id="a strange error"),
        pytest.param(OLD | {"server/discover": {"exit": 3}}, (LEGACY[-1],), id="an end"),
        pytest.param(OLD | {"server/discover": {"silence": True}}, (LEGACY[-1],), id="silence"),
        pytest.param(
            OLD
            | {"server/discover": {"error": REFUSED["error"] | {"data": {"supported": [*LEGACY]}}}},
            (LEGACY[-1],),
            id="an error that names older versions",
        ),
        pytest.param(
            OLD
            | {f"initialize {version}": REFUSED for version in LEGACY[:2]}
            | {"initialize": {"result": {"serverInfo": IDENTITY}}},
            (LEGACY[2],),
            id="a handshake in an older version alone",
        ),
    ],
)  # fmt: skip
def test_ask_finds_the_era_of_a_server(
    answers: Answers,
    protocols: tuple[str, ...],
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if answers.get("server/discover", {}).keys() & {"silence", "text"}:
        monkeypatch.setattr(protocol, "PROBE_SECONDS", 1)
    server = ask(serve(answers), tools=True, every=True)
    assert (server.name, server.version) == ("leanspec-mcp", "1.2.3")
    assert server.protocols == protocols
    assert server.tools == TOOLS


def test_ask_sends_the_newest_first_and_each_era_to_a_process_of_its_own(
    serve: Serve, log: Path
) -> None:
    ask(serve(NEW), tools=True)
    assert sent(log) == ["start", "server/discover", "start", "tools/list"]
    request = json.loads(log.read_text().splitlines()[1])
    meta = request["params"]["_meta"]
    # Both are required of each request (2026-07-28, Base Protocol, `_meta`).
    assert meta["io.modelcontextprotocol/protocolVersion"] == MODERN
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {}
    log.unlink()
    ask(serve(OLD), tools=True)
    handshake = ["initialize", "notifications/initialized", "tools/list"]
    assert sent(log) == ["start", "server/discover", "start", *handshake]


def test_ask_reads_every_page_of_tools(serve: Serve) -> None:
    pages = {
        "tools/list, before": {"result": {"tools": TOOLS[:1], "nextCursor": "b"}},
        "tools/list, before from b": {"result": {"tools": TOOLS[1:]}},
    }
    assert ask(serve(OLD | pages), tools=True).tools == TOOLS
    endless = {"result": {"tools": TOOLS, "nextCursor": "b"}}
    turns = dict.fromkeys(pages, endless)
    assert len(ask(serve(OLD | turns), tools=True).tools) == 2 * protocol.MOST_PAGES


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, "the server answered neither `server/discover` nor `initialize`"),
        (
            {"server/discover": {"error": REFUSED["error"] | {"data": {"supported": ["2030-01-01"]}}}},
            "the server speaks only MCP 2030-01-01, which is newer than this launcher",
        ),
        (OLD | {"tools/list, before": {"result": {"tools": [7]}}}, "did not answer `tools/list`"),
        (NEW | {"tools/list": {"silence": True}}, "did not answer `tools/list` within 1 s"),
        ({"*": {"silence": True}}, "nor `initialize` within 1 s"),
    ],
)  # fmt: skip
def test_ask_says_what_a_server_lacks(
    answers: Answers, words: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PROBE_SECONDS", "SECONDS"):
        monkeypatch.setattr(protocol, name, 1)
    with pytest.raises(OSError, match=words):
        ask(serve(answers), tools=True)


@pytest.mark.long
@pytest.mark.posix
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo too old >&2; exit 3", "nor `initialize`: too old"),
        ("exec yes", "nor `initialize` within 1 s"),
        ("exec sleep 20", "nor `initialize` within 1 s"),
        ("head -c 9000000 /dev/zero", "nor `initialize`"),
    ],
)
def test_ask_ends_in_time_whatever_the_program_does(
    script: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PROBE_SECONDS", "SECONDS"):
        monkeypatch.setattr(protocol, name, 1)
    started = time.monotonic()
    with pytest.raises(OSError, match=words):
        ask(["sh", "-c", script])
    assert time.monotonic() - started < 6


def test_ask_notes_other_words_and_a_server_that_stays(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(serve(OLD), tools=True).is_clean
    text = json.dumps({"jsonrpc": "2.0", "id": 1} | INITIALIZED)
    chatty = OLD | {"initialize": {"text": f"ready\n{text}"}}
    assert not ask(serve(chatty), tools=True).is_clean
    monkeypatch.setattr(protocol, "SECONDS", 1)
    monkeypatch.setattr(protocol, "PROBE_SECONDS", 1)
    assert not ask(serve(OLD | {"lingers": True}), tools=True).is_clean


def test_a_client_refuses_a_server_of_another_era_alone() -> None:
    clients = dict(protocol.BEGINS_WITH)
    assert [*refusing_clients(clients, LEGACY[-1:])] == [], "all of them fall back today"
    before = {name for name, versions in clients.items() if MODERN not in versions}
    assert before
    assert {*refusing_clients(clients, [MODERN])} == before
    assert [*refusing_clients(clients, [MODERN, LEGACY[0]])] == []
    assert [*refusing_clients(["nobody's", "codex", "codex"], [MODERN])] == ["codex"]

"""Choice of a port by `leanspec-ui`, and strangers that listen on one."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from leanspec_launcher.web.port import choose_port, health
from scripts.tools.loopback import Silent, free_port, serving
from tests.support.preconditions import missing, needs
from tests.support.surroundings import run
from tests.support.web import Web
from tests.support.web_server import SOURCE, program

if sys.platform == "win32":
    missing("POSIX", "signals, and programs that are scripts")

KILL = 9

ORIGIN = "http://0123456789abcdef.invalid"


def drip(listener: socket.socket) -> None:
    """Answer with one byte at a time, without end."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                while True:
                    connection.sendall(b"H")
                    time.sleep(0.05)


def test_slow_answer_of_another_program_is_cut_off(web: Web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        before = time.monotonic()
        refused = web.run("--port", str(listener.getsockname()[1]))
        assert "in use by another program" in refused.stderr
        assert time.monotonic() - before < 5
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("way", ["option", "variable"])
@needs("root", "setpriv", "ports for root alone")
def test_a_port_for_root_alone_is_refused_to_others(web: Web, way: str) -> None:
    # Root without the right to open such a port is like any user, and still owns its files.
    others = ["setpriv", "--bounding-set=-net_bind_service"]
    is_option = way == "option"
    arguments = ["--port", "80"] if is_option else []
    env = {} if is_option else {"PORT": "80"}
    name = "--port " if is_option else "PORT="
    command = [*others, *web.command("--no-open", *arguments)]
    refused = run(command, web.site.env | env, code=1, cwd=web.project)
    assert refused.stderr == (
        "error: this user may not listen on port 80\n"
        f"hint: name a port above 1023: `{name}3000`\n"
    )


def test_next_free_port_is_used(web: Web) -> None:
    port = free_port()
    settings = Path(web.site.env["HOME"], ".lean-spec/config.json")
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"server": {"port": port}, "ui": {"theme": "dark"}}))
    with web.running() as (_, instance):
        assert instance["port"] == port
        assert '"--theme", "dark"' in web.log()
        with web.running("--new") as (_, new):
            assert new["port"] > port


# When it runs for the first time, another server takes its port before it does.
TOO_LATE = r"""
import os, pathlib, socket, sys, time

port = int(sys.argv[sys.argv.index("--port") + 1])
stranger = pathlib.Path(os.environ["HOME"], "stranger")
if not stranger.exists():
    stranger.touch()
    pid = os.fork()
    if pid == 0:
        sys.argv[sys.argv.index("--cors-origins") + 1] = ORIGIN
    while pid and socket.socket().connect_ex(("127.0.0.1", port)):
        time.sleep(0.05)
    if pid:
        stranger.write_text(f"{pid} {port}")
        time.sleep(0.5)  # long enough to be asked whether it is healthy
"""

OWN_ORIGIN = 'sys.argv[sys.argv.index("--cors-origins") + 1]'


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param('"its own"', id="another origin"),
        # Only Linux tells who listens, and `ps` shows the origin to everybody.
        pytest.param(OWN_ORIGIN, marks=needs("Linux"), id="our origin"),
    ],
)
def test_another_users_server_is_not_taken_for_ours(web: Web, origin: str) -> None:
    settings = Path(web.site.env["HOME"], ".lean-spec/config.json")
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"server": {"port": free_port()}}))
    late = program(TOO_LATE.replace("ORIGIN", origin) + SOURCE)
    web.site.wheel("http", late)
    web.site.pin("http", late)
    with web.running() as (process, instance):
        words = Path(web.site.env["HOME"], "stranger").read_text().split()
        os.kill(int(words[0]), KILL)
        assert instance["port"] > int(words[1])
        assert process.poll() is None


@pytest.mark.parametrize(("allowed", "version"), [(ORIGIN, "9.9.9"), ("", "")])
def test_a_server_that_echoes_any_origin_is_not_ours(allowed: str, version: str) -> None:
    """Only Linux tells who listens on a port."""

    class Handler(Silent, http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header(
                "Access-Control-Allow-Origin", allowed or self.headers["Origin"]
            )
            self.end_headers()
            self.wfile.write(b'{"version": "9.9.9"}')

    with serving(Handler) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        assert health("127.0.0.1", port, ORIGIN) == version


def test_no_free_port_is_an_error_with_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leanspec_launcher.web.port.TRIES", 1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        with pytest.raises(
            CommandError, match=f"no port from {number} to {number} is free"
        ):
            choose_port("127.0.0.1", None, number)


def test_explicit_port_in_use_is_an_error_that_names_its_user(web: Web) -> None:
    with web.running() as (_, instance):
        port = str(instance["port"])
        message = web.run("--new", "--port", port).stderr
        assert "hint: name another port, or leave `--port` out" in message
        assert (
            f"port {port} of `127.0.0.1` is in use by LeanSpec 9.9.9 with `/first`, `{web.project}`"
            in message
        )
        message = web.run("--new", env={"PORT": port}).stderr
        assert f"error: port {port} of" in message
        assert "hint: name another port, or leave `PORT` out" in message
    with socket.create_server(("127.0.0.1", 0)) as other:
        used = other.getsockname()[1]
        assert "in use by another program" in web.run("--port", str(used)).stderr

"""`leanspec-ui`: which project, which port, which pages; how it ends, and what is wrong."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from platformdirs import user_cache_path

from leanspec_launcher.commands import CommandError
from leanspec_launcher.web.instances import folder
from leanspec_launcher.web.pages import tree_digest
from leanspec_launcher.web.port import choose_port, health
from scripts.tools.loopback import Silent, free_port, serving
from tests.support.modules import write_module
from tests.support.preconditions import missing, needs
from tests.support.site import Site, settle, stamps
from tests.support.surroundings import run
from tests.support.web_server import SOURCE, program

if sys.platform == "win32":
    missing("POSIX", "signals, and programs that are scripts")

KILL = 9
ORIGIN = "http://0123456789abcdef.invalid"
SPEC = "---\nstatus: planned\n---\n# First\n"


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
        done = run(
            command,
            self.site.env | (env or {}),
            code=code,
            cwd=cwd or self.project,
            timeout=30,
        )
        assert "Traceback" not in done.stderr
        return done

    @contextlib.contextmanager
    def running(
        self, *arguments: str
    ) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
        """Run the command while the block does; give its process and what it printed."""
        command = self.command("--no-open", "--json", *arguments)
        with subprocess.Popen(
            command, env=self.site.env, cwd=self.project, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process, first_line(process)
            finally:
                process.kill()

    def log(self) -> str:
        (path,) = Path(self.site.env["HOME"], ".cache/lean-spec/ui").glob("*.log")
        return path.read_text()


@pytest.fixture
def web(site: Site, tmp_path: Path) -> Web:
    made = Web(site, tmp_path / "a project's é")
    (made.project / "specs/001").mkdir(parents=True)
    (made.project / "specs/001/README.md").write_text(SPEC)
    (made.pages / "assets").mkdir(parents=True)
    (made.pages / "index.html").write_text("<!doctype html>")
    (made.pages / "assets/app.js").write_text("1")
    site.pages = tree_digest(str(made.pages))
    site.wheel("http", program())
    site.pin("http", program())
    return made


def first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a command prints when its server is ready; fail if it prints nothing."""
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], 30)
    assert ready, "it printed nothing within 30 s"
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


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


def test_it_shows_the_nearest_project_and_prints_one_line(web: Web) -> None:
    inside = web.project / "specs/001"
    command = web.command("--no-open", "--json")
    with subprocess.Popen(
        command, env=web.site.env, cwd=inside, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        try:
            assert said["project"] == str(web.project)
            assert said["url"] == f"http://127.0.0.1:{said['port']}/projects/a%20b"
            assert (said["version"], said["lean_spec"]) == ("9.9.9", "9.9.9")
            with open_url(base(said) + "health") as answer:
                assert json.load(answer) == {"version": "9.9.9"}
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert wait_until_gone(said["process"], 3)


def test_the_server_is_told_everything_and_reads_nothing_else(web: Web) -> None:
    web.site.env |= {
        "LEANSPEC_DEV_MODE": "0",
        "LEANSPEC_CONFIG": "/x",
        "LEANSPEC_CORS_ORIGINS": "*",
    }
    with web.running("--", "--verbose") as (_, said):
        log = web.log()
    arguments = json.loads(log.split("seen ")[1].partition("] [")[0] + "]")
    assert arguments == [
        *("--host", "127.0.0.1", "--port", str(said["port"])),
        *("--ui-dist", str(web.pages), "--cors-origins", own_origin(arguments)),
        *("--no-config", "--no-open"),
        *("--log-level", "warn", "--project", str(web.project), "--verbose"),
    ]
    assert log.rstrip().endswith("[]"), "no variable of ours is left"


def own_origin(arguments: list[str]) -> str:
    """Return the origin that the server got, which nobody can have or guess."""
    origin = arguments[arguments.index("--cors-origins") + 1]
    assert re.fullmatch(r"http://[0-9a-f]{32}\.invalid", origin)
    return origin


@pytest.mark.parametrize("has_tab", [False, True])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_both(web: Web, name: str, *, has_tab: bool) -> None:
    """The server itself waits for as long as a page has its stream of events open."""
    with web.running() as (process, said):
        opened = open_url(f"{base(said)}api/events/specs") if has_tab else None
        before = time.monotonic()
        process.send_signal(getattr(signal, name))
        assert process.wait(20) == 0
        assert time.monotonic() - before < 3
        assert wait_until_gone(said["process"], 0.5)
        if opened:
            opened.close()


def test_the_second_interrupt_does_not_wait(web: Web) -> None:
    with web.running() as (process, said):
        opened = open_url(f"{base(said)}api/events/specs")
        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert time.monotonic() - before < 0.9
        opened.close()


@needs("Linux")
def test_a_killed_parent_leaves_no_server(web: Web) -> None:
    with web.running() as (process, said):
        process.kill()
        process.wait()
        assert wait_until_gone(said["process"], 3)


def test_the_servers_own_end_is_handed_on(web: Web) -> None:
    with web.running() as (process, said):
        os.kill(said["process"], KILL)
        assert process.wait(20) == 128 + KILL


def wait_until_it_watches(process: subprocess.Popen[str]) -> None:
    """Wait until a start has said all that it has to say."""
    if sys.platform != "linux":
        time.sleep(1)
        return
    until = time.monotonic() + 5
    while b"watch.py" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
        assert time.monotonic() < until


@needs("Linux")
def test_the_parent_is_small(web: Web) -> None:
    with web.running() as (process, _):
        wait_until_it_watches(process)
        time.sleep(0.3)
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    assert memory < 14_000, "kB: it is a Python without a standard library"


def test_a_second_one_finds_the_first(web: Web) -> None:
    with web.running() as (_, said):
        port = str(free_port())
        again = web.run("--json", "--port", port, code=0)
        assert json.loads(again.stdout)["url"] == said["url"]
        note = (
            f"note: it runs on port {said['port']}, not {port}; `--new` starts another one"
        )
        assert note in again.stderr
        with web.running("--new") as (process, new):
            assert new["port"] != said["port"]
            process.terminate()
            assert process.wait(20) == 0
        again = web.run("--json", code=0)
        assert json.loads(again.stdout)["url"] == said["url"], "it is not forgotten"
        with web.running("--readonly") as (_, readonly):
            assert readonly["port"] != said["port"]


@pytest.mark.parametrize("state", ["nothing ran", "one was killed"])
def test_three_starts_at_once_share_one_server(web: Web, state: str) -> None:
    if state == "one was killed":
        with web.running() as (process, instance):
            process.kill()
            process.wait()
            assert wait_until_gone(instance["process"], 3)
    started = [
        subprocess.Popen(
            web.command("--no-open", "--json"),
            env=web.site.env,
            cwd=web.project,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    instances = [first_line(process) for process in started]
    assert len({(each["port"], each["process"]) for each in instances}) == 1
    until = time.monotonic() + 20
    while sum(each.poll() is not None for each in started) < 2:
        assert time.monotonic() < until, "two of them have nothing to wait for"
        time.sleep(0.05)
    for each in started:
        if each.poll() is None:
            each.terminate()
        assert each.wait(20) == 0
        if each.stdout:
            each.stdout.close()


def test_a_start_names_the_parts_of_the_pages_that_have_no_api(web: Web) -> None:
    paths = ["/api/sessions", "/api/sessions/x/stop", "/api/chat"]
    record = web.pages.parent / "pages.json"
    record.write_text(json.dumps({"missing-api": paths}))
    assert "no API yet for these parts of the pages: chat, sessions\n" in stderr_of_a_start(
        web
    )
    for text in ("[]", "{}", '{"missing-api": [1]}', '{"missing-api": ["x"]}', "{"):
        record.write_text(text)
        assert "no API" not in stderr_of_a_start(web)


def test_a_reader_that_is_gone_leaves_no_server(web: Web) -> None:
    command = ["/bin/sh", "-c", 'exec "$@" > /dev/full', "sh", *web.command("--no-open")]
    done = run(command, web.site.env, cwd=web.project, code=1, timeout=30)
    assert "error: no space left on device" in done.stderr
    (path,) = Path(web.site.env["HOME"], ".cache/lean-spec/ui").glob("*.json")
    assert wait_until_gone(json.loads(path.read_text())["process"], 3)


def test_what_was_running_is_not_believed(web: Web) -> None:
    """The file of a server that was killed with its parent is still there, its port a stranger's."""
    with web.running("--port", str(free_port())) as (process, said):
        process.kill()
        process.wait()
        assert wait_until_gone(said["process"], 3)
    options = {"--host": said["host"], "--port": str(said["port"]), "--cors-origins": "*"}
    options["--project"] = str(web.project)
    server = web.site.root / "leanspec_http_bin/bin/leanspec-http"
    command = [str(server), *(word for option in options.items() for word in option)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as stranger:
        while not is_taken(said["port"]):
            time.sleep(0.05)
        with web.running() as (_, again):
            assert again["process"] not in (said["process"], stranger.pid)
            assert again["port"] != said["port"]
        stranger.kill()


def is_taken(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGKILL of the server"])
def test_it_ends_though_its_parent_ignored_the_end_of_children(
    web: Web, signal_name: str
) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    with subprocess.Popen(
        web.command("--no-open", "--json"),
        env=web.site.env,
        cwd=web.project,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=ignore,  # noqa: PLW1509 - one thread
    ) as process:
        instance = first_line(process)
        if signal_name == "SIGTERM":
            process.terminate()
            assert process.wait(20) == 0
        else:
            os.kill(instance["process"], KILL)
            assert process.wait(20) == 128 + KILL


def test_the_address_comes_before_the_browser_which_keeps_nobody_waiting(
    web: Web, tmp_path: Path
) -> None:
    """A browser of the terminal runs until its user has seen enough: here, for as long as we do."""
    browser = tmp_path / "browser"
    code = 'echo "$1" > "$0.new"; mv "$0.new" "$0.url"; while kill -0 $PPID; do sleep 0.05; done; touch "$0.end"'
    browser.write_text(f"#!/bin/sh\n{code}\n")
    browser.chmod(0o755)
    env = web.site.env | {"DISPLAY": ":9", "BROWSER": f"{browser} %s", "CI": ""}
    with subprocess.Popen(
        web.command("--json"), env=env, cwd=web.project, stdout=subprocess.PIPE, text=True
    ) as process:
        instance = first_line(process)
        again = web.run("--json", code=0)
        assert json.loads(again.stdout)["process"] == instance["process"]
        assert wait_for(tmp_path / "browser.url") == f"{instance['url']}\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert wait_until_gone(instance["process"], 1)
    wait_for(tmp_path / "browser.end")


REFUSING = """
#include <errno.h>
int link(const char *old, const char *new) { errno = EPERM; return -1; }
"""


@needs("Linux", "cc")
def test_a_file_system_without_links_does_not_end_a_start(web: Web, tmp_path: Path) -> None:
    library = tmp_path / "refusing.so"
    source = tmp_path / "refusing.c"
    source.write_text(REFUSING)
    run(["cc", "-shared", "-fPIC", source, "-o", library], dict(os.environ))
    web.site.env["LD_PRELOAD"] = str(library)
    with web.running() as (_, instance):
        again = web.run("--json", code=0)
        assert json.loads(again.stdout)["url"] == instance["url"]
        folder = Path(web.site.env["HOME"], ".cache/lean-spec/ui")
        assert not [*folder.glob("*.new")]


def drip(listener: socket.socket) -> None:
    """Answer with one byte at a time, without end."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                while True:
                    connection.sendall(b"H")
                    time.sleep(0.05)


def test_a_server_that_drips_is_not_waited_for(web: Web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        before = time.monotonic()
        refused = web.run("--port", str(listener.getsockname()[1]))
        assert "in use by another program" in refused.stderr
        assert time.monotonic() - before < 5
        listener.shutdown(socket.SHUT_RDWR)


def test_the_next_free_port_is_taken(web: Web) -> None:
    port = free_port()
    settings = Path(web.site.env["HOME"], ".lean-spec/config.json")
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"server": {"port": port}, "ui": {"theme": "dark"}}))
    with web.running() as (_, said):
        assert said["port"] == port
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
    with web.running() as (process, said):
        words = Path(web.site.env["HOME"], "stranger").read_text().split()
        os.kill(int(words[0]), KILL)
        assert said["port"] > int(words[1])
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


def test_the_files_are_where_platformdirs_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert Path(folder()) == user_cache_path("lean-spec", appauthor=False) / "ui"


def test_without_a_free_port_the_tries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leanspec_launcher.web.port.TRIES", 1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        with pytest.raises(
            CommandError, match=f"no port from {number} to {number} is free"
        ):
            choose_port("127.0.0.1", None, number)


def test_a_port_that_was_asked_for_is_taken_or_an_error(web: Web) -> None:
    with web.running() as (_, said):
        port = str(said["port"])
        refused = web.run("--new", "--port", port).stderr
        assert "hint: name another port, or leave `--port` out" in refused
        assert (
            f"port {port} of `127.0.0.1` is in use by LeanSpec 9.9.9 with `/first`, `{web.project}`"
            in refused
        )
        refused = web.run("--new", env={"PORT": port}).stderr
        assert f"error: port {port} of" in refused
        assert "hint: name another port, or leave `PORT` out" in refused
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert "in use by another program" in web.run("--port", str(taken)).stderr


@pytest.mark.parametrize(
    ("arguments", "env", "code", "words"),
    [
        (["--port", "0"], {}, 2, "`0` is not a number from 1 to 65535"),
        (["--port", "70000"], {}, 2, "`70000` is not a number from 1 to 65535"),
        (["--port", "web"], {}, 2, "`web` is not a number from 1 to 65535"),
        (["--colour"], {}, 2, "no such option"),
        ([], {"PORT": "0"}, 1, "`PORT` is `0`, not a port from 1 to 65535"),
        ([], {"PORT": "web"}, 1, "`PORT` is `web`, not a port"),
        (
            [],
            {"LEANSPEC_API_KEY": "k"},
            1,
            "`LEANSPEC_API_KEY` is set, and the pages send no key",
        ),
        ([], {"LEANSPEC_UI_DIST": "/nowhere"}, 1, "which has no `index.html`"),
        ([], {"LEANSPEC_UI_DIST": "here"}, 1, "a relative path"),
        (["--project", "/nowhere"], {}, 1, "`/nowhere` is not a folder"),
        (["--project", "/etc/passwd"], {}, 1, "`/etc/passwd` is not a folder"),
        (["--project", "/etc"], {}, 1, "there are no specs in `/etc`"),
        (["--specs-dir", "/etc"], {}, 1, "`/etc` is not called `specs`"),
        (["--host", "192.0.2.1"], {}, 1, "cannot listen on `192.0.2.1`: "),
    ],
)
def test_bad_input_gets_one_message(
    web: Web, arguments: list[str], env: dict[str, str], code: int, words: str
) -> None:
    said = web.run(*arguments, code=code, env=env).stderr
    assert words in said
    assert said.count("error: ") == said.count("hint: ") == 1


def test_without_a_project_it_says_where_it_looked(web: Web, tmp_path: Path) -> None:
    said = web.run(cwd=tmp_path).stderr
    assert f"there are no specs in `{tmp_path}` or above it" in said


def test_a_home_folder_with_specs_is_a_project(web: Web) -> None:
    home = Path(web.site.env["HOME"])
    (home / ".lean-spec").mkdir()
    assert f"there are no specs in `{home}` or above it" in web.run(cwd=home).stderr
    (home / "specs/001").mkdir(parents=True)
    output = web.run("--dry-run", cwd=home / "specs", code=0).stdout
    assert f"--project {home}\n" in output


def test_damaged_settings_are_named(web: Web) -> None:
    path = Path(web.site.env["HOME"], ".lean-spec/config.json")
    path.parent.mkdir(parents=True)
    for text in ("{broken", "[]", "\xff"):
        path.write_text(text, "latin-1")
        assert f"cannot read the settings in `{path}`" in web.run().stderr
    path.unlink()
    os.mkfifo(path)
    assert f"in `{path}`: it is not a regular file" in web.run().stderr


def test_pages_of_another_release_are_refused(web: Web) -> None:
    code = web.pages / "assets/app.js"
    code.write_text("2")
    said = web.run().stderr
    assert "are not those of this release: sha256 `" in said
    assert "hint: " in said
    code.unlink()
    assert "are not those of this release" in web.run().stderr
    code.write_text("1")
    (web.pages / "more.js").write_text("")
    assert "are not those of this release" in web.run().stderr
    (web.pages / "more.js").unlink()
    web.run("--dry-run", code=0)
    (web.pages / "linked").symlink_to(web.project)
    assert "cannot verify the pages in" in web.run("--dry-run").stderr


def test_pages_without_a_checksum_are_refused(web: Web) -> None:
    pins = web.site.root / "leanspec_launcher/_pins.py"
    text = re.sub(r"(?m)^PAGES = .*", 'PAGES = ""', pins.read_text("utf-8"))
    write_module(pins, text)
    words = "this lean-spec has no checksum for the pages of the web UI"
    assert f"error: {words}\nhint: install a release" in web.run().stderr


def test_a_changed_server_is_refused(web: Web) -> None:
    server = web.site.root / "leanspec_http_bin/bin/leanspec-http"
    server.write_bytes(server.read_bytes() + b"\n")
    result = web.run()
    assert "error: refusing to run the web server: " in result.stderr
    assert "`leanspec-launcher which http` shows why, and what to type" in result.stderr


def test_missing_pages_and_a_missing_server_are_named(web: Web) -> None:
    (web.site.root / "leanspec_http_bin/bin/leanspec-http").unlink()
    assert "no `leanspec-http` is installed" in web.run().stderr
    web.pages.rename(web.pages.with_name("gone"))
    assert "the pages of the web UI are not installed" in web.run().stderr


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "raise SystemExit('no room here')",
            "the server ended with exit code 1\n  no room here",
        ),
        (SOURCE.replace('"9.9.9"', '"9.9.8"'), "answers as version 9.9.8, expected 9.9.9"),
        (SOURCE.replace(", *shown]", "]"), "the server does not show `"),
    ],
)
def test_a_server_that_does_not_answer_or_is_another_is_ended(
    web: Web, source: str, words: str
) -> None:
    web.site.wheel("http", program(source))
    web.site.pin("http", program(source))
    assert words in web.run().stderr


def test_pages_are_hashed_once_for_each_of_their_states(web: Web) -> None:
    settle(web.pages / "assets/app.js")
    web.run("--dry-run", code=0)
    assert any(name.endswith(web.site.pages) for name in stamps(web.site))
    # Nothing but a change of the files asks for another look.
    digest = web.site.root / "leanspec_launcher/web/pages.py"
    text = digest.read_text()
    raising = "def tree_digest(*_): raise OSError\ndef x("
    write_module(digest, text.replace("def tree_digest(", raising))
    web.run("--dry-run", code=0)
    os.utime(web.pages / "index.html")
    assert "cannot verify the pages" in web.run("--dry-run").stderr


def test_another_host_makes_the_pages_read_only(web: Web) -> None:
    said = web.run("--dry-run", "--host", "0.0.0.0", code=0)  # noqa: S104 - nothing is started
    assert "--readonly" in said.stdout
    assert "--readonly" not in web.run("--dry-run", code=0).stdout


def stderr_of_a_start(web: Web, *arguments: str, **env: str) -> str:
    """Return what a start says on standard error until its server runs."""
    with subprocess.Popen(
        web.command("--no-open", "--json", "--new", *arguments),
        env=web.site.env | env,
        cwd=web.project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        first_line(process)
        wait_until_it_watches(process)
        process.terminate()
        return process.communicate(timeout=20)[1]


@needs("root")
def test_other_users_of_the_machine_are_a_note(web: Web, tmp_path: Path) -> None:
    homes = tmp_path / "homes"
    own, other = homes / "own", homes / "other"
    own.mkdir(parents=True)
    other.mkdir()
    note = "note: every user of this machine can read your files through this server"
    alone = stderr_of_a_start(web, HOME=str(own))
    os.chown(other, 12345, 12345)
    assert note in stderr_of_a_start(web, HOME=str(own))
    assert note not in stderr_of_a_start(web, "--quiet", HOME=str(own))
    readonly = stderr_of_a_start(web, "--readonly", HOME=str(own))
    assert note in readonly
    assert "change your specs" not in readonly
    assert note not in alone or any(Path("/home").iterdir())


def test_over_ssh_it_prints_the_tunnel(web: Web) -> None:
    env = {"SSH_CONNECTION": "10.0.0.1 5555 10.0.0.2 22", "USER": "me", "CI": ""}
    with subprocess.Popen(
        # A note would come first if another test had the usual port.
        web.command("--port", str(free_port())),
        env=web.site.env | env,
        cwd=web.project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith("LeanSpec: http://127.0.0.1:")
        # A note on other users comes first if the machine has any.
        notes = (line for line in process.stderr if "every user" not in line)
        assert "this is an SSH session" in next(notes)
        assert "`ssh -L " in next(notes)
        process.terminate()
        assert process.wait(20) == 0


def lean_spec(web: Web, *arguments: str, path: str, code: int = 0) -> CompletedProcess[str]:
    data = b'#!/bin/sh\necho the program: "$@"\n'
    web.site.wheel("cli", data)
    web.site.pin("cli", data)
    command = [sys.executable, "-c", web.site.call("cli"), "ui", *arguments]
    return run(command, web.site.env | {"PATH": path}, code=code, cwd=web.project)


def test_lean_spec_ui_shows_the_installed_pages(web: Web) -> None:
    said = lean_spec(web, "--dry-run", "-p", "4444", path="/usr/bin:/bin")
    assert "leanspec-http" in said.stdout
    assert "--port 4444" in said.stdout


def test_lean_spec_ui_asks_for_the_program_where_that_is_wanted(web: Web) -> None:
    path = "/usr/bin:/bin"
    assert lean_spec(web, "--dev", path=path).stdout == "the program: ui --dev\n"
    assert lean_spec(web, "--help", path=path).stdout == "the program: ui --help\n"
    web.site.env["LEANSPEC_NPM_UI"] = "1"
    by_variable = lean_spec(web, path=path)
    assert by_variable.stdout == "the program: ui\n"
    assert "downloads the newest `@leanspec/ui` with `npx`" in by_variable.stderr


def test_without_pages_nothing_is_fetched(web: Web, tmp_path: Path) -> None:
    """Whether npx is there or not."""
    web.pages.rename(web.pages.with_name("gone"))
    tools = tmp_path / "tools"
    tools.mkdir()
    for _ in range(2):
        said = lean_spec(web, path=f"{tools}:/bin", code=127)
        assert said.stdout == ""
        assert said.stderr.startswith(
            "error: the pages of the web UI are not installed\nhint: "
        )
        (tools / "npx").write_text("#!/bin/sh\necho npx\n")
        (tools / "npx").chmod(0o755)

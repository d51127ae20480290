"""Start, signals and end of `leanspec-ui` and its server, and the server that runs already."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from leanspec_launcher.web.instances import folder
from scripts.tools.loopback import free_port
from tests.support.preconditions import missing, needs
from tests.support.surroundings import run
from tests.support.web import (
    Web,
    base,
    first_line,
    has_listener,
    open_url,
    wait_for,
    wait_until_gone,
    wait_until_it_watches,
)

if sys.platform == "win32":
    missing("POSIX", "signals, and programs that are scripts")

KILL = 9


def test_leanspec_ui_shows_the_nearest_project_and_prints_one_line(web: Web) -> None:
    inside = web.project / "specs/001"
    with web.start("--no-open", "--json", cwd=inside, stderr=None) as process:
        assert process.stdout
        instance = json.loads(process.stdout.readline())
        try:
            assert instance["project"] == str(web.project)
            assert instance["url"] == f"http://127.0.0.1:{instance['port']}/projects/a%20b"
            assert (instance["version"], instance["lean_spec"]) == ("9.9.9", "9.9.9")
            with open_url(base(instance) + "health") as answer:
                assert json.load(answer) == {"version": "9.9.9"}
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert wait_until_gone(instance["process"], 3)


def test_server_gets_every_setting_as_an_option(web: Web) -> None:
    web.site.env |= {
        "LEANSPEC_DEV_MODE": "0",
        "LEANSPEC_CONFIG": "/x",
        "LEANSPEC_CORS_ORIGINS": "*",
    }
    with web.running("--", "--verbose") as (_, instance):
        log = web.log()
    arguments = json.loads(log.split("seen ")[1].partition("] [")[0] + "]")
    assert arguments == [
        *("--host", "127.0.0.1", "--port", str(instance["port"])),
        *("--ui-dist", str(web.pages), "--cors-origins", origin_of(arguments)),
        *("--no-config", "--no-open"),
        *("--log-level", "warn", "--project", str(web.project), "--verbose"),
    ]
    assert log.rstrip().endswith("[]"), "no variable of ours is left"


def origin_of(arguments: list[str]) -> str:
    """Return the origin that the server got, which nobody can have or guess."""
    origin = arguments[arguments.index("--cors-origins") + 1]
    assert re.fullmatch(r"http://[0-9a-f]{32}\.invalid", origin)
    return origin


@pytest.mark.parametrize("has_tab", [False, True])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_ends_the_command_and_its_server(
    web: Web, name: str, *, has_tab: bool
) -> None:
    """The server itself waits for as long as a page has its stream of events open."""
    with web.running() as (process, instance):
        opened = open_url(f"{base(instance)}api/events/specs") if has_tab else None
        before = time.monotonic()
        process.send_signal(getattr(signal, name))
        assert process.wait(20) == 0
        assert time.monotonic() - before < 3
        assert wait_until_gone(instance["process"], 0.5)
        if opened:
            opened.close()


def test_second_interrupt_kills_the_server_at_once(web: Web) -> None:
    with web.running() as (process, instance):
        opened = open_url(f"{base(instance)}api/events/specs")
        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert time.monotonic() - before < 0.9
        opened.close()


@needs("Linux")
def test_killed_command_leaves_no_server(web: Web) -> None:
    with web.running() as (process, instance):
        process.kill()
        process.wait()
        assert wait_until_gone(instance["process"], 3)


def test_command_ends_with_the_exit_code_of_its_server(web: Web) -> None:
    with web.running() as (process, instance):
        os.kill(instance["process"], KILL)
        assert process.wait(20) == 128 + KILL


@needs("Linux")
def test_watching_process_is_small(web: Web) -> None:
    with web.running() as (process, _):
        wait_until_it_watches(process)
        time.sleep(0.3)
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    assert memory < 14_000, "kB: it is a Python without a standard library"


def test_second_start_opens_the_running_server(web: Web) -> None:
    with web.running() as (_, instance):
        port = str(free_port())
        again = web.run("--json", "--port", port, code=0)
        assert json.loads(again.stdout)["url"] == instance["url"]
        note = f"note: it runs on port {instance['port']}, not {port}; `--new` starts another one"
        assert note in again.stderr
        with web.running("--new") as (process, new):
            assert new["port"] != instance["port"]
            process.terminate()
            assert process.wait(20) == 0
        again = web.run("--json", code=0)
        assert json.loads(again.stdout)["url"] == instance["url"], "it is not forgotten"
        with web.running("--readonly") as (_, readonly):
            assert readonly["port"] != instance["port"]


@pytest.mark.long
@pytest.mark.parametrize("state", ["nothing ran", "one was killed"])
def test_three_starts_at_once_share_one_server(web: Web, state: str) -> None:
    if state == "one was killed":
        with web.running() as (process, instance):
            process.kill()
            process.wait()
            assert wait_until_gone(instance["process"], 3)
    processes = [web.start("--no-open", "--json", stderr=None) for _ in range(3)]
    instances = [first_line(process) for process in processes]
    assert len({(instance["port"], instance["process"]) for instance in instances}) == 1
    until = time.monotonic() + 20
    while sum(process.poll() is not None for process in processes) < 2:
        assert time.monotonic() < until, "two of them have nothing to wait for"
        time.sleep(0.05)
    for process in processes:
        if process.poll() is None:
            process.terminate()
        assert process.wait(20) == 0
        if process.stdout:
            process.stdout.close()


def test_full_output_leaves_no_server(web: Web) -> None:
    command = ["/bin/sh", "-c", 'exec "$@" > /dev/full', "sh", *web.command("--no-open")]
    result = run(command, web.site.env, cwd=web.project, code=1, timeout=30)
    assert "error: no space left on device" in result.stderr
    (path,) = Path(web.site.env["HOME"], ".cache/lean-spec/ui").glob("*.json")
    assert wait_until_gone(json.loads(path.read_text())["process"], 3)


def test_file_of_a_killed_server_leads_to_no_stranger(web: Web) -> None:
    """The file of a server that was killed with its parent is still there, its port a stranger's."""
    with web.running("--port", str(free_port())) as (process, instance):
        process.kill()
        process.wait()
        assert wait_until_gone(instance["process"], 3)
    options = {
        "--host": instance["host"],
        "--port": str(instance["port"]),
        "--cors-origins": "*",
    }
    options["--project"] = str(web.project)
    server = web.site.root / "leanspec_http_bin/bin/leanspec-http"
    command = [str(server), *(word for option in options.items() for word in option)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as stranger:
        while not has_listener(instance["port"]):
            time.sleep(0.05)
        with web.running() as (_, again):
            assert again["process"] not in (instance["process"], stranger.pid)
            assert again["port"] != instance["port"]
        stranger.kill()


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGKILL of the server"])
def test_command_ends_though_its_parent_ignored_sigchld(web: Web, signal_name: str) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    with web.start("--no-open", "--json", stderr=None, preexec_fn=ignore) as process:
        instance = first_line(process)
        if signal_name == "SIGTERM":
            process.terminate()
            assert process.wait(20) == 0
        else:
            os.kill(instance["process"], KILL)
            assert process.wait(20) == 128 + KILL


def test_address_is_printed_before_the_browser_ends(web: Web, tmp_path: Path) -> None:
    """A browser of the terminal runs until its user has seen enough: here, for as long as we do."""
    browser = tmp_path / "browser"
    code = 'echo "$1" > "$0.new"; mv "$0.new" "$0.url"; while kill -0 $PPID; do sleep 0.05; done; touch "$0.end"'
    browser.write_text(f"#!/bin/sh\n{code}\n")
    browser.chmod(0o755)
    env = {"DISPLAY": ":9", "BROWSER": f"{browser} %s", "CI": ""}
    with web.start("--json", env=env, stderr=None) as process:
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
def test_start_needs_no_links_of_the_file_system(web: Web, tmp_path: Path) -> None:
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


def test_instance_files_are_in_the_cache_folder_of_platformdirs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert Path(folder()) == user_cache_path("lean-spec", appauthor=False) / "ui"

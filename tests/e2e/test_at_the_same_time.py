"""Many starts at once, and starts while an installer is at work."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from leanspec_launcher.protocol import handshake
from scripts.collect.reported import list_tools
from tests.support.installers import Installation, Lend, Pip, UvPip
from tests.support.surroundings import begin

AT_ONCE = 200


def test_200_first_starts_at_once_all_succeed(
    installed: Installation, version: str
) -> None:
    """No stamp is there yet; all of them run, and one stamp is left by those that come when the file has settled."""
    command = [str(installed.commands / "lean-spec"), "--version"]
    processes = [begin(command, installed.env) for _ in range(AT_ONCE)]
    ends = Counter(
        (process.communicate(timeout=120), process.returncode) for process in processes
    )
    assert ends == {((f"lean-spec {version}\n", ""), 0): AT_ONCE}
    age = time.time() - installed.binary().stat().st_ctime
    time.sleep(max(0, 3.2 - age))
    installed.start("lean-spec", "--version")
    stamps = installed.home / ".cache/lean-spec/verified"
    assert len(list(stamps.iterdir())) == 1


def test_a_start_during_a_reinstallation_runs_or_says_why_not(
    lend: Lend, version: str
) -> None:
    """Never another program, never a traceback."""
    installation = lend(Pip)
    stop = threading.Event()

    def reinstall() -> None:
        try:
            for _ in range(3):
                installation.reinstall("leanspec-cli-bin")
        finally:
            stop.set()

    worker = threading.Thread(target=reinstall)
    worker.start()
    ends: Counter[int] = Counter()
    while not stop.is_set():
        result = installation.start("lean-spec", "--version", code=None)
        ends[result.returncode] += 1
        if result.returncode == 0:
            assert (result.stdout, result.stderr) == (f"lean-spec {version}\n", "")
        else:
            assert result.returncode in (126, 127)
            assert result.stdout == ""
            assert result.stderr.startswith("error: ")
            assert result.stderr.splitlines()[-1].startswith("hint: ")
    worker.join()
    assert ends[0] > 0


def test_an_mcp_server_writes_nothing_but_json_and_ends_with_its_input_or_its_client(
    installed: Installation,
) -> None:
    for end in ("end of input", "kill"):
        with begin([installed.commands / "leanspec-mcp"], installed.env) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(handshake()) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["result"]["serverInfo"]["name"] == "leanspec-mcp"
            # The server is the process that the client started, and there is no other.
            assert Path(f"/proc/{process.pid}/exe").resolve().name == "leanspec-mcp"
            if end == "kill":
                process.kill()
            else:
                process.stdin.close()
            rest = process.stdout.read()
            assert process.wait(10) == (-9 if end == "kill" else 0)
            assert [json.loads(line) for line in rest.splitlines()] == []
        assert not Path(f"/proc/{process.pid}").exists()


@pytest.mark.slow
def test_a_server_outlives_a_hundred_upgrades(lend: Lend) -> None:
    """Its file is replaced and not written to, so the server that runs keeps its own."""
    installation = lend(UvPip)
    command = [str(installation.commands / "leanspec-mcp")]
    with begin(command, installation.env, stderr=None) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(100):
            installation.reinstall("leanspec-mcp-bin")
            process.stdin.write(json.dumps(handshake() | {"id": number}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(20) == 0
    assert list_tools(command, installation.packages, installation.env).tools

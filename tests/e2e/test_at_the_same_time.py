"""Many starts at once, and starts while an installer is at work."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from scripts.tools.mcp_session import list_tools
from scripts.tools.processes import own_program
from tests.support.installations import Source, by_pip, by_uv_pip
from tests.support.surroundings import run

AT_ONCE = 200
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "0"},
    },
}


def test_200_first_starts_at_once(
    own_install: Path, surroundings: dict[str, str], version: str
) -> None:
    """No stamp is there yet; all of them run, and one stamp is left by those that come when the file has settled."""
    command = [
        str(own_install / "bin/python"),
        str(own_install / "bin/lean-spec"),
        "--version",
    ]
    processes = [
        subprocess.Popen(
            command,
            env=surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(AT_ONCE)
    ]
    ends = Counter(
        (process.communicate(timeout=120), process.returncode) for process in processes
    )
    assert ends == {((f"lean-spec {version}\n", ""), 0): AT_ONCE}
    binary = next(
        own_install.glob("lib/python3.*/site-packages/leanspec_cli_bin/bin/leanspec")
    )
    time.sleep(max(0, 3.2 + binary.stat().st_ctime - time.time()))
    run(command, surroundings)
    assert (
        len(list((Path(surroundings["HOME"]) / ".cache/lean-spec/verified").iterdir())) == 1
    )


def test_a_start_while_the_wheel_is_installed_anew(source: Source, version: str) -> None:
    """Either it runs, or one message says why not; never another program, never a traceback."""
    made = by_pip(source)
    stop = threading.Event()
    again: list[str | Path] = [
        made.scripts / "python",
        "-m",
        "pip",
        "install",
        "--force-reinstall",
        "--no-deps",
        "leanspec-cli-bin",
    ]

    def install() -> None:
        for _ in range(3):
            run(again, made.env)
        stop.set()

    worker = threading.Thread(target=install)
    worker.start()
    ends: Counter[int] = Counter()
    while not stop.is_set():
        done = subprocess.run(
            [made.scripts / "lean-spec", "--version"],
            env=made.env,
            capture_output=True,
            text=True,
            check=False,
        )
        ends[done.returncode] += 1
        if done.returncode == 0:
            assert (done.stdout, done.stderr) == (f"lean-spec {version}\n", "")
        else:
            assert done.returncode in (126, 127)
            assert done.stdout == ""
            assert done.stderr.startswith("error: ")
            assert done.stderr.splitlines()[-1].startswith("hint: ")
            assert "Traceback" not in done.stderr
    worker.join()
    assert ends[0] > 0


def test_an_mcp_server_writes_nothing_but_json_and_ends_with_its_input_or_its_client(
    installed: Path, surroundings: dict[str, str]
) -> None:
    command = [str(installed / "bin/leanspec-mcp")]
    for how in ("end of input", "kill"):
        with subprocess.Popen(
            command,
            env=surroundings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(INITIALIZE) + "\n")
            process.stdin.flush()
            assert (
                json.loads(process.stdout.readline())["result"]["serverInfo"]["name"]
                == "leanspec-mcp"
            )
            # The server is the process that the client started, and there is no other.
            assert Path(f"/proc/{process.pid}/exe").resolve().name == "leanspec-mcp"
            if how == "kill":
                process.kill()
            else:
                process.stdin.close()
            rest = process.stdout.read()
            assert process.wait(10) == (-9 if how == "kill" else 0)
            assert [json.loads(line) for line in rest.splitlines()] == []
        assert not Path(f"/proc/{process.pid}").exists()


@pytest.mark.slow
def test_a_server_outlives_a_hundred_upgrades(source: Source) -> None:
    """Its file is replaced and not written to, so the server that runs keeps its own."""
    made = by_uv_pip(source)
    python = str(made.scripts / "python")
    again = [own_program("uv"), "pip", "install", "--python", python]
    again += ["--reinstall-package", "leanspec-mcp-bin", "--no-deps", "leanspec-mcp-bin"]
    with subprocess.Popen(
        [made.scripts / "leanspec-mcp"],
        env=made.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(100):
            run(again, made.env)
            process.stdin.write(json.dumps(INITIALIZE | {"id": number}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(20) == 0
    assert list_tools([str(made.scripts / "leanspec-mcp")], source.home, made.env)[1]

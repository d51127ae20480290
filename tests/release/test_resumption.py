"""A publish that is killed: the index serves nothing before what it requires, and the same command completes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.support.preconditions import missing
from tests.support.stage import Stage

if sys.platform == "win32":
    missing("POSIX", "publishers are killed by signals")

pytestmark = [pytest.mark.network, pytest.mark.slow]


def interrupt(
    stage: Stage, arguments: list[str], line: str, number: signal.Signals
) -> tuple[int, str]:
    """Send a signal to a publish and all that it started when it prints a line; return its end and its output.

    To the whole group, as a terminal and a dying machine do.
    """
    output = ""
    with subprocess.Popen(
        arguments,
        cwd=stage.tree,
        env=stage.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        assert process.stderr
        for text in process.stderr:
            output += text
            if line in text:
                os.killpg(process.pid, number)
                break
        output += process.stderr.read()
    assert line in output
    return process.returncode, output


def must_be_resumable(stage: Stage, url: str) -> None:
    stage.must_be_installable(url)
    stage.run(*stage.publish_checked(url))
    stage.must_be_complete(url)


def test_publish_killed_in_its_gates_uploads_nothing(stage: Stage, url: str) -> None:
    arguments = stage.command(*stage.publish(url))
    code, _ = interrupt(stage, arguments, "✓ ", signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert stage.served(url) == {}
    must_be_resumable(stage, url)


@pytest.mark.parametrize(
    "name", ["leanspec_", "lean_spec-"], ids=["platform wheels", "lean-spec"]
)
def test_publish_killed_during_an_upload_is_resumed(
    stage: Stage, url: str, name: str
) -> None:
    """While the first wave arrives, and while `lean-spec` does."""
    arguments = stage.command(*stage.publish_checked(url))
    code, _ = interrupt(stage, arguments, f"  uploaded {name}", signal.SIGKILL)
    assert code == -signal.SIGKILL
    must_be_resumable(stage, url)


def test_publish_interrupted_by_ctrl_c_is_resumed(stage: Stage, url: str) -> None:
    arguments = stage.command(*stage.publish_checked(url))
    stub = f"{stage.version}-py3-none-any.whl"
    code, output = interrupt(stage, arguments, stub, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in output
    must_be_resumable(stage, url)

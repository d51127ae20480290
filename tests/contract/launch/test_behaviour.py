"""A caller sees the same of a program through the launcher as of a direct start: streams, exit, signals, processes."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from io import BytesIO
from operator import attrgetter
from pathlib import Path
from typing import IO

import pytest

from tests.support.preconditions import missing

if sys.platform != "linux":
    missing("Linux", "the probe reads /proc")

import pty
import termios

from tests.support.probe import SECONDS, Launch, Start, end, exit_of, running, wait_until

MEGABYTE = 1 << 20
NAME = attrgetter("name")


def streams(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    """Return the standard streams of a process; one that is no pipe is an empty file."""
    return (
        process.stdin or BytesIO(),
        process.stdout or BytesIO(),
        process.stderr or BytesIO(),
    )


def test_launch_passes_the_end_of_standard_input(launch: Launch) -> None:
    launch.must_match(lambda start: start.run("count"))


def test_launch_passes_100_megabytes_through_a_pipe(launch: Launch) -> None:
    block = bytes(range(256)) * (MEGABYTE // 256)

    def observe(start: Start) -> str:
        with start.start("cat", stdin=subprocess.PIPE) as process:
            source, target, errors = streams(process)

            def feed() -> None:
                with source:
                    for _ in range(100):
                        source.write(block)

            feeder = threading.Thread(target=feed)
            feeder.start()
            digest, total = hashlib.sha256(), 0
            while data := target.read(MEGABYTE):
                digest.update(data)
                total += len(data)
            feeder.join()
            error = errors.read()
        return f"{exit_of(process.returncode)}\n{total} {digest.hexdigest()}\n{error!r}"

    launch.must_match(observe)


def test_launch_ends_like_the_program_when_its_reader_leaves(launch: Launch) -> None:
    """As `| head -1` does."""

    def observe(start: Start) -> str:
        with (
            Path("/dev/zero").open("rb") as zeros,
            start.start("cat", stdin=zeros) as process,
        ):
            _, target, errors = streams(process)
            target.read(1)
            target.close()
            error = errors.read()
        return f"{exit_of(process.returncode)}\n{error!r}"

    launch.must_match(observe, "killed by SIGPIPE")


def test_launch_hands_over_the_terminal(launch: Launch) -> None:
    """Its settings, its size, raw mode, and a key."""

    def observe(start: Start) -> str:
        main, side = pty.openpty()
        termios.tcsetwinsize(side, (33, 111))
        process = start.start(
            "tty", stdin=side, stdout=side, stderr=side, start_new_session=True
        )
        os.close(side)
        text = b""
        while b"raw" not in text:
            text += os.read(main, 1024)
        os.write(main, b"\x03")  # Ctrl-C is a key like any other now
        code = process.wait(SECONDS)
        while b"key" not in text:
            text += os.read(main, 1024)
        os.close(main)
        return f"{exit_of(code)}\n{text!r}"

    launch.must_match(observe)


@pytest.mark.parametrize("code", [0, 1, 2, 126, 127, 255])
def test_launch_returns_the_exit_code(launch: Launch, code: int) -> None:
    launch.must_match(lambda start: start.run("exit", str(code)), f"exit {code}")


def end_by(number: signal.Signals) -> Callable[[Start], str]:
    """Observe a program that ends itself by a signal."""
    return lambda start: start.run("kill", str(int(number)))


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGPIPE],
    ids=NAME,
)
def test_launch_ends_by_the_signal_of_the_program(
    launch: Launch, number: signal.Signals
) -> None:
    launch.must_match(end_by(number), f"killed by {number.name}")


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["process", "group"])
@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT, signal.SIGKILL],
    ids=NAME,
)
def test_launch_ends_by_a_signal_and_leaves_nothing(
    launch: Launch, number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    def observe(start: Start) -> str:
        process, _ = start.wait()
        send(process.pid, number)
        code = process.wait(SECONDS)
        wait_until(lambda: running(process.pid) == 0, 0.1)
        remaining = running(process.pid)
        end(process.pid)
        process.communicate()
        return f"{exit_of(code)}\nleft running: {remaining}"

    launch.must_match(observe, f"killed by {number.name}")


def test_launch_stops_and_continues(launch: Launch) -> None:
    """As by Ctrl-Z and `fg`."""

    def observe(start: Start) -> str:
        process, file = start.wait()
        states = []
        for number, is_in in (
            (signal.SIGTSTP, os.WIFSTOPPED),
            (signal.SIGCONT, os.WIFCONTINUED),
        ):
            os.kill(process.pid, number)
            _, status = os.waitpid(process.pid, os.WUNTRACED | os.WCONTINUED)
            states.append(f"{number.name} {is_in(status)}")
        line = f"signal {int(signal.SIGCONT)}\n"
        arrived = wait_until(lambda: line in file.read_text(), 3)
        process.terminate()
        code = process.wait(SECONDS)
        end(process.pid)
        process.communicate()
        return f"{states} {arrived}\n{exit_of(code)}"

    launch.must_match(observe, "['SIGTSTP True', 'SIGCONT True'] True")


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGWINCH], ids=NAME)
def test_launch_leaves_signals_to_the_program(
    launch: Launch, number: signal.Signals
) -> None:
    def observe(start: Start) -> str:
        process, file = start.wait()
        os.kill(process.pid, number)
        line = f"signal {int(number)}\n"
        arrived = wait_until(lambda: line in file.read_text(), 3)
        process.terminate()
        code = process.wait(SECONDS)
        end(process.pid)
        process.communicate()
        return f"arrived: {arrived}\n{exit_of(code)}"

    launch.must_match(observe, "arrived: True")


def resident(start: Start) -> str:
    """Observe the processes that exist while the program runs."""
    process, _ = start.wait()
    count = running(process.pid)
    end(process.pid)
    process.communicate()
    return f"processes: {count}"


def test_launch_leaves_no_process_next_to_the_program(launch: Launch) -> None:
    launch.must_match(resident, "processes: 1")


def test_comparison_notices_a_launcher_that_waits(launch: Launch) -> None:
    program = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    shim = (sys.executable, "-c", program, launch.binary)
    for observe in (end_by(signal.SIGTERM), resident):
        assert launch.observe(observe, *shim) != launch.observe(observe, launch.binary)
    code = launch.observe(lambda start: start.run("exit", "126"), *shim)
    assert code.startswith("exit 126\n")

"""The cases of the launch contract. Each records everything observable in one situation, as text."""

from __future__ import annotations

import hashlib
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from .observing import (
    SECONDS,
    Surroundings,
    ending,
    facts,
    family_of,
    left_running,
    wait_until,
    waiting,
)

if sys.platform == "win32":
    raise ImportError  # the package has refused before: this tells type checkers

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Case:
    """One situation: where it belongs, what it is called, and how it is observed."""

    area: str
    name: str
    observe: Callable[[Surroundings], str]
    unknowable: str = ""
    """Why no program written in Python can be the same here; empty where ours is."""


def arguments(*given: str | bytes) -> Callable[[Surroundings], str]:
    """Observe arguments."""
    return lambda surroundings: surroundings.see(*given)


def many(count: int) -> Callable[[Surroundings], str]:
    """Observe as many arguments."""
    return lambda surroundings: surroundings.run(
        *[f"{number:05}" for number in range(count)]
    )


def environment(**changes: str | None) -> Callable[[Surroundings], str]:
    """Observe a changed environment; None removes a variable."""

    def observe(surroundings: Surroundings) -> str:
        changed = {**surroundings.env, **changes}
        return surroundings.see(
            env={name: value for name, value in changed.items() if value is not None}
        )

    return observe


def bytes_of_environment(surroundings: Surroundings) -> str:
    """Observe names and values that are no text."""
    home = os.fsencode(surroundings.folder / "home")
    return surroundings.see(env={b"HOME": home, b"B\xff": b"\xfe\x80", b"EMPTY": b""})


def odd_environment(surroundings: Surroundings) -> str:
    """Observe an environment with a name twice, entries without `=` and an empty one."""
    file = surroundings.folder / "seen"
    command = [surroundings.probe, "odd", *surroundings.way.command, "see", str(file)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    process.wait(SECONDS)
    return f"{ending(process.returncode)}\n{facts(file, process.pid)}"


def legacy_locale(surroundings: Surroundings) -> str:
    """Observe arguments that the codec of an old locale cannot encode, though the system decodes them."""
    tool = shutil.which("localedef")
    if tool is None:
        return "no `localedef` here"
    name = "zh_CN.GBK"
    made = subprocess.run(
        [tool, "-c", "-f", "GBK", "-i", "zh_CN", str(surroundings.folder / name)],
        capture_output=True,
        check=False,
    )
    if not (surroundings.folder / name).exists():
        return f"no locale could be made: {made.returncode}"
    env = surroundings.env | {"LC_ALL": name, "LOCPATH": str(surroundings.folder)}
    return surroundings.see(b"\x80", b"\xc4\xe3\xba\xc3", env=env)


def closed(*descriptors: int) -> Callable[[Surroundings], str]:
    """Observe standard streams that are not open."""

    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    inherited: dict[str, None] = {"stdin": None, "stdout": None, "stderr": None}
    return lambda surroundings: surroundings.see(preexec_fn=close, **inherited)


def prepared(
    prepare: Callable[[], object], *, restore_signals: bool = True
) -> Callable[[Surroundings], str]:
    """Observe a process that was given something before the program started in it."""
    return lambda surroundings: surroundings.see(
        preexec_fn=prepare, restore_signals=restore_signals
    )


def descriptors(surroundings: Surroundings) -> str:
    """Observe open files, pipes and positions that are inherited."""
    with (
        (surroundings.folder / "open").open("w+b") as file,
        Path(os.devnull).open("rb") as other,
    ):
        file.write(b"12345")
        file.flush()
        return surroundings.see(pass_fds=(file.fileno(), other.fileno()), stdin=file)


def through_a_pipe(surroundings: Surroundings, size: int = 100 * MEGABYTE) -> str:
    """Observe what comes out when much goes through."""
    block = bytes(range(256)) * (MEGABYTE // 256)
    with surroundings.start("cat", stdin=subprocess.PIPE) as process:
        source, target, errors = streams(process)

        def feed() -> None:
            with source:
                for _ in range(size // MEGABYTE):
                    source.write(block)

        feeder = threading.Thread(target=feed)
        feeder.start()
        digest, total = hashlib.sha256(), 0
        while data := target.read(MEGABYTE):
            digest.update(data)
            total += len(data)
        feeder.join()
        error = errors.read()
    return f"{ending(process.returncode)}\n{total} {digest.hexdigest()}\n{error!r}"


def reader_leaves(surroundings: Surroundings) -> str:
    """Observe what `| head -1` does."""
    with (
        Path("/dev/zero").open("rb") as zeros,
        surroundings.start("cat", stdin=zeros) as process,
    ):
        _, target, errors = streams(process)
        target.read(1)
        target.close()
        error = errors.read()
    return f"{ending(process.returncode)}\n{error!r}"


def streams(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    """Return the standard streams of a process; one that is no pipe is an empty file."""
    return (
        process.stdin or BytesIO(),
        process.stdout or BytesIO(),
        process.stderr or BytesIO(),
    )


def terminal(surroundings: Surroundings) -> str:
    """Observe a terminal: its settings, its size, raw mode, and a key."""
    main, side = pty.openpty()
    termios.tcsetwinsize(side, (33, 111))
    process = surroundings.start(
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
    return f"{ending(code)}\n{text!r}"


def signalled(
    number: signal.Signals, *, to_group: bool = False
) -> Callable[[Surroundings], str]:
    """Observe the end by a signal to the process that was started, or to its group, and what it leaves behind."""

    def observe(surroundings: Surroundings) -> str:
        process, _ = waiting(surroundings, start_new_session=True)
        family = family_of(process.pid)
        kill = os.killpg if to_group else os.kill
        kill(process.pid, number)
        code = process.wait(SECONDS)
        time.sleep(0.1)
        left = left_running(family)
        process.communicate()
        running = "the program" if left else "nothing"
        return f"{ending(code)}\nleft running: {running}"

    return observe


def stopped(surroundings: Surroundings) -> str:
    """Observe a process that is stopped and continued, as Ctrl-Z and `fg` do."""
    # In a group of its own: the kernel drops SIGTSTP for a group that nobody in its session could
    # continue (an orphaned one), which that of a job without a terminal may be.
    process, file = waiting(surroundings, process_group=0)
    family = family_of(process.pid)
    seen = []
    for number, want in (
        (signal.SIGTSTP, os.WIFSTOPPED),
        (signal.SIGCONT, os.WIFCONTINUED),
    ):
        os.kill(process.pid, number)
        _, status = os.waitpid(process.pid, os.WUNTRACED | os.WCONTINUED)
        seen.append(f"{number.name} {want(status)}")
    told = wait_until(lambda: f"signal {int(signal.SIGCONT)}\n" in file.read_text(), 3)
    process.terminate()
    code = process.wait(SECONDS)
    left = left_running(family)
    process.communicate()
    return f"{seen}\nthe program heard of it: {told}\n{ending(code)}\nleft running: {bool(left)}"


def heard(number: signal.Signals) -> Callable[[Surroundings], str]:
    """Observe a signal that the program handles."""

    def observe(surroundings: Surroundings) -> str:
        process, file = waiting(surroundings)
        family = family_of(process.pid)
        os.kill(process.pid, number)
        came = wait_until(lambda: f"signal {int(number)}\n" in file.read_text(), 3)
        process.terminate()
        code = process.wait(SECONDS)
        left_running(family)
        process.communicate()
        return f"heard: {came}\n{ending(code)}"

    return observe


def deleted_directory(surroundings: Surroundings) -> str:
    """Observe a working directory that is gone."""
    folder = surroundings.folder / "gone"
    folder.mkdir()
    return surroundings.see(cwd=folder, preexec_fn=folder.rmdir)


def symlinked(surroundings: Surroundings) -> str:
    """Observe the command behind a symbolic link, as pipx makes them."""
    first, *rest = surroundings.way.command
    link = surroundings.folder / "link"
    link.symlink_to(first)
    way = type(surroundings.way)(surroundings.way.name, (str(link), *rest))
    seen = Surroundings(way, surroundings.folder, surroundings.probe).see()
    # The name by which a program is called is the caller's business.
    return "\n".join(
        line
        for line in seen.splitlines()
        if not line.startswith(("argument", "command-line", "name", "status Name"))
    )


def resident(surroundings: Surroundings) -> str:
    """Observe the processes that exist while the program runs."""
    process, _ = waiting(surroundings, start_new_session=True)
    count = sum(
        1
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _session(entry) == process.pid
    )
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return f"processes: {count}"


def _session(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[3])
    except (OSError, IndexError, ValueError):
        return -1


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, 1024))
    resource.setrlimit(resource.RLIMIT_STACK, (4 * MEGABYTE, 16 * MEGABYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (50, 60))


def _ignore(*numbers: signal.Signals) -> Callable[[], None]:
    def ignore() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    return ignore


def exits(*words: str) -> Callable[[Surroundings], str]:
    """Observe an end that the program chooses."""
    return lambda surroundings: surroundings.run(*words)


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGHUP, signal.SIGINT})


def _python(**values: str) -> dict[str, str]:
    return {f"PYTHON{name}": value for name, value in values.items()}


AREAS: dict[str, dict[str, Callable[[Surroundings], str]]] = {
    "arguments": {
        "none": arguments(),
        "spaces, quotes, newlines, an empty one": arguments(
            "a b", "'\"", "\n\t", "", "*", "$HOME"
        ),
        "dashes and `--`": arguments("-", "--", "-I", "-c", "--help", "-"),
        "bytes that are no text": arguments(
            b"\xff\xfe", b"\x80", "ü".encode(), b"\xed\xa0\x80"
        ),
        "bytes of an old locale": legacy_locale,
        "100,000 of them": many(100_000),
        "beyond the kernel's limit": many(1_000_000),
    },
    "environment": {
        "as it is": environment(),
        "1 MB in 100 variables": environment(
            **{f"LARGE_{number}": "x" * 10_000 for number in range(100)}
        ),
        "names and values that are no text": bytes_of_environment,
        "entries that no shell makes": odd_environment,
        "empty": lambda surroundings: surroundings.see(env={}),
        "no locale": environment(LANG=None),
        "LANG=C": environment(LANG="C"),
        "LC_ALL=C": environment(LC_ALL="C"),
        "LC_ALL=POSIX": environment(LC_ALL="POSIX"),
        "LC_CTYPE=C": environment(LC_CTYPE="C"),
        "LC_CTYPE=C, twice over": environment(LC_CTYPE="C", LANG="C", LC_ALL=""),
        "LC_CTYPE=C.UTF-8": environment(LC_CTYPE="C.UTF-8", LANG=None),
        "a locale that is not there": environment(LANG="xx_YY.UTF-8", LC_CTYPE="nowhere"),
        "PYTHONPATH and PYTHONSTARTUP": environment(
            **_python(PATH="/nowhere", STARTUP="/nowhere/startup.py")
        ),
        "PYTHONWARNINGS=error": environment(
            **_python(WARNINGS="error", WARNDEFAULTENCODING="1")
        ),
        "PYTHONDEVMODE, PYTHONFAULTHANDLER": environment(
            **_python(DEVMODE="1", FAULTHANDLER="1", TRACEMALLOC="5")
        ),
        "PYTHONUTF8=0, no coercion": environment(
            **_python(UTF8="0", COERCECLOCALE="0"), LC_ALL="C"
        ),
        "PYTHONOPTIMIZE, UNBUFFERED, SAFEPATH": environment(
            **_python(
                OPTIMIZE="2",
                UNBUFFERED="1",
                SAFEPATH="1",
                NOUSERSITE="1",
                INSPECT="1",
                DONTWRITEBYTECODE="1",
            )
        ),
    },
    "streams": {
        "standard input closed": closed(0),
        "standard output closed": closed(1),
        "all three closed": closed(0, 1, 2),
        "standard input at its end": lambda surroundings: surroundings.run("count"),
        "100 MB through a pipe": through_a_pipe,
        "`| head -1`": reader_leaves,
        "a terminal, raw mode, a key": terminal,
        "inherited files and their positions": descriptors,
    },
    "exit": {
        **{f"code {code}": exits("exit", str(code)) for code in (0, 1, 2, 126, 127, 255)},
        **{
            f"killed by {number.name}": exits("kill", str(int(number)))
            for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGPIPE)
        },
    },
    "signals": {
        "SIGINT to the group": signalled(signal.SIGINT, to_group=True),
        **{
            f"{number.name} to the process": signalled(number)
            for number in (
                signal.SIGTERM,
                signal.SIGHUP,
                signal.SIGQUIT,
                signal.SIGINT,
                signal.SIGKILL,
            )
        },
        "SIGTSTP and SIGCONT": stopped,
        "SIGUSR1, which the program handles": heard(signal.SIGUSR1),
        "SIGWINCH, which the program handles": heard(signal.SIGWINCH),
        "ignored SIGINT and SIGHUP (nohup)": prepared(
            _ignore(signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
        ),
        "a blocked mask": prepared(_block),
    },
    "process": {
        "limits": prepared(_limits),
        "umask 077": prepared(lambda: os.umask(0o077)),
        "nice 5": prepared(lambda: os.nice(5)),
        "a session of its own": lambda surroundings: surroundings.see(
            start_new_session=True
        ),
        "processes while it runs": resident,
    },
    "place": {
        "working directory deleted": deleted_directory,
        "symbolic link to the command": symlinked,
        "HOME unset": environment(HOME=None),
        "HOME not writable": environment(HOME="/proc"),
        "HOME relative": environment(HOME="home"),
    },
}
# Python ignores SIGPIPE before it runs a line, and nothing tells afterwards whether whoever started
# it did so too.
PIPE = "the interpreter ignores SIGPIPE at its start, and nothing says whether it was ignored before"
UNKNOWABLE = {
    "SIGPIPE ignored by whoever starts it": (
        prepared(_ignore(signal.SIGPIPE), restore_signals=False),
        PIPE,
    ),
    "PYTHONHOME of nowhere": (
        environment(PYTHONHOME="/nowhere"),
        "the interpreter ends before it runs a line; a linked command starts",
    ),
}


def all_cases() -> list[Case]:
    """Return every case, by area."""
    known = [
        Case(area, name, observe)
        for area, cases in AREAS.items()
        for name, observe in cases.items()
    ]
    return known + [
        Case("python", name, observe, why) for name, (observe, why) in UNKNOWABLE.items()
    ]

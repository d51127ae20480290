"""What the tests share: the real binaries of the release, its wheels, and clean environments."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leanspec_launcher._tables import current
from scripts.environment import ROOT, Group
from scripts.locked import EXACTLY
from scripts.tools.processes import OWN_COMMAND, clean_environment
from tests.support.pages import put_pages
from tests.support.releases import (
    REAL,
    STAND_IN,
    Scripts,
    build_small,
    copy_as_released,
    install,
)
from tests.support.surroundings import BASE_PYTHON, clean, is_root, once, run
from tests.support.versions import OURS, RELEASED

# What `lean-spec` needs is locked with the `build` group, for Python 3.11 and newer.
CLICK_FOR_PYTHON_3_9 = "click==8.1.8"


def pytest_configure() -> None:
    """Let Ctrl-C end the programs under test, also if these tests run in the background.

    A shell lets background jobs ignore it, and what is ignored stays so in every child.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Return what shares the tests out among processes."""
    from tests.support.scheduling import ByFixtures  # noqa: PLC0415 - xdist is not everywhere

    return ByFixtures(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, which would keep one process busy at the end.

    Skip what this system cannot run, with the reason.
    """
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    if sys.platform == "win32":
        reason = "needs POSIX: links, file modes, or scripts that are programs"
        for item in items:
            if item.get_closest_marker("posix"):
                item.add_marker(pytest.mark.skip(reason=reason))


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
    """Return the project at the version of the real binaries: this tree, a copy after a bump."""
    if OURS == RELEASED:
        return ROOT
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
        pytest.skip(f"npm has LeanSpec {version} for {', '.join(REAL)} alone")
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: the real binaries cannot be collected")

    def collect(folder: Path) -> None:
        scripts("collect", "npm", version, "--into", folder)
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
    folders = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64")
    if not any(Path(folder, "libssl.so.3").exists() for folder in folders):
        pytest.skip("this machine has no OpenSSL 3 to graft")

    def make(folder: Path) -> None:
        scripts("wheels", "--binaries", binaries, "--repair", "auditwheel", "--out", folder)

    return once(shared / "grafted", make)


@pytest.fixture(scope="session")
def small_dist(shared: Path, scripts: Scripts, version: str) -> Path:
    """Return the wheels of small programs that cargo builds for this machine, whatever it is."""
    folder = once(shared / "small", lambda folder: build_small(folder, scripts, version))
    return folder / "dist"


@pytest.fixture(scope="session")
def stand_in(shared: Path, scripts: Scripts, version: str) -> Path:
    """Return `binaries/` and `dist/` of a release of small programs that answer as LeanSpec's do.

    For tests of what is done to a release, which real programs of six megabytes would slow down.
    """
    return once(
        shared / "stand-in", lambda folder: build_small(folder, scripts, version, STAND_IN)
    )


@pytest.fixture(scope="session")
def wheelhouse(shared: Path) -> Path:
    """Return what our wheels and our backend need, for every Python, as it is locked."""

    def make(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        fetch: list[str | Path] = [*pip, "download", "--quiet", "--dest", folder]
        run([*fetch, *EXACTLY, "--requirement", Group.BUILD.lock], clean_environment())
        run([*fetch, "--no-deps", CLICK_FOR_PYTHON_3_9], clean_environment())
        build: list[str | Path] = [
            *pip,
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
        ]
        run([*build, "--wheel-dir", folder, ROOT / "build_backend"], clean_environment())

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


@pytest.fixture(scope="session")
def installed(shared: Path, dist: Path, wheelhouse: Path) -> Path:
    """Return an environment in which pip installed `lean-spec[ui]`; tests must leave it as it is."""
    return (
        once(
            shared / "installed",
            lambda folder: install(folder / "environment", dist, wheelhouse),
        )
        / "environment"
    )


@pytest.fixture
def own_install(tmp_path: Path, installed: Path) -> Path:
    """Return a copy of the installed environment that a test may damage."""
    shutil.copytree(installed, tmp_path / "environment", symlinks=True)
    return tmp_path / "environment"


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """Return a clean environment with an empty home."""
    return clean(tmp_path / "home")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 2 MB, which needs root for its mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not is_root():
        pytest.skip("only root can mount a small file system")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this system does not let a small file system be mounted")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)

"""What the tests share: the real binaries of the release, its wheels, and clean environments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from scripts.environment import ROOT, Group
from scripts.families import main_project
from scripts.locked import EXACTLY
from scripts.processes import clean_environment
from tests.surroundings import clean, make_venv, programs, run


# What `lean-spec` needs is locked with the `build` group, for Python 3.11 and newer.
CLICK_FOR_PYTHON_3_9 = "click==8.1.8"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Make a folder in one test process, and wait for it in the others."""
    done = folder.with_name(f"{folder.name}.done")
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def version() -> str:
    return str(main_project()["version"])


def command(
    *arguments: str | Path, code: int = 0, env: dict[str, str] | None = None, timeout: int = 300
) -> subprocess.CompletedProcess[str]:
    """Run a maintainers' command as a maintainer does, with the machine's own settings."""
    return run(
        [sys.executable, "-m", "scripts", *arguments], env or clean_environment(), cwd=ROOT, code=code, timeout=timeout
    )


def collect(folder: Path, version: str) -> None:
    """Collect the real binaries of a release from npm."""
    command("collect", "npm", version, "--into", folder)


def build(folder: Path, binaries: Path) -> None:
    """Build all wheels of collected binaries."""
    command("wheels", "--binaries", binaries, "--out", folder)


@pytest.fixture(scope="session")
def scripts() -> Callable[..., subprocess.CompletedProcess[str]]:
    return command


@pytest.fixture(scope="session")
def binaries(shared: Path, version: str) -> Path:
    """Return the real binaries of the release, collected from npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: the real binaries cannot be collected")
    return once(shared / "binaries", lambda folder: collect(folder, version))


@pytest.fixture(scope="session")
def dist(shared: Path, binaries: Path) -> Path:
    """Return the wheels of the real binaries."""
    return once(shared / "dist", lambda folder: build(folder, binaries))


@pytest.fixture(scope="session")
def wheelhouse(shared: Path) -> Path:
    """Return what our wheels and our backend need, for every Python, as it is locked."""

    def make(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        fetch = [*pip, "download", "--quiet", "--dest", folder]
        run([*fetch, *EXACTLY, "--requirement", Group.BUILD.lock], clean_environment())
        run([*fetch, "--no-deps", CLICK_FOR_PYTHON_3_9], clean_environment())
        build = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        run([*build, "--wheel-dir", folder, ROOT / "build_backend"], clean_environment())

    return once(shared / "wheelhouse", make)


@pytest.fixture(scope="session")
def pythons() -> dict[str, Path]:
    """Return every CPython of this machine that the launcher supports: version -> executable."""
    found = {"{}.{}".format(*sys.version_info[:2]): Path(sys.base_prefix) / "bin/python3"}
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for folder in sorted(versions.glob("3.*")):
        short = ".".join(folder.name.split(".")[:2])
        if int(short.split(".")[1]) >= 9 and (folder / "bin/python3").exists():
            found.setdefault(short, folder / "bin/python3")
    return found


@pytest.fixture(scope="session")
def installed(shared: Path, dist: Path, wheelhouse: Path) -> Path:
    """Return an environment in which pip installed `lean-spec[ui]`; tests must leave it as it is."""
    return once(shared / "installed", lambda folder: install(folder / "environment", dist, wheelhouse)) / "environment"


def install(environment: Path, dist: Path, wheelhouse: Path, *what: str, python: Path | None = None) -> None:
    """Make a virtual environment and let pip install into it, from files alone."""
    make_venv(environment, python or Path(sys.executable))
    links: list[str | Path] = ["--find-links", dist, "--find-links", wheelhouse]
    command = [programs(environment) / "python", "-m", "pip", "install", *links]
    run([*command, *(what or ["lean-spec[ui]"])], clean(environment.parent / "home"))


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
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this system does not let a small file system be mounted")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)

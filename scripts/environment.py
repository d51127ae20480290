"""The locked development environment: `.venv` in the checkout, from `dev.lock`, made once and reused.

Runs on the bare Python of a fresh machine: the standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
LOCK = ROOT / "dev.lock"
MARKER = FOLDER / "leanspec-development.txt"
# What is installed from the tree: a change in their metadata asks for a new installation.
LOCAL_PROJECTS = (ROOT / "build_backend", ROOT)


def is_active() -> bool:
    """Tell whether this process runs in the finished development environment."""
    return Path(sys.prefix).resolve() == FOLDER.resolve() and _is_current()


def enter(arguments: list[str]) -> NoReturn:
    """Make the environment where it is missing or out of date, and run `python -m scripts` in it."""
    if Path(sys.prefix).resolve() == FOLDER.resolve():
        # The environment is out of date and this process runs in it: the Python that it was made with makes it anew.
        _become([sys._base_executable, "-m", "scripts", *arguments])  # type: ignore[attr-defined] # noqa: SLF001
    try:
        with _lock():
            if not _is_current():
                _make()
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: the development environment is unfinished; the next run makes it anew")
    os.environ.pop("PYTHONPATH", None)  # a stranger's modules have no place in a locked environment
    _become([str(_python()), "-m", "scripts", *arguments])


def _become(command: list[str]) -> NoReturn:
    if os.name == "nt":
        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def _python() -> Path:
    return FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _is_current() -> bool:
    # Another Python of this machine may start the command: what it would make is as good as what is there.
    if not MARKER.is_file() or not _python().exists():
        return False
    said = dict(line.split(" ", 1) for line in MARKER.read_text("utf-8").splitlines())
    return said.get("state") == "finished" and said.get("made-from") == _made_from(said.get("python", ""))


def _made_from(python: str) -> str:
    """Identify what the environment is made from: the lock, our own projects' metadata, the Python, the place."""
    digest = hashlib.sha256(f"{python} {ROOT}".encode() + LOCK.read_bytes())
    for project in LOCAL_PROJECTS:
        table = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
        digest.update(repr((table["build-system"], table["project"])).encode())
    return digest.hexdigest()


def _make() -> None:
    if FOLDER.exists() and not MARKER.is_file():
        _fail(
            f"`{FOLDER}` is there but was not made by this command",
            "remove it or move it away, then try again",
        )
    started = time.monotonic()
    _say(f"making the development environment in {FOLDER.name} from {LOCK.name}; the next run reuses it")
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    python = "{}.{}".format(*sys.version_info[:2])
    try:
        FOLDER.mkdir()
        MARKER.write_text("state unfinished\n", "utf-8")
        venv.create(FOLDER, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as error:
        _fail(f"cannot make a virtual environment: {error}", "on Debian and Ubuntu: `apt install python3-venv`")
    count = sum(1 for line in LOCK.read_text("utf-8").splitlines() if "==" in line and not line.startswith("#"))
    _pip(f"installing {count} locked packages", "--require-hashes", "--requirement", str(LOCK))
    editable = [part for project in LOCAL_PROJECTS for part in ("--editable", str(project))]
    _pip(
        "installing lean-spec and leanspec-build from the tree",
        "--no-deps",
        "--no-build-isolation",
        *editable,
    )
    MARKER.write_text(f"state finished\npython {python}\nmade-from {_made_from(python)}\n", "utf-8")
    _say(f"the development environment is ready ({time.monotonic() - started:.0f} s)")


def _pip(title: str, *arguments: str) -> None:
    """Run `pip install`; show its last line while it works on a terminal, all of them when it fails."""
    command = [
        str(_python()),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--progress-bar=off",
        *arguments,
    ]
    _say(title)
    lines = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            lines.append(line)
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\033[K  {line.strip()[:70]}")
                sys.stderr.flush()
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    if process.returncode != 0:
        sys.stderr.write("".join(lines))
        _fail(
            "pip could not install the development environment: its own words stand above",
            "mend that and try again",
        )


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """Let one process make the environment; another that comes meanwhile waits and finds it made."""
    with (ROOT / ".venv.lock").open("w") as file:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - exists there only

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - exists elsewhere only

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _fail(message: str, hint: str) -> NoReturn:
    sys.exit(f"error: {message}\nhint: {hint}")

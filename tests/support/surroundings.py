"""Clean surroundings: an environment built from scratch, so that no setting of this machine helps or hinders."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from scripts.locked import Environment

# What this development environment was made with.
BASE_PYTHON = Path(sys._base_executable)  # type: ignore[attr-defined] # noqa: SLF001
# The system's own programs, without those of the Python that runs the tests.
PATH = "/usr/local/bin:/usr/bin:/bin"
SYSTEM = {"PATH": PATH, "LANG": "C.UTF-8"}
# How a program that a measured test starts is measured too; a start without `site` cannot be.
MEASURED = {
    name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS")
}
if sys.platform == "win32":
    # Without its root no program starts; without a home and UTF-8 it is another system.
    WINDOWS = os.environ.get("SYSTEMROOT", r"C:\Windows")
    SYSTEM = {"PATH": rf"{WINDOWS}\System32", "SYSTEMROOT": WINDOWS, "PYTHONUTF8": "1"}


def clean(home: Path, **additions: str) -> dict[str, str]:
    """Return an environment with a home of its own, in which no installer reaches an index."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "LOCALAPPDATA": str(home / "AppData/Local"),
        **SYSTEM,
        **MEASURED,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_CONFIG": "1",
        "UV_OFFLINE": "1",
        "UV_NO_INDEX": "1",
        "UV_CACHE_DIR": str(home / "uv-cache"),
        "UV_TOOL_DIR": str(home / "uv-tools"),
        "UV_TOOL_BIN_DIR": str(home / "uv-bin"),
        "PIPX_HOME": str(home / "pipx"),
        "PIPX_BIN_DIR": str(home / "pipx-bin"),
        **additions,
    }


def is_root() -> bool:
    """Tell whether this process may do everything."""
    if sys.platform == "win32":
        return False
    return os.geteuid() == 0


def shebang(python: Path | str = sys.executable, options: str = "") -> str:
    """Return the first lines of a Python script, as pip writes them.

    The system takes no interpreter whose path has a space: there, a shell starts it.
    """
    if " " not in str(python):
        return f"#!{python}{options}"
    return f"#!/bin/sh\n'''exec' \"{python}\"{options} \"$0\" \"$@\"\n' '''"


def programs(environment: Path) -> Path:
    """Return the folder of an environment's commands."""
    return Environment(environment).programs


def packages(environment: Path) -> Path:
    """Return the site-packages of an environment."""
    if os.name == "nt":
        return environment / "Lib/site-packages"
    return next(environment.glob("lib/python3.*/site-packages"))


def make_venv(folder: Path, python: Path = Path(sys.executable)) -> Path:
    """Make a virtual environment with the pip that its Python brings along.

    `python -m venv` installs pip each time, for five seconds: here that is done once per Python,
    and copied.
    """
    run([python, "-m", "venv", "--without-pip", folder], clean(folder.parent / "home"))
    shutil.copytree(
        _with_pip(python), packages(folder), copy_function=_link, dirs_exist_ok=True
    )
    return folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)  # pip replaces its files, and does not change them
    except OSError:
        shutil.copy2(source, target)


@functools.cache
def _with_pip(python: Path) -> Path:
    """Return the site-packages of a new environment, kept among the run's temporary files."""
    folder = Path(tempfile.mkdtemp(prefix="leanspec-venv-"))
    venv, env = folder / "venv", clean(folder / "home")
    ensurepip = "import ensurepip, os; print(os.path.dirname(ensurepip.__file__))"
    wheels = Path(run([python, "-c", ensurepip], env).stdout.strip(), "_bundled")
    bundled = next(wheels.glob("pip-*.whl"), None)
    if bundled is None:
        # Debian keeps the wheel elsewhere.
        run([python, "-m", "venv", venv], env)
        return packages(venv)
    run([python, "-m", "venv", "--without-pip", venv], env)
    with zipfile.ZipFile(bundled) as archive:
        archive.extractall(packages(venv))
    run([python, "-m", "compileall", "-q", packages(venv)], env)
    return packages(venv)


def run(
    command: Sequence[str | Path],
    env: dict[str, str],
    *,
    cwd: Path | None = None,
    text: str | None = None,
    code: int | None = 0,
    timeout: int = 300,
    traceback: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program; fail with its output if its exit code is not the expected one (None: any).

    Fails on a traceback of Python, too, unless a `traceback` is expected.
    """
    process = subprocess.run(
        [str(part) for part in command],
        env=env,
        cwd=cwd,
        input=text if text is not None else "",
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=timeout,
    )
    if code is not None and process.returncode != code:
        raise AssertionError(
            f"{' '.join(map(str, command))}: exit code {process.returncode}\n{process.stdout}\n{process.stderr}"
        )
    assert traceback or "Traceback" not in process.stderr, process.stderr
    return process


def begin(
    command: Sequence[str | Path],
    env: dict[str, str],
    **settings: Any,  # noqa: ANN401 - of `Popen`
) -> subprocess.Popen[str]:
    """Start a program; its streams are pipes, unless a setting says otherwise."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, env=env, text=True, **(pipes | settings))


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Make a folder in one test process, and wait for it in the others."""
    finished = folder.with_name(f"{folder.name}.done")
    with FileLock(f"{folder}.lock"):
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            finished.touch()
    return folder


IN_A_TERMINAL = """
import os, pty, sys
pid, terminal = pty.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:])
output = b""
try:
    while data := os.read(terminal, 10_000):
        output += data
except OSError:
    pass
os.waitpid(pid, 0)
sys.stdout.buffer.write(output)
"""


def run_in_a_terminal(command: Sequence[str], env: dict[str, str]) -> str:
    """Return what a program writes to a terminal of its own."""
    return run([sys.executable, "-c", IN_A_TERMINAL, *command], env).stdout


def as_nobody(root: Path, reached: Path, code: str, exit_code: int = 0) -> tuple[str, str]:
    """Run Python code as a user who may read all of a folder but one path; return the output."""
    for folder in (root, *root.parents):
        if folder.stat().st_uid == 0 and folder != Path("/tmp"):  # noqa: S108 - not to be changed
            folder.chmod(folder.stat().st_mode | 0o055)
    for path in root.rglob("*"):
        if path != reached:
            path.chmod(path.stat().st_mode | 0o055)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    command = [*user, "/usr/bin/python3", "-S", "-B", "-c", code]
    result = run(command, {"HOME": "/nonexistent"}, cwd=Path("/"), code=exit_code)
    return result.stdout, result.stderr

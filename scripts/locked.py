"""Install a lock file into a virtual environment: exactly what it lists, at those hashes.

Nothing is resolved, so nothing that was released since the lock was written can change the result.
Runs on the bare Python of a fresh machine: the standard library only. A command in an environment
that is ready imports this too, so what takes milliseconds is imported where it is needed.
"""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

# `--no-deps`: an installer that looks at requirements may want a release that the lock does not
# list. `--only-binary`: building from source would fetch a build backend that no lock pins.
EXACTLY = ("--no-deps", "--require-hashes", "--only-binary=:all:")
# The exit status of wrong usage.
USAGE = 2
# Settings of a user that lead `pip install` elsewhere than into the environment.
ELSEWHERE = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PIP_PYTHON")
# An index that does not answer is an error within seconds; whoever sets these waits for longer.
ATTEMPTS = {
    "PIP_RETRIES": "1",
    "UV_HTTP_RETRIES": "1",
    "NPM_CONFIG_FETCH_RETRIES": "1",
    "NPM_CONFIG_FETCH_RETRY_MINTIMEOUT": "1000",
}
REACHABLE = "see whether the index in `pip config list` and the `PIP_...` variables answers"
# Seconds until a log says that work goes on, for the first time and after that.
PATIENCE, LATER = 2, 30
ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)


class Environment:
    """A virtual environment, and the installers that fill it.

    Its own uv is used unless another environment's is named.
    """

    def __init__(self, folder: Path, uv: Path | None = None) -> None:
        self.folder = folder
        self.programs = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.programs / ("python.exe" if os.name == "nt" else "python")
        self.uv = uv or self.programs / ("uv.exe" if os.name == "nt" else "uv")

    def create(self) -> None:
        """Create the environment. It gets a pip only if this Python has none to install with."""
        import subprocess
        import venv

        try:
            venv.create(self.folder, with_pip=not _has_pip(), symlinks=os.name != "nt")
        except (OSError, subprocess.CalledProcessError) as error:
            hint = "on Debian and Ubuntu: `apt install python3-venv`"
            fail(f"cannot create a virtual environment: {error}", hint)

    def install(self, lock: Path) -> None:
        """Install a lock file with uv, which is fetched first; with pip if uv cannot do it."""
        if not self.uv.exists():
            self._fetch_uv(lock)
        count = len(ENTRY.findall(lock.read_text("utf-8")))
        say(f"installing {count} packages from {lock.name}")
        self._install(f"installing {lock.name}", *EXACTLY, "--requirement", str(lock))

    def install_from_tree(self, *projects: Path) -> None:
        """Install projects in editable mode, built by what the environment contains."""
        editable = [part for project in projects for part in ("--editable", str(project))]
        title = "installing this project"
        self._install(title, "--no-deps", "--no-build-isolation", *editable)

    def _install(self, title: str, *arguments: str) -> None:
        """End this process with the installer's output if neither uv nor pip can install it."""
        if self.uv.exists():
            if _run(title, self._uv_command(*arguments)) is None:
                return
            say("uv cannot install them; trying pip, which may be configured differently")
        output = _run(title, self._pip_command(*arguments))
        if output is not None:
            sys.stderr.write(output)
            fail("the installation failed (see the output above)", REACHABLE)

    def _fetch_uv(self, lock: Path) -> None:
        """Let pip install the uv that the lock pins. Skipped if there is no wheel for this machine."""
        import tempfile

        pinned = entry(lock, "uv")
        if not pinned:
            return
        with tempfile.TemporaryDirectory(prefix="leanspec-") as folder:
            alone = Path(folder, "uv.txt")
            alone.write_text(pinned, "utf-8")
            command = self._pip_command(*EXACTLY, "--requirement", str(alone))
            _run("fetching uv, which installs faster than pip", command)

    def _uv_command(self, *arguments: str) -> list[str]:
        return [str(self.uv), "pip", "install", "--python", str(self.python), *arguments]

    def _pip_command(self, *arguments: str) -> list[str]:
        quiet = ["--disable-pip-version-check", "--progress-bar=off"]
        options = ["install", *quiet, *arguments]
        if _has_pip():
            # This Python's own pip installs into the other environment: 4 s less than giving the
            # environment a pip of its own.
            return [sys.executable, "-m", "pip", "--python", str(self.python), *options]
        return [str(self.python), "-m", "pip", *options]


def entry(lock: Path, name: str) -> str:
    """Return what a lock file says of one package, hashes included; empty if it lists none."""
    # The lines of hashes are indented, and so are the comments below them, which end the entry.
    pattern = rf"^{re.escape(name)}==.*\n(?:    --hash.*\n)*"
    match = re.search(pattern, lock.read_text("utf-8"), re.MULTILINE)
    return match[0] if match else ""


def give_up_early() -> None:
    """Let pip, uv and npm try an index that does not answer twice, unless the user says how often."""
    # npm takes its settings in lower case, too.
    names = {name.upper() for name in os.environ}
    for name, value in ATTEMPTS.items():
        if name not in names:
            os.environ[name] = value


@contextlib.contextmanager
def reminding(title: Callable[[], str]) -> Iterator[None]:
    """Print a line when work begins to take long, and again while it goes on."""
    import threading

    ended = threading.Event()

    def remind() -> None:
        seconds, pause = 0, PATIENCE
        while not ended.wait(pause):
            seconds += pause
            since = f": still running after {seconds} s" if pause == LATER else ""
            say(f"… {title()}{since}")
            pause = LATER

    thread = threading.Thread(target=remind, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _run(title: str, command: list[str]) -> str | None:
    """Run an installer, showing its last line on a terminal. Return its output if it failed."""
    import subprocess

    names = os.environ.keys() - set(ELSEWHERE)
    environment = {name: os.environ[name] for name in names}
    # In a virtual environment, pip refuses `user = true` of a user's configuration.
    environment["PIP_USER"] = "0"
    terminal = sys.stderr.isatty()
    lines = []
    with (
        contextlib.nullcontext() if terminal else reminding(lambda: title),
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        for line in process.stdout or ():
            lines.append(line)
            if terminal:
                sys.stderr.write(f"\r\033[K  {line.strip()[:70]}")
                sys.stderr.flush()
    if terminal:
        sys.stderr.write("\r\033[K")
    return "".join(lines) if process.returncode != 0 else None


def _has_pip() -> bool:
    import importlib.util

    return importlib.util.find_spec("pip") is not None


def say(text: str) -> None:
    """Print a line of progress on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def fail(message: str, hint: str, code: int = 1) -> NoReturn:
    """End this process with an error and a hint."""
    say(f"error: {message}\nhint: {hint}")
    sys.exit(code)

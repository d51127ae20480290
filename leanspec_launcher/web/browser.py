"""Opening the browser, and when there is none to open."""

import contextlib
import os
import sys
import webbrowser
from collections.abc import Iterator

from leanspec_launcher.installers.words import shown
from leanspec_launcher.processes import environment, neutral_folder, output_of

# Where Windows Subsystem for Linux has Windows' own programs.
WSL_MARK = "/proc/sys/fs/binfmt_misc/WSLInterop"
OPENER_SECONDS = 20
WSL_OPENER = "/mnt/c/Windows/System32/rundll32.exe"


def why_not() -> str:
    """Say why no browser can be opened here; empty if one can."""
    if os.environ.get("CI"):
        return "this is a CI job"
    if os.environ.get("SSH_CONNECTION"):
        return "this is an SSH session"
    has_display = (
        sys.platform in ("win32", "darwin")
        or os.path.exists(WSL_MARK)
        or os.environ.get("DISPLAY")
        or os.environ.get("WAYLAND_DISPLAY")
    )
    return "" if has_display else "there is no display"


def tunnel(port: int) -> str:
    """Return what to type on the other side of an SSH session; empty outside one."""
    parts = os.environ.get("SSH_CONNECTION", "").split()
    if len(parts) != 4:  # noqa: PLR2004 - both ends, each an address and a port
        return ""
    user = os.environ.get("USER") or "USER"
    return shown([["ssh", "-L", f"{port}:127.0.0.1:{port}", f"{user}@{parts[2]}"]])


def open_browser(url: str) -> bool:
    """Open the browser; tell whether one was found."""
    try:
        if os.path.exists(WSL_MARK) and os.path.exists(WSL_OPENER):
            command = [WSL_OPENER, "url.dll,FileProtocolHandler", url]
            return output_of(command, seconds=OPENER_SECONDS).returncode == 0
        with _as_processes_start():
            return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


@contextlib.contextmanager
def _as_processes_start() -> Iterator[None]:
    """Give what `webbrowser` starts the folder and the `PATH` of every other process of ours."""
    folder, path = os.getcwd(), os.environ.get("PATH", "")
    os.chdir(neutral_folder())
    os.environ["PATH"] = environment()["PATH"]
    try:
        yield
    finally:
        os.environ["PATH"] = path
        os.chdir(folder)

"""The last release in TypeScript, for those who ask for it. It goes when 0.3 ends."""

import os
import subprocess  # noqa: TID251 - npm, with its settings taken from our own folder
import sys

from leanspec_launcher._pins import TYPESCRIPT
from leanspec_launcher._say import CANNOT_RUN, NOT_FOUND, say
from leanspec_launcher._search import SITE, is_absolute
from leanspec_launcher._tables import TYPESCRIPT_OPTION, TYPESCRIPT_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Where Node's installer for Windows puts what `npx.cmd` runs. A batch file would have cmd.exe read
# the arguments again.
WINDOWS_NPX = ("node_modules", "npm", "bin", "npx-cli.js")
# Packages that npx has installed once, below npm's cache.
INSTALLED = os.path.join("_npx", "*", "node_modules")
NPM_SECONDS = 30
WITHOUT = "leave that out to run the Rust program, `leanspec`"


def become_npx(arguments: "list[str]", become: "Callable[[str, list[str]], int]") -> int:
    """Replace this process by npx with the pinned release; return 127 if it cannot be had."""
    setting = f"`{TYPESCRIPT_VARIABLE}`"
    if arguments[:1] == [TYPESCRIPT_OPTION]:
        setting, arguments = f"`{TYPESCRIPT_OPTION}`", arguments[1:]
    if not TYPESCRIPT:
        text = "asks for a TypeScript release, and a source checkout pins none"
        return _refuse(f"{setting} {text}", WITHOUT)
    command = _npx()
    if not command:
        text = f"asks for {TYPESCRIPT}, which needs `npx`, which is not on `PATH`"
        hint = f"install Node.js from https://nodejs.org, or {WITHOUT}"
        return _refuse(f"{setting} {text}", hint)
    npx, name = command[-1], TYPESCRIPT.partition("@")[0]
    # npm's settings and packages are not taken from the project's folder, which may be a
    # stranger's, but from this one, which has none. The program itself works in the project.
    prefix = os.path.join(SITE, "leanspec_launcher", "instead")
    # npx looks for Node.js there, too.
    os.environ["PATH"] = os.pathsep.join(filter(is_absolute, _folders()))
    if not _is_installed(name) and _is_gone(command, prefix):
        text = f"asks for {TYPESCRIPT}, which npm's registry does not have"
        return _refuse(f"{setting} {text}", WITHOUT)
    text = f"runs {TYPESCRIPT}, the last TypeScript release, through `{npx}`, until LeanSpec 0.4"
    say(f"note: {setting} {text}")
    options = [f"--prefix={prefix}", "--yes", f"--package={TYPESCRIPT}", "--", name]
    try:
        return become(command[0], [*command[1:], *options, *arguments])
    except OSError as error:
        text = f"cannot start `{command[0]}`: {error.strerror}"
        say(f"error: {text}", "hint: reinstall Node.js")
        return CANNOT_RUN


def _refuse(text: str, hint: str) -> int:
    say(f"error: {text}", f"hint: {hint}")
    return NOT_FOUND


def _is_installed(name: str) -> bool:
    """Tell whether npx has installed a package before: then its registry need not be asked."""
    import glob

    cache = os.path.join(os.path.expanduser("~"), ".npm")
    if sys.platform == "win32":
        cache = os.path.join(os.environ.get("LOCALAPPDATA", ""), "npm-cache")
    return bool(glob.glob(os.path.join(glob.escape(cache), INSTALLED, name)))


def _is_gone(command: "list[str]", prefix: str) -> bool:
    """Tell whether npm's registry lacks the release. Without an answer, npx says why."""
    folder, file = os.path.split(command[-1])
    npm = os.path.join(folder, file.replace("npx", "npm"))
    words = ["view", f"--prefix={prefix}", TYPESCRIPT, "version"]
    try:
        answer = subprocess.run(
            [*command[:-1], npm, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=NPM_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    # Of a package that it has without that version, npm says nothing.
    is_unknown = answer.returncode == 0 and not answer.stdout.strip()
    return is_unknown or b"E404" in answer.stderr


def _npx() -> "list[str]":
    """Find npx as the shell would, leaving out what depends on the working directory."""
    names = [("node.exe",), WINDOWS_NPX] if sys.platform == "win32" else [("npx",)]
    for folder in filter(is_absolute, _folders()):
        command = [os.path.join(folder, *name) for name in names]
        # On Windows, every file may be run.
        if all(os.path.isfile(path) and os.access(path, os.X_OK) for path in command):
            return command
    return []


def _folders() -> "list[str]":
    return os.environ.get("PATH", "").split(os.pathsep)

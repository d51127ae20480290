"""The last release in TypeScript, for those who ask for it. It goes when 0.3 ends."""

import os
import sys

from leanspec_launcher._say import CANNOT_RUN, NOT_FOUND, say
from leanspec_launcher._search import SITE, is_absolute
from leanspec_launcher._tables import TYPESCRIPT_OPTION, TYPESCRIPT_VARIABLE, Family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Where Node's installer for Windows puts what `npx.cmd` runs. A batch file would have cmd.exe read
# the arguments again.
WINDOWS_NPX = ("node_modules", "npm", "bin", "npx-cli.js")


def become(
    family: Family, arguments: "list[str]", start: "Callable[[str, list[str]], int]"
) -> int:
    """Replace this process by npx with the pinned release; return 127 if there is no npx."""
    asked = f"`{TYPESCRIPT_VARIABLE}`"
    if arguments[:1] == [TYPESCRIPT_OPTION]:
        asked, arguments = f"`{TYPESCRIPT_OPTION}`", arguments[1:]
    command = _npx()
    if not command:
        say(
            f"error: {asked} asks for {family.typescript}, which needs `npx`, which is not on `PATH`",
            "hint: install Node.js from https://nodejs.org, or leave that out to run the Rust program",
        )
        return NOT_FOUND
    npx, name = command[-1], family.typescript.partition("@")[0]
    say(
        f"note: {asked} runs {family.typescript}, the last TypeScript release, by `{npx}`, until 0.4"
    )
    # npm's settings and packages are not taken from the project's folder, which may be a
    # stranger's, but from this one, which has none. The program itself works in the project.
    prefix = os.path.join(SITE, "leanspec_launcher", "instead")
    options = [f"--prefix={prefix}", "--yes", f"--package={family.typescript}"]
    options += ["--", name]
    # npx looks for Node.js there, too.
    os.environ["PATH"] = os.pathsep.join(filter(is_absolute, _folders()))
    try:
        return start(command[0], [*command[1:], *options, *arguments])
    except OSError as error:
        say(
            f"error: cannot start `{command[0]}`: {error.strerror}",
            "hint: reinstall Node.js",
        )
        return CANNOT_RUN


def _npx() -> "list[str]":
    """Find npx as the shell would, leaving out what depends on the working directory."""
    for folder in filter(is_absolute, _folders()):
        if sys.platform == "win32":
            command = [os.path.join(folder, "node.exe"), os.path.join(folder, *WINDOWS_NPX)]
            if all(os.path.isfile(part) for part in command):
                return command
        elif os.access(path := os.path.join(folder, "npx"), os.X_OK) and os.path.isfile(
            path
        ):
            return [path]
    return []


def _folders() -> "list[str]":
    return os.environ.get("PATH", "").split(os.pathsep)

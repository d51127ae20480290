"""The last release in TypeScript, for those who ask for it. It goes when 0.3 ends."""

import os
import sys

from ._families import Family
from ._launch import NOT_FOUND, TYPESCRIPT_OPTION, TYPESCRIPT_VARIABLE, start

# Where Node's installer for Windows puts what `npx.cmd` runs. A batch file would have cmd.exe read the arguments again.
WINDOWS_NPX = ("node_modules", "npm", "bin", "npx-cli.js")


def become(family: Family, arguments: "list[str]") -> int:
    """Replace this process by npx with the pinned release; return 127 where there is no npx."""
    asked = f"`{TYPESCRIPT_VARIABLE}`"
    if arguments[:1] == [TYPESCRIPT_OPTION]:
        asked, arguments = f"`{TYPESCRIPT_OPTION}`", arguments[1:]
    command = _npx()
    if not command:
        _say(
            f"error: {asked} asks for {family.typescript}, which needs `npx`, and no folder of `PATH` has it\n"
            "hint: install Node.js from https://nodejs.org, or leave that out to run the Rust program"
        )
        return NOT_FOUND
    _say(f"note: {asked} runs {family.typescript}, the last TypeScript release, by `{command[-1]}`, until 0.4")
    name = family.typescript.partition("@")[0]
    return start(command[0], [*command[1:], "--yes", f"--package={family.typescript}", "--", name, *arguments])


def _npx() -> "list[str]":
    """Find npx as the shell would, leaving out what depends on the working directory."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if not os.path.isabs(folder):
            continue
        if sys.platform == "win32":
            command = [os.path.join(folder, "node.exe"), os.path.join(folder, *WINDOWS_NPX)]
            if all(os.path.isfile(part) for part in command):
                return command
        elif os.access(path := os.path.join(folder, "npx"), os.X_OK) and os.path.isfile(path):
            return [path]
    return []


def _say(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

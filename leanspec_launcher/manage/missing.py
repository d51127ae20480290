"""Commands of `lean-spec` that are missing, and their repair.

Two packages have the command `leanspec-mcp`, and two have `leanspec-ui`: uninstalling one of the
two removes the command of both. No installer says so.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.reinstall import main_hint
from leanspec_launcher.installers.table import in_use

from . import link


@dataclass(frozen=True)
class MissingCommand:
    """A command that the installer made, and that is no longer there."""

    script: link.Script
    path: Path
    # Whether it was a link to the script, in the folder of a tool's commands.
    is_link: bool = False

    @property
    def program(self) -> str:
        """The program that it starts; empty for a command without a binary."""
        program = link.ENTRY_POINTS.get(self.script.target)
        return program.name if program else ""

    @property
    def text(self) -> str:
        """What is wrong, for people."""
        if self.is_occupied:
            return f"`{self.path}` is not a file any more, although lean-spec installed one"
        return f"`{self.path}` is missing, although lean-spec installed it"

    @property
    def is_occupied(self) -> bool:
        """Whether something else has its place: a folder, a pipe."""
        return os.path.exists(self.path)


def missing_commands(name: str | None = None) -> list[MissingCommand]:
    """Return the missing commands of a program, or all; none if no record lists them."""
    try:
        scripts = link.scripts()
    except CommandError:
        return []
    missing = [
        MissingCommand(script, script.path)
        for script in scripts
        if not os.path.isfile(script.path)
    ]
    missing += _links(scripts)
    return [command for command in missing if name in (None, command.program)]


def _links(scripts: list[link.Script]) -> Iterator[MissingCommand]:
    """Yield the links that are missing in the folder where pipx or uv made those of this tool."""
    if not in_use().makes_links or sys.platform == "win32":
        return
    # The folder is known by our own link in it: every other one is somebody else's.
    our_script = next((script.path for script in scripts if script.name == link.OWN), None)
    entries = os.environ.get("PATH", "").split(os.pathsep)
    here = os.path.dirname(sys.argv[0])
    for folder in dict.fromkeys(filter(os.path.isabs, [here, *entries])):
        path = os.path.join(folder, link.OWN)
        if our_script is None or not os.path.islink(path):
            continue
        if os.path.realpath(path) != os.path.realpath(our_script):
            continue
        for script in scripts:
            command = Path(folder, script.name)
            if not os.path.exists(command):
                yield MissingCommand(script, command, is_link=True)


def missing_hint() -> str:
    """Say what brings missing commands back."""
    return main_hint() if sys.platform == "win32" else "leanspec-launcher repair"


def restore(command: MissingCommand) -> None:
    """Make a command again, byte for byte as the installer made it.

    Raises CommandError if only the installer can.
    """
    if command.is_occupied:
        raise CommandError(
            command.text, hint="move it away, and type `leanspec-launcher repair`"
        )
    text = link.script_text(command.path, command.script.target)
    if not command.is_link and not (text and link.has_interpreter(text)):
        raise CommandError(command.text, hint=main_hint())
    folder = command.path.parent
    # On the same file system, so that it appears at once and whole.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".lean-spec-") as work:
        new = Path(work, command.path.name)
        if command.is_link:
            new.symlink_to(command.script.path)
        else:
            link.write_script(new, command.path, text)
        new.replace(command.path)

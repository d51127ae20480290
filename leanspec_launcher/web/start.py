"""How `leanspec-ui` and `lean-spec ui` begin: without click, whose import takes longer than the server's start.

Only a plain command line is read here; click reads any other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from leanspec_launcher.commands import run

from .place import UI
from .port import port_of
from .serve import show

FLAGS = {
    "--multi-project": "multi_project",
    "--no-open": "no_open",
    "--new": "new",
    "--readonly": "readonly",
    "--dry-run": "dry_run",
    "--quiet": "quiet",
    "-q": "quiet",
    "--json": "as_json",
}
# option -> its name, and what makes a value of its text, or None
VALUES: dict[str, tuple[str, Callable[[str], object]]] = {
    "--project": ("project", Path),
    "--host": ("host", str),
    "--port": ("port", port_of),
    "-p": ("port", port_of),
}


def start(arguments: list[str], program: str = UI.command) -> NoReturn:
    """Run `leanspec-ui`; end this process with its exit code."""
    options = plain_options(arguments)
    if options is None:
        from leanspec_launcher.command_line import run_command

        from .cli import command

        run_command(command, program, arguments)
    run(lambda: show(**options))


def plain_options(arguments: list[str]) -> dict[str, Any] | None:
    """Return the options of a plain command line, by name; None for any other, which is for click to read."""
    options: dict[str, Any] = {}
    words = iter(arguments)
    for word in words:
        if word in FLAGS:
            options[FLAGS[word]] = True
            continue
        text = next(words, "")
        if word not in VALUES or not text or text.startswith("-"):
            return None
        name, convert = VALUES[word]
        options[name] = convert(text)
        if options[name] is None:
            return None
    return options

"""How `leanspec-ui` and `lean-spec ui` begin: without click, whose import takes longer than the server's start.

Only a plain command line is read here; click reads any other.
"""

from __future__ import annotations

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
VALUES = {"--project": "project", "--host": "host", "--port": "port", "-p": "port"}


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
        name = VALUES.get(word, "")
        options[name] = _value(name, next(words, ""))
        if options[name] is None:
            return None
    return options


def _value(name: str, text: str) -> Path | int | str | None:
    if not text or text.startswith("-"):
        return None
    if name == "project":
        return Path(text)
    if name == "host":
        return text
    return port_of(text) if name == "port" else None

"""Command lines in texts, compared with the commands that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from .rules import numbered


def code_lines(page: Path) -> Iterator[tuple[int, str]]:
    """Yield a page's lines of code, in its order: fenced as `sh`, indented, or a command in backticks."""
    text = page.read_text("utf-8")
    found: list[tuple[int, str]] = []
    for fence in re.finditer(r"^```sh[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        first = text.count("\n", 0, fence.start(1)) + 1
        found += enumerate(fence[1].splitlines(), first)
    found += numbered(r"(?:(?<=\n\n)|(?<=\n))    (\S.*)", text)
    found += numbered(r"`((?:python3? -m scripts|leanspec-launcher) [a-z][^`]*)`", text)
    yield from sorted(found)


def unknown_words(root: click.Command, arguments: list[str]) -> list[str]:
    """Return what a command line names that does not exist."""
    command, rest = root, arguments
    while isinstance(command, click.Group) and rest:
        name, *rest = rest
        child = command.get_command(click.Context(command), name)
        if child is None:
            return [f"no command `{name}`"]
        command = child
    options = {option for parameter in command.params for option in parameter.opts}
    end = rest.index("--") if "--" in rest else len(rest)
    names = [word.partition("=")[0] for word in rest[:end] if word.startswith("--")]
    return [f"no option `{name}`" for name in names if name not in options]

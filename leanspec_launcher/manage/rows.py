"""Rows of reports for people: a mark, and a text that breaks at spaces on a terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from leanspec_launcher._say import HINT, broken, printable
from leanspec_launcher.commands import echo, styled

GOOD, BAD, WARNING = ("✓", "green"), ("✗", "red"), ("!", "yellow")
ABSENT, OTHER = ("-", "bright_black"), ("·", "bright_black")
# The same for a pipe or a file on Windows, and for a locale in ASCII.
PLAIN = {"✓": "+", "✗": "x", "·": "."}


def print_row(mark: tuple[str, str], text: str, indent: int = 4) -> None:
    """Print a text behind its mark; further lines begin below the column `indent`."""
    sign, colour = mark
    if not _has_signs(sys.stdout):
        sign = PLAIN.get(sign, sign)
    first, *others = broken(printable(text), sys.stdout, indent)
    echo("  ", styled(sign, fg=colour), f" {first}")
    _print_rest(others, indent)


def _has_signs(stream: TextIO | None) -> bool:
    """Tell whether a stream can write every sign."""
    try:
        "".join(PLAIN).encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def print_hint(hint: str, indent: int) -> None:
    """Print what to type, or what else helps."""
    first, *others = broken(f"{HINT}{printable(hint)}", sys.stdout, indent)
    word = HINT.rstrip(": ")
    echo(" " * indent, styled(word, fg="cyan", bold=True), first[len(word) :])
    _print_rest(others, indent)


def _print_rest(lines: list[str], indent: int) -> None:
    for line in lines:
        echo(" " * indent + line)

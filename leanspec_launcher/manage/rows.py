"""Rows of reports for people: a mark, and a text that breaks at spaces on a terminal."""

from __future__ import annotations

import sys

from leanspec_launcher._say import HINT, broken, printable
from leanspec_launcher.commands import echo, styled

GOOD, BAD, WARNING = ("✓", "green"), ("✗", "red"), ("!", "yellow")
ABSENT, OTHER = ("-", "bright_black"), ("·", "bright_black")


def print_row(mark: tuple[str, str], text: str, indent: int = 4) -> None:
    """Print a text behind its mark; further lines begin below the column `indent`."""
    sign, colour = mark
    first, *others = broken(printable(text), sys.stdout, indent)
    echo("  ", styled(sign, fg=colour), f" {first}")
    for line in others:
        echo(" " * indent + line)


def print_hint(hint: str, indent: int) -> None:
    """Print what to type, or what else helps."""
    first, *others = broken(f"{HINT}{printable(hint)}", sys.stdout, indent)
    echo(" " * indent, styled("hint", fg="cyan", bold=True), first[len("hint") :])
    for line in others:
        echo(" " * indent + line)

"""Rows of reports for people: a mark, and a text that breaks at spaces on a terminal."""

from __future__ import annotations

import re
import sys

from leanspec_launcher.commands import echo, styled

GOOD, BAD, WARNING = ("✓", "green"), ("✗", "red"), ("!", "yellow")
ABSENT, OTHER = ("-", "bright_black"), ("·", "bright_black")
# The narrowest column that a text is broken for.
NARROWEST = 30
LITERAL = re.compile(r"`[^`]*`")
# Stands for a space of a literal, at which no line is broken: it would not be copied as one.
FIXED_SPACE = "\ufffc"


def print_row(mark: tuple[str, str], text: str, indent: int = 4) -> None:
    """Print a text behind its mark; further lines begin below the column `indent`."""
    sign, colour = mark
    first, *others = break_lines(text, indent)
    echo("  ", styled(sign, fg=colour), f" {first}")
    for line in others:
        echo(" " * indent + line)


def print_hint(hint: str, indent: int) -> None:
    """Print what to type, or what else helps. A hint without a literal is a command, and not broken."""
    first, *others = break_lines(hint, indent + len("hint: ")) if "`" in hint else [hint]
    echo(" " * indent, styled("hint", fg="cyan", bold=True), f": {first}")
    for line in others:
        echo(" " * indent + line)


def break_lines(text: str, indent: int) -> list[str]:
    """Break a text for a terminal, and never in a word or literal; anywhere else it is one line."""
    if sys.stdout is None or not sys.stdout.isatty():
        return [text]
    import shutil
    import textwrap

    width = max(NARROWEST, shutil.get_terminal_size().columns - indent)
    fixed = LITERAL.sub(lambda literal: literal[0].replace(" ", FIXED_SPACE), text)
    lines = textwrap.wrap(fixed, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(FIXED_SPACE, " ") for line in lines]

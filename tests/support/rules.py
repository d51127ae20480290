"""Rules for many texts: one test per rule, whose failure lists every violation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.environment import ROOT


def must_hold(violations: Iterable[str]) -> None:
    """Fail if a rule is violated, with each violation on a line of its own."""
    lines = sorted(violations)
    assert not lines, "\n".join(["violations:", *lines])


def place(path: Path, line: int | None = None) -> str:
    """Return `file:line` as editors and terminals open it."""
    name = path.relative_to(ROOT).as_posix()
    return f"{name}:{line}" if line else name


def numbered(pattern: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the first group of each match in a text."""
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield text.count("\n", 0, match.start(1)) + 1, match[1]

"""What a maintainer sees while a command works: progress on standard error, colours on a terminal only."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from click import unstyle

from scripts.locked import reminding

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

KILO, MEGA = 1000, 1_000_000


@functools.cache
def console() -> Console:
    """Return the one console; rich is imported when a command first prints."""
    from rich.console import Console  # noqa: PLC0415 - 60 ms, which `--help` does not need

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print one line of progress."""
    console().print(text, markup=False)


class Work:
    """Work that a title stands for."""

    failed = False

    def __init__(self, title: str, status: Status | None) -> None:
        self.title = title
        self._status = status

    def show(self, title: str) -> None:
        """Show how far it is: at once on a terminal, and in the next line of a log."""
        self.title = title
        if self._status:
            self._status.update(title)


@contextlib.contextmanager
def step(title: str) -> Iterator[Work]:
    """Show a title while its work goes on, then how long that took, in seconds.

    Work that comes to its end and says that it failed gets a cross.
    Where there is no terminal, a log gets a line in between when the work takes long.
    """
    started, screen = time.monotonic(), console()
    status = screen.status(title) if screen.is_terminal else None
    work = Work(title, status)
    with status or reminding(lambda: work.title):
        yield work
    mark = "[red]✗[/]" if work.failed else "[green]✓[/]"
    screen.print(f"{mark} {title} [dim]({time.monotonic() - started:.1f} s)[/]")


def size(count: int) -> str:
    """Write a number of bytes for people, in units of 1000."""
    return f"{count / MEGA:.1f} MB" if count >= MEGA else f"{count / KILO:.1f} kB"


def aligned(rows: Sequence[Sequence[str]], *, indent: str = "") -> list[str]:
    """Return a line per row, its cells as wide as their column; colours take no room.

    Not by rich's tables: where there is no terminal they break lines at 80 columns, and a log with
    a broken line cannot be searched.
    """
    columns = zip_longest(*rows, fillvalue="")
    widths = [max(len(unstyle(cell)) for cell in column) for column in columns]
    lines = []
    for row in rows:
        cells = []
        for cell, width in zip(row, widths, strict=False):
            padding = " " * (width - len(unstyle(cell)))
            cells.append(cell + padding)
        lines.append(indent + "  ".join(cells).rstrip())
    return lines

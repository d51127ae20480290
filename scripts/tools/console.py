"""What a maintainer sees while a command works: progress on standard error, colours on a terminal only."""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# Seconds until a log says that work goes on, for the first time and after that. npm tries an index
# that does not answer for more than a minute.
PATIENCE, LATER = 10, 60
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


@contextlib.contextmanager
def step(title: str) -> Iterator[Work]:
    """Show a title while its work goes on, then how long that took, in seconds.

    Work that comes to its end and says that it failed gets a cross.
    Where there is no terminal, a log gets a line in between when the work takes long.
    """
    started, work = time.monotonic(), Work()
    ended = threading.Event()
    reminder = threading.Thread(target=_remind, args=(title, ended), daemon=True)
    screen = console()
    waiting = screen.status(title) if screen.is_terminal else contextlib.nullcontext()
    reminder.start()
    try:
        with waiting:
            yield work
    finally:
        ended.set()
    mark = "[red]✗[/]" if work.failed else "[green]✓[/]"
    screen.print(f"{mark} {title} [dim]({time.monotonic() - started:.1f} s)[/]")


def _remind(title: str, ended: threading.Event) -> None:
    seconds = 0
    for pause in itertools.chain([PATIENCE], itertools.repeat(LATER)):
        if ended.wait(pause):
            return
        seconds += pause
        say(f"… {title}: still at it after {seconds} s")


def size(count: int) -> str:
    """Write a number of bytes for people, in units of 1000."""
    return f"{count / MEGA:.1f} MB" if count >= MEGA else f"{count / KILO:.1f} kB"

"""What a maintainer sees while a command works: progress on standard error, colours on a terminal only."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.console import Console

console = Console(stderr=True, highlight=False, soft_wrap=True)
# npm tries an index that does not answer for more than a minute.
PATIENCE = 10
KILO, MEGA = 1000, 1_000_000


def say(text: str) -> None:
    """Print one line of progress."""
    console.print(text, markup=False)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Show a title while its work goes on, then how long that took, in seconds.

    Where there is no terminal, a log gets a line in between when the work takes long.
    """
    started = time.monotonic()
    reminder = threading.Timer(PATIENCE, say, [f"… {title}: still at it after {PATIENCE} s"])
    reminder.daemon = True
    waiting = console.status(title) if console.is_terminal else contextlib.nullcontext()
    reminder.start()
    try:
        with waiting:
            yield
    finally:
        reminder.cancel()
    console.print(f"[green]✓[/] {title} [dim]({time.monotonic() - started:.1f} s)[/]")


def size(count: int) -> str:
    """Write a number of bytes for people, in units of 1000."""
    return f"{count / MEGA:.1f} MB" if count >= MEGA else f"{count / KILO:.1f} kB"

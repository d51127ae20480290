"""What a maintainer sees while a command works: progress on standard error, colours on a terminal only."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console

console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print one line of progress."""
    console.print(text, markup=False)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Show a title while its work goes on, then how long that took, in seconds."""
    started = time.monotonic()
    if console.is_terminal:
        with console.status(title):
            yield
    else:
        yield
    console.print(f"[green]✓[/] {title} [dim]({time.monotonic() - started:.1f} s)[/]")


def size(count: int) -> str:
    """Write a number of bytes for people, in units of 1000."""
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.1f} kB"  # noqa: PLR2004 - a unit

"""Work in several threads, which a signal interrupts at any moment."""

import queue
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Python runs the handler of a signal in the main thread, between two instructions. A signal that
# arrives after the last one and before the thread waits for a lock is not seen until that wait
# ends; on Windows none is seen during it. So the main thread waits for no longer than this, in
# seconds, and then waits again.
POLL = 0.2


def map_in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], limit: int | None = None
) -> list[Result]:
    """Return the result of `work` for each item, in order; at most `limit` run at a time.

    Once one has failed nothing more begins, and its error is raised when what runs has ended.
    """
    with ThreadPoolExecutor(limit) as pool:
        try:
            futures = [pool.submit(work, item) for item in items]
            while not all(future.done() for future in futures):
                ended, _ = wait(futures, POLL)
                if any(future.exception() for future in ended):
                    pool.shutdown(wait=False, cancel_futures=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    for future in futures:
        if not future.cancelled():
            future.result()  # raises what its work has raised
    return [future.result() for future in futures]


def take(waiting: queue.SimpleQueue[Item]) -> Item:
    """Return the next item of a queue, waiting until there is one."""
    while True:
        try:
            return waiting.get(timeout=POLL)
        except queue.Empty:
            continue

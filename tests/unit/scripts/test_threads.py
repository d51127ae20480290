"""Work in threads: its order, its errors, and signals during it."""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from scripts.tools.threads import map_in_threads, take


@pytest.fixture
def handled() -> Iterator[threading.Event]:
    """Set as soon as Python runs the handler of SIGTERM."""
    event = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: event.set())
    yield event
    signal.signal(signal.SIGTERM, before)


def test_map_in_threads_keeps_the_order_of_items() -> None:
    def work(number: int) -> int:
        time.sleep(0.05 / number)
        return number

    assert map_in_threads(work, [1, 2, 3, 4], 4) == [1, 2, 3, 4]
    assert map_in_threads(work, []) == []


def test_map_in_threads_raises_the_first_error_after_running_work_ends() -> None:
    begun, ended = [], []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.3)
        if number == 1:
            raise ValueError(number)
        time.sleep(0.3)
        ended.append(number)

    with pytest.raises(ValueError, match="1"):
        map_in_threads(work, range(20), 2)
    assert sorted(set(begun) - {1}) == sorted(ended)
    assert len(begun) < 6


@pytest.mark.posix
def test_a_signal_during_a_wait_is_handled(handled: threading.Event) -> None:
    """As if it came just before the main thread waits: another thread receives it."""

    def work(_: object) -> bool:
        time.sleep(0.1)  # until the main thread waits
        if sys.platform != "win32":
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        return handled.wait(5)

    assert map_in_threads(work, [None]) == [True]
    handled.clear()
    results: queue.SimpleQueue[bool] = queue.SimpleQueue()
    threading.Thread(target=lambda: results.put(work(None))).start()
    assert take(results)

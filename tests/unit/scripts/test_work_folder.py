"""Work in progress: one process at a time, and nothing left behind."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from scripts.tools.work_folder import PREFIX, work_folder
from tests.support.preconditions import needs


def test_work_folder_is_empty_and_removed_afterwards(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}killed").mkdir()
    (tmp_path / "mine").write_text("")
    with work_folder(tmp_path) as folder:
        assert list(folder.iterdir()) == []
        actual = sorted(path.name for path in tmp_path.iterdir())
        assert actual == sorted([folder.name, "mine"])
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_work_folder_is_removed_after_a_failure(tmp_path: Path) -> None:
    def interrupted() -> None:
        with work_folder(tmp_path) as folder:
            (folder / "half").write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@needs("POSIX")
def test_work_folder_of_a_second_process_waits(tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with work_folder(tmp_path):
            order.append("second")

    with work_folder(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]

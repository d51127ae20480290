"""A small package index, and an environment in which nothing else answers for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.index import client, upload
from scripts.index.attestations import IDENTITY_VARIABLE
from tests.support import small_index
from tests.support.small_index import SmallIndex

PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
CREDENTIALS = ("TWINE_USERNAME", "TWINE_PASSWORD", IDENTITY_VARIABLE)


@pytest.fixture
def quick_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SmallIndex]:
    """Serve an empty index, which is asked again at once."""
    for name in (*PROXIES, *CREDENTIALS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TWINE_USERNAME", "u")
    monkeypatch.setenv("TWINE_PASSWORD", "p")
    for module in (client, upload):
        monkeypatch.setattr(module, "BACK_OFF", (0.01,) * 8)
    with small_index.running() as index:
        yield index

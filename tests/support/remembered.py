"""Verdicts about files that seldom change: kept in pytest's cache until one of the files does."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import preconditions


@contextmanager
def remembered(request: pytest.FixtureRequest, *inputs: Path | str) -> Iterator[None]:
    """Skip a test that passed before with the same inputs, on the same Python and system.

    The test's own source and this module are inputs too.
    """
    digest = hashlib.sha256(f"{platform.platform()} {platform.python_version()}".encode())
    for source in (*inputs, request.path, Path(__file__)):
        data = source.read_bytes() if isinstance(source, Path) else source.encode()
        digest.update(hashlib.sha256(data).digest())
    cache = getattr(request.config, "cache", None)
    key = f"leanspec/{hashlib.sha256(request.node.nodeid.encode()).hexdigest()}"
    # Where a CI runs the tests, every verdict is a new one.
    if cache is None or preconditions.in_ci:
        yield
    elif cache.get(key, "") == digest.hexdigest():
        detail = "it passed with the same files; `--cache-clear` runs it again"
        preconditions.missing("a change since it passed", detail)
    else:
        yield
        cache.set(key, digest.hexdigest())

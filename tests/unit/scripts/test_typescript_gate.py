"""The gate on the TypeScript release: npm is asked for it, and its absence is a gap that is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.gates.typescript import typescript_gate
from scripts.model.plan import typescript_release
from tests.support.preconditions import require
from tests.support.registry import Registry, package, serving


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    require("npm")
    with serving(tmp_path) as registry:
        for name, value in registry.settings().items():
            monkeypatch.setenv(name, value)
        yield registry


@pytest.mark.long
def test_check_shows_that_npm_lacks_the_typescript_release(registry: Registry) -> None:
    spec = typescript_release()
    name, _, version = spec.partition("@")
    (gone,) = typescript_gate(spec)
    assert (gone.is_gap, gone.passed) == (True, True)
    assert gone.actual.startswith("npm does not have it")
    registry.publish(name, "9.9.9", package(name, "9.9.9", {}))
    (other,) = typescript_gate(spec)
    assert other.actual == gone.actual, "of another version, npm says nothing"
    registry.publish(name, version, package(name, version, {}))
    (present,) = typescript_gate(spec)
    assert (present.is_gap, present.actual) == (False, "npm has it")


def test_check_goes_on_without_npm_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (finding,) = typescript_gate("lean-spec@0.2.9")
    assert finding.is_gap
    assert finding.actual.startswith("not asked for: `npm` is not installed")
    assert list(typescript_gate("")) == []

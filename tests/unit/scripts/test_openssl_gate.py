"""The gate on OpenSSL: what is linked in is what the plan pins, and an old pin is a warning."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.collect.openssl import MARKER, OpenSSL
from scripts.gates.openssl import openssl_gate
from scripts.model.files import read_files
from scripts.model.finding import Finding
from tests.support import headers
from tests.support.versions import RELEASED
from tests.support.wheel_files import content, rewrite

PIN = OpenSSL("3.5.7", "a" * 64, "https://example.org", dt.date(2026, 1, 1))
DAY = dt.date(2026, 2, 1)
LINKED = headers.elf() + MARKER
CRATES = [{"name": "openssl-src", "version": "300.5.4+3.5.4", "checksum": None}]
NAME = f"leanspec_cli_bin-{RELEASED}-py3-none-manylinux_2_34_x86_64.whl"


@pytest.fixture
def dist(stand_in: Path, tmp_path: Path) -> Path:
    """Return a release whose programs need no OpenSSL."""
    return Path(shutil.copytree(stand_in / "dist", tmp_path / "dist"))


def with_openssl(dist: Path, data: bytes = LINKED, **source: Any) -> None:  # noqa: ANN401 - JSON
    """Put a program into the CLI's wheel, and into its record what it was built from."""
    program, path = "leanspec_cli_bin/bin/leanspec", "leanspec_cli_bin/bin/binary.json"
    record = json.loads(content(dist / NAME, path))
    record |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    record["source"] |= source
    rewrite(dist / NAME, {program: data, path: json.dumps(record).encode()})


def findings(dist: Path, pin: OpenSSL = PIN, day: dt.date = DAY) -> list[Finding]:
    return [*openssl_gate(pin, read_files(dist)[0], day)]


def test_a_release_without_openssl_passes(dist: Path) -> None:
    assert findings(dist, replace(PIN, advisory="CVE-1"), dt.date(2030, 1, 1)) == []


def test_a_linked_openssl_is_the_pinned_one(dist: Path) -> None:
    with_openssl(dist, openssl=PIN.record)
    (finding,) = findings(dist)
    assert finding.passed
    assert finding.actual == f"openssl 3.5.7 (sha256 {'a' * 64})"
    for pin in (replace(PIN, version="3.5.8"), replace(PIN, sha256="b" * 64)):
        (finding,) = findings(dist, pin)
        assert not finding.passed


def test_a_linked_openssl_that_is_not_stated_is_a_problem(dist: Path) -> None:
    with_openssl(dist)
    (finding,) = findings(dist)
    assert not finding.passed
    assert finding.actual == "not stated"


def test_a_stated_openssl_that_is_not_linked_is_a_problem(dist: Path) -> None:
    with_openssl(dist, headers.elf(), openssl=PIN.record)
    (finding,) = findings(dist)
    assert not finding.passed
    assert finding.actual == "none in it"


def test_an_openssl_of_a_crate_is_stated_by_the_crate(dist: Path) -> None:
    with_openssl(dist, packages=CRATES)
    (finding,) = findings(dist)
    assert finding.passed
    assert finding.actual == "of the crate `openssl-src`"
    with_openssl(dist, openssl=PIN.record)
    assert [finding.passed for finding in findings(dist)] == [True]
    actual = [finding.passed for finding in findings(dist, replace(PIN, version="4"))]
    assert actual == [False]


@pytest.mark.parametrize(
    ("pin", "age", "warning"),
    [
        (PIN, 120, ""),
        (PIN, 121, "pinned 121 days ago: check whether there is a newer one than 3.5.7"),
        (replace(PIN, advisory="CVE-1 is fixed in 3.5.8"), 0, "CVE-1 is fixed in 3.5.8"),
    ],
)
def test_an_old_or_bad_pin_is_a_warning(
    dist: Path, pin: OpenSSL, age: int, warning: str
) -> None:
    with_openssl(dist, openssl=PIN.record)
    results = findings(dist, pin, pin.pinned + dt.timedelta(days=age))
    assert all(finding.passed for finding in results)
    assert "".join(finding.actual for finding in results if finding.is_gap) == warning


def test_a_linked_openssl_comes_with_its_licence(dist: Path) -> None:
    with_openssl(dist, openssl=PIN.record)
    folder = f"leanspec_cli_bin-{RELEASED}.dist-info/licenses"
    rewrite(dist / NAME, {f"{folder}/OpenSSL-LICENSE.txt": None})
    wrong = [finding for finding in findings(dist) if not finding.passed]
    assert [finding.actual for finding in wrong] == ["missing"]

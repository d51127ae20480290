"""The binaries of a `.postN`, compared with those of the release before it on the index."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher._release import Wheel
from leanspec_launcher.commands import CommandError
from scripts.gates.index_state import rebuild
from scripts.index.client import IndexClient
from scripts.model.files import read_files
from scripts.model.finding import Finding
from scripts.model.plan import Plan
from scripts.wheels.pins import WheelPins, render_pins
from tests.support.small_index import SmallIndex

OLD, NEW, LIBRARY = "0" * 64, "1" * 64, "2" * 64
REASON = "OpenSSL 3.5.9: CVE-2026-1"


def write_main(folder: Path, version: str, cli: str, library: str = "") -> Path:
    """Write as much of a `lean-spec` wheel as states the checksums of its binaries."""
    libraries = {"../x.libs/libssl.so": library} if library else {}
    wheel = Wheel("x.whl", OLD, 1)
    pins = {
        "cli": {"linux-x64": WheelPins(cli, libraries, wheel)},
        "mcp": {"linux-x64": WheelPins(OLD[1:] + "3", {}, wheel)},
    }
    path = folder / f"lean_spec-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("leanspec_launcher/_pins.py", render_pins(version, pins))
    return path


def findings(
    index: SmallIndex, folder: Path, version: str, reason: str = ""
) -> list[Finding]:
    exceptions = {"rebuild": reason} if reason else {}
    plan = Plan(Version(version), {}, exceptions)
    return list(rebuild(IndexClient(index.place), plan, read_files(folder)[0]))


@pytest.fixture
def published(quick_index: SmallIndex, tmp_path: Path) -> SmallIndex:
    """Return an index with a release, and with others that are not before its fix."""
    place = tmp_path / "published"
    place.mkdir()
    for version, cli in (("0.3.0", OLD), ("0.3.0rc1", NEW), ("0.3.1", NEW)):
        path = write_main(place, version, cli)
        quick_index.files[path.name] = path.read_bytes()
    return quick_index


@pytest.mark.parametrize(
    ("cli", "library", "reason", "words"),
    [
        (OLD, "", "", ""),
        (NEW, "", REASON, ""),
        (OLD, LIBRARY, REASON, ""),
        (NEW, "", "", "those of 0.3.0, or the exception `rebuild` in the plan"),
        (OLD, LIBRARY, "", "those of 0.3.0, or the exception `rebuild` in the plan"),
        (OLD, "", REASON, "others than in 0.3.0, as the exception `rebuild` says"),
    ],
)
def test_fix_has_the_binaries_of_its_base_or_a_reason(
    published: SmallIndex, tmp_path: Path, cli: str, library: str, reason: str, words: str
) -> None:
    write_main(tmp_path, "0.3.0.post1", cli, library)
    (finding,) = findings(published, tmp_path, "0.3.0.post1", reason)
    assert finding.passed is not bool(words)
    if words:
        assert finding.expected == words
    if reason and not words:
        assert finding.is_gap, "it is always shown"
        assert finding.actual == f"{REASON}; 1 of 2 differ from 0.3.0"
    if cli == NEW and words:
        assert finding.actual == "others: cli for linux-x64"


def test_second_fix_is_compared_with_the_first(
    published: SmallIndex, tmp_path: Path
) -> None:
    """After a rebuild, a packaging-only fix keeps the rebuilt binaries."""
    first = write_main(tmp_path / "published", "0.3.0.post1", NEW)
    published.files[first.name] = first.read_bytes()
    write_main(tmp_path, "0.3.0.post2", NEW)
    (finding,) = findings(published, tmp_path, "0.3.0.post2")
    assert finding.passed
    assert finding.actual == "those of 0.3.0.post1"


def test_release_that_is_no_fix_is_not_compared(
    published: SmallIndex, tmp_path: Path
) -> None:
    write_main(tmp_path, "0.3.2", NEW)
    assert findings(published, tmp_path, "0.3.2") == []


@pytest.mark.parametrize("reason", ["", REASON])
def test_fix_without_a_release_before_it_is_not_a_rebuild(
    quick_index: SmallIndex, tmp_path: Path, reason: str
) -> None:
    candidate = write_main(tmp_path, "0.3.0rc1", OLD)
    quick_index.files[candidate.name] = candidate.read_bytes()
    candidate.unlink()
    write_main(tmp_path, "0.3.0.post1", NEW)
    (finding,) = findings(quick_index, tmp_path, "0.3.0.post1", reason)
    assert finding.passed is not bool(reason)
    assert finding.is_gap is not bool(reason)


def test_fix_is_not_compared_with_forged_or_damaged_files(
    published: SmallIndex, tmp_path: Path
) -> None:
    write_main(tmp_path, "0.3.0.post1", OLD)
    name = "lean_spec-0.3.0-py3-none-any.whl"
    published.forged.add(name)
    (finding,) = findings(published, tmp_path, "0.3.0.post1")
    assert (finding.subject, finding.passed) == (name, False)
    published.forged.clear()
    published.files[name] = b"not a wheel"
    with pytest.raises(CommandError, match="has no checksums of its binaries"):
        findings(published, tmp_path, "0.3.0.post1")

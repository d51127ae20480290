"""When a file is hashed, and when a stamp spares it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from leanspec_launcher import _search
from leanspec_launcher._search import LOCAL, VARIABLE, WHEEL, Place, Start
from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.verify import proof
from leanspec_launcher.verify.refusal import Kind, Refusal
from tests.support.preconditions import needs
from tests.support.site import HOST, Site, script, settle, stamps

GOOD = script("echo started")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of files that were hashed in full."""
    calls: list[str] = []
    real = proof.digest

    def counting(path: str, limit: int) -> str:
        calls.append(path)
        return real(path, limit)

    monkeypatch.setattr(proof, "digest", counting)
    return calls


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return files for all tests of this module, for whose last change they wait together."""
    paths = [tmp_path_factory.mktemp("settled") / "leanspec" for _ in range(30)]
    for path in paths:
        path.write_bytes(GOOD)
        path.with_name("other").hardlink_to(path)
    settle(paths[-1], proof.SETTLED_NANOSECONDS)
    return iter(paths)


@pytest.fixture
def binary(
    settled: Iterator[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a pinned file whose last change is over, with an empty cache."""
    path = next(settled)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_search, "SHA256", {"cli": {HOST.key: proof.digest(str(path))}})
    return path


def private(folder: Path) -> Path:
    """Make the folder of the stamps as the launcher makes it."""
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    folder.parent.mkdir(mode=0o700)
    folder.mkdir(mode=0o700)
    return folder


def check(path: Path) -> None:
    """Do what a launch does before it becomes the program."""
    start, place = Start(PROGRAMS["cli"]), Place(WHEEL, str(path))
    if start.must_verify(place):
        proof.verify(start, place)


def test_the_second_start_reads_no_file(binary: Path, hashed: list[str]) -> None:
    check(binary)
    check(binary)
    assert len(hashed) == 1


@pytest.mark.posix
def test_a_change_that_keeps_size_and_mtime_is_seen(
    binary: Path, hashed: list[str]
) -> None:
    check(binary)
    before = binary.stat()
    with binary.open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"D")
    os.utime(binary, ns=(before.st_atime_ns, before.st_mtime_ns))
    expected = (before.st_size, before.st_mtime_ns)
    assert (binary.stat().st_size, binary.stat().st_mtime_ns) == expected
    with pytest.raises(Refusal):
        check(binary)
    assert len(hashed) == 2


def test_a_change_through_another_link_is_seen(binary: Path, hashed: list[str]) -> None:
    """Uv links what it installs to its cache, and to every other environment."""
    other = binary.with_name("other")
    check(binary)
    check(other)
    assert len(hashed) == 1, "one file, one stamp"
    with other.open("ab") as file:
        file.write(b"#")
    with pytest.raises(Refusal):
        check(binary)


def test_a_file_that_changed_just_now_gets_no_stamp(
    binary: Path, hashed: list[str]
) -> None:
    binary.touch()
    check(binary)
    check(binary)
    assert len(hashed) == 2


def test_a_change_is_over_after_the_slowest_tick_of_a_file_system() -> None:
    """FAT counts every second second."""
    assert proof.SETTLED_NANOSECONDS > 2_000_000_000


def test_a_clock_set_back_gets_no_stamp(
    binary: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: binary.stat().st_ctime_ns - 10**12)
    check(binary)
    check(binary)
    assert len(hashed) == 2


def test_other_pins_do_not_accept_an_old_stamp(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(binary)
    monkeypatch.setattr(_search, "SHA256", {"cli": {HOST.key: "0" * 64}})
    with pytest.raises(Refusal):
        check(binary)


@pytest.mark.parametrize(
    ("mode", "count"), [("once", 1), ("", 1), ("always", 2), ("off", 0), ("ALWAYS?", 2)]
)
def test_verify_variable_decides_how_often_a_file_is_hashed(
    binary: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch, mode: str, count: int
) -> None:
    monkeypatch.setenv("LEANSPEC_VERIFY", mode)
    check(binary)
    check(binary)
    assert len(hashed) == count


@pytest.mark.parametrize(
    ("mode", "count"), [("once", 1), ("always", 0), ("off", 0), ("ALWAYS?", 0)]
)
def test_stamp_is_left_only_with_verify_once(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, count: int
) -> None:
    monkeypatch.setenv("LEANSPEC_VERIFY", mode)
    monkeypatch.setattr(
        proof, "stamp_directory", lambda: str(tmp_path / "lean-spec/verified")
    )
    check(binary)
    assert len([*tmp_path.glob("lean-spec/verified/*")]) == count


def test_file_that_changes_during_verification_gets_no_stamp(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changing(path: str) -> None:
        with open(path, "ab") as file:  # noqa: PTH123 - a path as the launcher has it
            file.write(b"#")

    digests = (proof.digest(str(binary)),)
    assert proof.VerifiedFile(str(binary), digests).stamps
    monkeypatch.setattr(proof, "must_load", changing)
    assert not proof.VerifiedFile(str(binary), digests).stamps


@pytest.mark.parametrize(
    "field", ["st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"]
)
@needs("POSIX")
def test_state_differs_with_each_field_of_stat(
    binary: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """Two files that differ in nothing else have two states."""
    names = ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
    real = os.stat(binary)  # noqa: PTH116 - what is replaced
    values = {name: getattr(real, name) for name in names}
    before = _search.state_of(str(binary))
    monkeypatch.setattr(
        os, "stat", lambda _: SimpleNamespace(**(values | {field: values[field] + 1}))
    )
    assert _search.state_of(str(binary)) != before


@pytest.mark.posix
@pytest.mark.parametrize("cache", ["", "relative", "/proc/nowhere"])
def test_start_without_a_cache_folder_hashes_each_time(
    binary: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    monkeypatch.delenv("HOME")
    check(binary)
    check(binary)
    assert len(hashed) == 2


@pytest.mark.posix
def test_old_stamps_are_removed_when_there_are_many(binary: Path, tmp_path: Path) -> None:
    folder = private(tmp_path / "cache/lean-spec/verified")
    for number in range(proof.MOST_STAMPS):
        (folder / f"1.{number:x}.3.4.5.{'0' * 64}").touch()
    others = [
        "notes",
        "1.2.3.4.5",
        "1.2.3.4.5." + "g" * 64,
        "1.2.3.4..5." + "0" * 64,
        "1.2.3.4.5.6." + "0" * 64,
    ]
    for name in others:
        (folder / name).touch()
    check(binary)
    left = [path.name for path in folder.iterdir()]
    actual = sorted(name for name in left if not proof.is_stamp(name))
    assert actual == sorted(others), "no stamps: not ours"
    assert len(left) == len(others) + 1


@pytest.mark.long
@needs("POSIX")
def test_many_first_starts_at_once(site: Site) -> None:
    settle(site.install("cli", GOOD))
    with ThreadPoolExecutor(16) as pool:
        outputs = list(pool.map(lambda _: site.start("cli").stdout, range(60)))
    assert outputs == ["started\n"] * 60
    assert len(stamps(site)) == 1


def kind_of(place: Place) -> Kind | None:
    """Return why a place is refused; None if it is not."""
    try:
        proof.verified_file(Start(PROGRAMS["cli"]), place)
    except Refusal as refusal:
        return refusal.kind
    return None


def test_relative_path_and_own_script_are_refused_unread(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert kind_of(Place(VARIABLE, "leanspec")) is Kind.RELATIVE
    assert kind_of(Place(WHEEL, "leanspec")) is Kind.RELATIVE
    script = tmp_path / "own"
    script.touch()
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert kind_of(Place(VARIABLE, str(script))) is Kind.OWN_COMMAND
    assert kind_of(Place(VARIABLE, str(binary))) is None, "the user answers for it"
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "gone")])
    assert kind_of(Place(VARIABLE, str(tmp_path / "gone"))) is Kind.OWN_COMMAND
    assert kind_of(Place(VARIABLE, str(script))) is None
    assert hashed == []


def test_file_without_a_pin_or_record_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[str]
) -> None:
    path = tmp_path / "leanspec"
    path.write_bytes(GOOD)
    monkeypatch.setattr(_search, "SHA256", {})
    assert kind_of(Place(WHEEL, str(path))) is Kind.NO_CHECKSUM
    assert kind_of(Place(LOCAL, str(path))) is Kind.NO_RECORD
    assert hashed == []


@pytest.mark.posix
def test_irregular_and_oversized_files_are_refused(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "fifo")
        assert kind_of(Place(WHEEL, str(tmp_path / "fifo"))) is Kind.NOT_A_FILE
    assert kind_of(Place(WHEEL, str(tmp_path))) is Kind.NOT_A_FILE
    assert kind_of(Place(WHEEL, str(binary))) is None
    monkeypatch.setattr(proof, "MOST_BYTES", binary.stat().st_size)
    assert kind_of(Place(WHEEL, str(binary))) is None
    monkeypatch.setattr(proof, "MOST_BYTES", binary.stat().st_size - 1)
    assert kind_of(Place(WHEEL, str(binary))) is Kind.TOO_LARGE
    assert len(proof.digest(str(binary))) == 64, "the bound is one of programs"


@pytest.mark.posix
def test_a_stamp_is_this_users_alone(binary: Path, tmp_path: Path) -> None:
    check(binary)
    (stamp,) = (tmp_path / "cache/lean-spec/verified").iterdir()
    assert stamp.stat().st_mode & 0o777 == 0o600
    for folder in (stamp.parent, stamp.parent.parent):
        assert folder.stat().st_mode & 0o777 == 0o700

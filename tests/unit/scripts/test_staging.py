"""What was collected takes the place of what was there: all of it, or none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.manage.errors import CommandError
from scripts.collect.staging import read_collected, staged
from scripts.model.families import load_families
from tests.support import headers

PLATFORM = PLATFORMS["linux-x64"]


def collect(base: Path, version: str, *, are_different: bool = True) -> None:
    """Collect a small executable per family, each with bytes of its own."""
    with staged(base) as staging:
        for number, project in enumerate(load_families()):
            file = base.parent / "program"
            file.write_bytes(headers.elf() + bytes([number * are_different]) + version.encode())
            staging.add(project, PLATFORM, file, version=version, source={}, commit=None)


def contents(base: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()
    }


def test_what_is_collected_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    collect(base, "1.2.3")
    collect(base, "1.2.4")
    assert {each.version for each in read_collected(base)} == {"1.2.4"}
    assert [path.name for path in tmp_path.iterdir() if path != base] == ["program"]


@pytest.mark.parametrize("call", range(6))
def test_a_swap_that_fails_halfway_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Each family is moved twice: the old one out of the way, the new one into its place."""
    base = tmp_path / "base"
    base.mkdir()
    collect(base, "1.2.3")
    before = contents(base)
    rename, calls = Path.rename, []

    def failing(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == call + 1:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="No space left"):
        collect(base, "1.2.4")
    assert contents(base) == before
    assert {each.version for each in read_collected(base)} == {"1.2.3"}


def test_nothing_collected_changes_nothing(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    collect(base, "1.2.3")
    before = contents(base)
    with pytest.raises(CommandError, match="there was nothing to collect"), staged(base):
        pass
    assert contents(base) == before


def test_the_same_bytes_twice_are_refused(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    with pytest.raises(CommandError, match="have the same bytes"):
        collect(base, "1.2.3", are_different=False)
    assert contents(base) == {}


def test_a_record_says_nothing_of_a_program_that_was_not_run(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    collect(base, "1.2.3")
    for path in base.rglob("binary.json"):
        text = path.read_text("utf-8")
        assert "reported" not in json.loads(text)
        assert text.startswith('{\n  "family"'), "two spaces, so that a change is one line"

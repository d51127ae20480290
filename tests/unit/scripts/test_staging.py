"""What was collected takes the place of what was there: all of it, or none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from leanspec_launcher._tables import PLATFORMS, Platform
from leanspec_launcher.commands import CommandError
from scripts.collect.staging import read_collected, staged
from scripts.model.programs import load_programs
from tests.support import headers

PLATFORM, OTHER = PLATFORMS["linux-x64"], PLATFORMS["linux-arm64"]
CPUS = {"linux-x64": "x86_64", "linux-arm64": "aarch64"}


def collect(
    base: Path,
    version: str,
    *,
    platform: Platform = PLATFORM,
    are_different: bool = True,
    keep: bool = False,
) -> None:
    """Collect a small executable per program, each with bytes of its own."""
    with staged(base, keep=keep) as staging:
        for number, project in enumerate(load_programs()):
            file = base.parent / "program"
            mark = bytes([number * are_different]) + version.encode()
            file.write_bytes(headers.elf(CPUS[platform.key]) + mark)
            staging.add(project, platform, file, version=version, source={}, commit=None)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    return tmp_path / "base"


@pytest.fixture
def collected(base: Path) -> Path:
    """Return a folder with the binaries of a version for one platform."""
    collect(base, "1.2.3")
    return base


def contents(base: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(base)): path.read_bytes()
        for path in base.rglob("*")
        if path.is_file()
    }


def test_staged_binaries_replace_the_collected_ones(
    collected: Path, tmp_path: Path
) -> None:
    collect(collected, "1.2.4")
    assert {binary.version for binary in read_collected(collected)} == {"1.2.4"}
    assert [path.name for path in tmp_path.iterdir() if path != collected] == ["program"]


@pytest.mark.parametrize("call", range(6))
def test_a_swap_that_fails_halfway_is_undone(
    collected: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Each program is moved twice: the old one out of the way, the new one into its place."""
    before = contents(collected)
    rename, calls = Path.rename, []

    def failing(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == call + 1:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="No space left"):
        collect(collected, "1.2.4")
    assert contents(collected) == before
    assert {binary.version for binary in read_collected(collected)} == {"1.2.3"}


def test_staging_without_a_binary_changes_nothing(collected: Path) -> None:
    before = contents(collected)
    with (
        pytest.raises(CommandError, match="there was nothing to collect"),
        staged(collected),
    ):
        pass
    assert contents(collected) == before


def test_the_same_bytes_twice_are_refused(base: Path) -> None:
    with pytest.raises(CommandError, match="have the same bytes"):
        collect(base, "1.2.3", are_different=False)
    assert contents(base) == {}


def test_a_record_has_no_reported_version_of_a_binary_that_was_not_run(
    collected: Path,
) -> None:
    for path in collected.rglob("binary.json"):
        text = path.read_text("utf-8")
        assert "reported" not in json.loads(text)
        assert text.startswith('{\n  "program"'), "two spaces, so that a change is one line"


def test_binaries_kept_are_checked_and_of_the_same_version(collected: Path) -> None:
    collect(collected, "1.2.3", platform=OTHER, keep=True)
    assert {binary.platform for binary in read_collected(collected)} == {*CPUS}
    words = r"are of different versions: `1\.2\.3`, `1\.2\.4`"
    with pytest.raises(CommandError, match=words):
        collect(collected, "1.2.4", platform=OTHER, keep=True)
    collect(collected, "1.2.4", platform=OTHER)
    assert {binary.platform for binary in read_collected(collected)} == {"linux-arm64"}


def test_a_record_of_a_binary_for_another_machine_is_refused(collected: Path) -> None:
    path = next(collected.rglob("leanspec-mcp"))
    path.write_bytes(headers.elf("aarch64"))
    record = json.loads(path.with_name("binary.json").read_text("utf-8"))
    record["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name("binary.json").write_text(json.dumps(record), "utf-8")
    words = "is an executable for linux-arm64, not for `linux-x64`"
    with pytest.raises(CommandError, match=words):
        read_collected(collected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "is missing: `leanspec-mcp` cannot be verified"),
        ("{", "is not a description of a binary"),
        ("{}", "is not a description of a binary"),
    ],
)
def test_a_binary_without_a_true_record_is_refused(
    collected: Path, text: str | None, words: str
) -> None:
    record = next(collected.rglob("leanspec-mcp")).with_name("binary.json")
    record.unlink()
    if text is not None:
        record.write_text(text)
    with pytest.raises(CommandError, match=words):
        read_collected(collected)


def test_a_record_of_another_program_is_refused(collected: Path) -> None:
    record = next(collected.rglob("leanspec-mcp")).with_name("binary.json")
    facts = json.loads(record.read_text("utf-8"))
    for change in ({"program": "cli"}, {"platform": "linux-arm64"}):
        record.write_text(json.dumps(facts | change), "utf-8")
        words = r"describes `.*`, expected `mcp` for `linux-x64`"
        with pytest.raises(CommandError, match=words):
            read_collected(collected)

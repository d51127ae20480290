"""`collect artifacts`: the binaries of a CI run, complete or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from tests.support import headers
from tests.support.artifacts import BUILDS, put
from tests.support.releases import Scripts
from tests.support.versions import REAL


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    for platform in PLATFORMS:
        for program in PROGRAMS:
            put(tmp_path / "artifacts", program, platform)
    return tmp_path / "artifacts"


@pytest.fixture
def collect(scripts: Scripts, artifacts: Path, tmp_path: Path) -> Scripts:
    def collect(*arguments: str, code: int = 0) -> CompletedProcess[str]:
        command = ("collect", "artifacts", artifacts, "--into", tmp_path / "into")
        return scripts(*command, *arguments, code=code)

    return collect


def test_collect_artifacts_keeps_the_record_of_each_platform(
    collect: Scripts, tmp_path: Path
) -> None:
    collect()
    records = sorted((tmp_path / "into").glob("*/binaries/*/binary.json"))
    assert len(records) == len(PROGRAMS) * len(PLATFORMS)
    for path in records:
        record = json.loads(path.read_text("utf-8"))
        assert (record["program"], record["platform"]) == (path.parts[-4], path.parts[-2])
        assert (record["source"], record["commit"]) == ({"kind": "cargo"}, "c0ffee")


def test_a_missing_platform_fails_unless_allowed(
    collect: Scripts, artifacts: Path, tmp_path: Path
) -> None:
    shutil.rmtree(artifacts / "binaries-linux-arm64")
    result = collect(code=1)
    assert "there is no `binaries-linux-arm64/`" in result.stderr
    assert "--allow-missing linux-arm64" in result.stderr
    assert not list((tmp_path / "into").glob("*/binaries"))
    collect("--allow-missing", "linux-arm64")
    assert not list((tmp_path / "into").glob("*/binaries/linux-arm64"))


def test_collect_artifacts_allows_the_gaps_that_the_plan_has_for_the_source(
    collect: Scripts, artifacts: Path, tmp_path: Path
) -> None:
    """What npm lacks has to be there if a workspace was built."""
    for platform in PLATFORMS:
        if platform not in REAL:
            shutil.rmtree(artifacts / f"binaries-{platform}")
    result = collect("--planned", code=1)
    assert "there is no `binaries-darwin-x64/`" in result.stderr
    for program in PROGRAMS:
        put(artifacts, program, *REAL, facts={"source": {"kind": "npm"}})
    collect("--planned")
    platforms = {path.name for path in (tmp_path / "into").glob("*/binaries/*")}
    assert platforms == set(REAL)


def state(**facts: object) -> Callable[[Path], Path]:
    """Return what puts a binary whose record states other facts."""
    return lambda folder: put(folder, "cli", "linux-x64", facts=facts)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda folder: put(folder, "cli", "linux-x64").unlink(),
            "`cli` for Linux on x86-64 is missing",
        ),
        (
            lambda folder: (
                put(folder, "cli", "linux-x64").with_name("binary.json").unlink()
            ),
            "binary.json` is missing",
        ),
        (state(sha256="0" * 64), "expected `000"),
        (state(platform="linux-arm64"), "describes `cli` for `linux-arm64`"),
        (state(version="0.2.9"), "are of different versions"),
        (
            lambda folder: put(folder, "cli", "linux-arm64", headers.mach_o()),
            "is an executable for darwin-arm64, not for `linux-arm64`",
        ),
        (
            lambda folder: put(folder, "cli", "linux-x64", BUILDS["linux-x64"] + b"http"),
            "have the same bytes",
        ),
        (
            lambda folder: (folder / "binaries-linux-mips").mkdir(),
            "is not for a known platform",
        ),
    ],
)
def test_collect_artifacts_refuses_a_bad_artifact(
    collect: Scripts,
    artifacts: Path,
    tmp_path: Path,
    spoil: Callable[[Path], object],
    words: str,
) -> None:
    spoil(artifacts)
    result = collect(code=1)
    assert result.stderr.count("error: ") == 1
    assert words in result.stderr
    assert not list((tmp_path / "into").glob("*/binaries"))


def test_collect_artifacts_names_a_missing_folder(scripts: Scripts, tmp_path: Path) -> None:
    result = scripts(
        "collect", "artifacts", tmp_path / "nothing", "--into", tmp_path / "into", code=1
    )
    assert "is not a folder of artifacts" in result.stderr


def test_collect_artifacts_reads_merged_artifacts(
    collect: Scripts, artifacts: Path, tmp_path: Path
) -> None:
    """`download-artifact` gives no folder of its own to a single artifact, nor to those that it merges."""
    for folder in sorted(artifacts.iterdir()):
        shutil.copytree(folder, artifacts, dirs_exist_ok=True)
        shutil.rmtree(folder)
    collect()
    actual = len(sorted((tmp_path / "into").glob("*/binaries/*/binary.json")))
    assert actual == len(PROGRAMS) * len(PLATFORMS)
    shutil.rmtree(artifacts / "mcp/binaries/linux-arm64")
    assert "`mcp` for Linux on arm64 is missing" in collect(code=1).stderr
    for program in PROGRAMS:
        shutil.rmtree(artifacts / program / "binaries/linux-arm64", ignore_errors=True)
    assert "the binaries for Linux on arm64 are missing" in collect(code=1).stderr

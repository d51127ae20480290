"""`wheels`: what it builds of what is collected, and what stops it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leanspec_launcher._tables import PLATFORMS, PROGRAMS, current
from leanspec_launcher.tools import digest as digest_of_tools
from leanspec_launcher.web.pages import tree_digest
from scripts.environment import ROOT
from scripts.model.plan import typescript_release
from scripts.model.repository import read_repository
from tests.support.modules import literals
from tests.support.releases import Scripts
from tests.support.surroundings import run
from tests.support.versions import RELEASED

OUR_WHEELS = {
    f"lean_spec-{RELEASED}-py3-none-any.whl",
    f"lean_spec-{RELEASED}.tar.gz",
    f"leanspec_ui-{RELEASED}-py3-none-any.whl",
    f"leanspec_mcp-{RELEASED}-py3-none-any.whl",
    f"leanspec_cli_bin-{RELEASED}-py3-none-any.whl",
    f"leanspec_mcp_bin-{RELEASED}-py3-none-any.whl",
    f"leanspec_http_bin-{RELEASED}-py3-none-any.whl",
    f"leanspec_cli_bin-{RELEASED}-py3-none-linux_x86_64.whl",
    f"leanspec_mcp_bin-{RELEASED}-py3-none-linux_x86_64.whl",
    f"leanspec_http_bin-{RELEASED}-py3-none-manylinux_2_34_x86_64.whl",
}


@pytest.fixture
def own_binaries(binaries: Path, tmp_path: Path) -> Path:
    """Return a copy of the real binaries that a test may spoil."""
    shutil.copytree(binaries, tmp_path / "binaries")
    return tmp_path / "binaries"


def test_wheels_builds_exactly_this_set(dist: Path) -> None:
    assert {path.name for path in dist.iterdir()} == OUR_WHEELS


def test_wheels_are_not_larger_than_the_npm_archives(dist: Path) -> None:
    """The archives of the same binaries on npm have these sizes, in bytes, with two small files more."""
    for program, size in (("cli", 2867180), ("mcp", 1025178), ("http", 2769180)):
        wheel = next(dist.glob(f"leanspec_{program}_bin-*linux*.whl"))
        assert wheel.stat().st_size <= size


def test_wheels_are_smaller_than_zlib_makes_them(dist: Path) -> None:
    """The smallest program, for zlib takes a second for the others."""
    program = PROGRAMS["mcp"]
    with zipfile.ZipFile(next(dist.glob(f"{program.package}-*linux*.whl"))) as archive:
        entry = archive.getinfo(f"{program.package}/bin/{program.command}")
        by_zlib = zlib.compress(archive.read(entry), 9)
    assert entry.compress_size < 0.97 * len(by_zlib)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pins(dist: Path) -> dict[str, Any]:
    """Return what the built `lean-spec` knows, by name."""
    with zipfile.ZipFile(next(dist.glob("lean_spec-*.whl"))) as archive:
        text = archive.read("leanspec_launcher/_pins.py").decode()
    return literals(text)


def test_lean_spec_carries_the_pins_of_these_very_binaries(
    dist: Path, binaries: Path, version: str
) -> None:
    expected = {
        program: {
            "linux-x64": digest(binaries / program / "binaries/linux-x64" / each.command)
        }
        for program, each in PROGRAMS.items()
    }
    wheels = {
        program: next(dist.glob(f"{each.package}-*linux*.whl"))
        for program, each in PROGRAMS.items()
    }
    with zipfile.ZipFile(next(dist.glob("lean_spec-*.whl"))) as archive:
        wheel = archive.read("leanspec_launcher/_pins.py").decode()
    with tarfile.open(next(dist.glob("lean_spec-*.tar.gz"))) as sdist:
        file = sdist.extractfile(f"lean_spec-{version}/leanspec_launcher/_pins.py")
        assert file is not None
        assert file.read().decode() == wheel
    # What the real server lists, in a project of each adapter: the schemas are the project's.
    tools = pins(dist)["TOOLS"]
    assert set(tools) == {"markdown", "github", "ado", "jira"}
    assert {len(listed) for listed in tools.values()} == {11}
    assert tools["markdown"]["create_spec"].endswith(" status* tags title*")
    assert digest_of_tools(tools["github"]) != digest_of_tools(tools["markdown"])
    assert pins(dist) == {
        "TOOLS": tools,
        "TYPESCRIPT": typescript_release(ROOT),
        "VERSION": version,
        "BINARIES": RELEASED,
        "SHA256": expected,
        "LIBRARIES": {},
        "PAGES": tree_digest(str(binaries / "ui/pages")),
        "WHEELS": {
            program: {"linux-x64": (path.name, digest(path), path.stat().st_size)}
            for program, path in wheels.items()
        },
        "FILES": f"{read_repository().url}/releases/download/v{{version}}/",
        "KEYS": (),
    }


def test_lean_spec_carries_the_pins_of_grafted_libraries(grafted: Path) -> None:
    """As `binary.json` has them, which the backend wrote."""
    expected: dict[str, dict[str, str]] = {}
    for wheel in grafted.glob("leanspec_*linux*.whl"):
        name = wheel.name.split("-")[0]
        with zipfile.ZipFile(wheel) as archive:
            record = json.loads(archive.read(f"{name}/bin/binary.json"))
        for library, sha256 in record.get("grafted", {}).get("libraries", {}).items():
            expected.setdefault(record["sha256"], {})[f"../../{name}.libs/{library}"] = (
                sha256
            )
    assert len(expected) == 2
    assert pins(grafted)["LIBRARIES"] == expected


def test_wheels_changes_no_tracked_file(dist: Path) -> None:
    assert dist.exists()
    message = 'SHA256: "dict[str, dict[str, str]]" = {}'
    assert message in (ROOT / "leanspec_launcher/_pins.py").read_text("utf-8")


def test_the_launchers_wheel_holds_no_binary_and_is_small(dist: Path) -> None:
    wheel = next(dist.glob("lean_spec-*.whl"))
    assert wheel.stat().st_size < 220_000
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert all(not archive.read(name).startswith(b"\x7fELF") for name in names)
    correct = {"leanspec_launcher", f"lean_spec-{RELEASED}.dist-info"}
    assert {name.split("/")[0] for name in names} == correct


def test_twine_accepts_every_file(dist: Path) -> None:
    twine = (sys.executable, "-m", "twine", "check", "--strict")
    result = run([*twine, *sorted(dist.iterdir())], dict(os.environ))
    assert result.stdout.count("PASSED") == len(OUR_WHEELS)


def test_wheels_builds_the_chosen_program_and_platform_alone(
    scripts: Scripts, stand_in: Path, tmp_path: Path
) -> None:
    """And replaces files of other tags and versions, not those of others."""
    out = tmp_path / "out"
    out.mkdir()
    others = {"pytest-9.0-py3-none-any.whl", "notes.txt"}
    for name in ("leanspec_mcp_bin-0.2.9-py3-none-win_amd64.whl", *others):
        (out / name).write_text("")
    binaries = stand_in / "binaries"
    result = scripts("wheels", "--binaries", binaries, "--program", "mcp", "--out", out)
    (wheel,) = stand_in.glob("dist/leanspec_mcp_bin-*linux*.whl")
    assert {path.name for path in out.iterdir()} == {wheel.name, *others}
    assert "lean-spec and the stubs are skipped" in result.stderr


def test_wheels_names_every_missing_binary(
    scripts: Scripts, stand_in: Path, tmp_path: Path
) -> None:
    binaries = tmp_path / "binaries"
    shutil.copytree(stand_in / "binaries/cli", binaries / "cli")
    result = scripts("wheels", "--binaries", binaries, "--out", tmp_path / "out")
    here = current()
    assert here is not None
    others = ", ".join(key for key in PLATFORMS if key != here.key)
    gap = f"lean-spec has no binary for {others}, which the plan expects\n"
    assert gap in result.stderr
    assert f"lean-spec has no binary for {here.key} of mcp, http\n" in result.stderr
    assert "it has no pages of the web UI" in result.stderr


def spoil_record(binaries: Path, **facts: str) -> None:
    path = binaries / "cli/binaries/linux-x64/binary.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | facts), "utf-8")


def swap(binaries: Path) -> None:
    (binaries / "cli/binaries/linux-x64").rename(binaries / "cli/binaries/linux-arm64")
    spoil = binaries / "cli/binaries/linux-arm64/binary.json"
    spoil.write_text(spoil.read_text("utf-8").replace("linux-x64", "linux-arm64"), "utf-8")


def truncate(binaries: Path) -> None:
    path = binaries / "cli/binaries/linux-x64/leanspec"
    path.write_bytes(path.read_bytes()[:-1])


def empty(binaries: Path) -> None:
    shutil.rmtree(binaries)
    binaries.mkdir()


@pytest.mark.parametrize(
    ("spoil", "arguments", "words"),
    [
        (
            lambda binaries: spoil_record(binaries, version="0.2.9"),
            [],
            f"is version `0.2.9`, this is `{RELEASED}`",
        ),
        (lambda binaries: spoil_record(binaries, sha256="0" * 64), [], "has the sha256"),
        (truncate, [], "is truncated"),
        (swap, [], "is an executable for linux-x64, not for `linux-arm64`"),
        (
            lambda binaries: shutil.rmtree(binaries / "cli/binaries"),
            ["--program", "cli"],
            "no binary of `cli`",
        ),
        (
            lambda _: None,
            ["--platform", "darwin-x64"],
            "no binary for `darwin-x64` is collected",
        ),
        (empty, [], "no binary is collected"),
    ],
)
def test_wheels_stops_at_a_bad_binary_and_leaves_nothing(
    scripts: Scripts,
    own_binaries: Path,
    tmp_path: Path,
    spoil: Callable[[Path], object],
    arguments: list[str],
    words: str,
) -> None:
    spoil(own_binaries)
    result = scripts(
        "wheels", "--binaries", own_binaries, "--out", tmp_path / "out", *arguments, code=1
    )
    assert result.stderr.count("error: ") == 1
    assert words in result.stderr
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.system
def test_wheels_names_a_full_disk_and_leaves_nothing(
    scripts: Scripts, binaries: Path, small_disk: Path
) -> None:
    result = scripts(
        "wheels", "--binaries", binaries, "--program", "cli", "--out", small_disk, code=1
    )
    assert "No space left on device" in result.stderr
    assert not list(small_disk.iterdir())


@pytest.mark.system
def test_wheels_names_an_unwritable_folder(
    scripts: Scripts, binaries: Path, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    result = scripts("wheels", "--binaries", binaries, "--out", small_disk, code=1)
    assert "read-only file system" in result.stderr
    assert result.stderr.count("error: ") == 1


def test_wheels_names_an_output_folder_that_is_a_file(
    scripts: Scripts, binaries: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("")
    result = scripts("wheels", "--binaries", binaries, "--out", tmp_path / "out", code=2)
    assert result.stderr.startswith("error: ")

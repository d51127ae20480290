"""From a cargo workspace to an installed command, with nothing of npm: on every system."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from leanspec_launcher._tables import current
from tests.support.installers import EVERYWHERE, Fresh, Installation, Pip, UvPip, from_files
from tests.support.preconditions import require


@pytest.fixture
def dist(stand_in: Path) -> Path:
    """Return the wheels of small programs: `fresh` installs these."""
    return stand_in / "dist"


def test_a_built_wheel_lists_the_crates_of_cargo_lock(dist: Path, version: str) -> None:
    platform = current()
    assert platform is not None
    wheels = [path for path in dist.glob("leanspec_mcp_bin-*") if "-any" not in path.name]
    with zipfile.ZipFile(wheels[0]) as archive:
        name = f"leanspec_mcp_bin-{version}.dist-info/sboms/leanspec-build.cdx.json"
        bill = archive.read(name).decode()
    assert f'"pkg:cargo/leanspec-mcp@{version}"' in bill
    if platform.system == "linux":
        assert "manylinux" in wheels[0].name, "a program that needs glibc alone is lawful"


@pytest.mark.parametrize("installer", EVERYWHERE)
def test_an_installed_program_receives_its_arguments(
    installer: type[Installation], fresh: Fresh, version: str
) -> None:
    installation = fresh(installer)
    installation.install()
    for command in ("lean-spec", "leanspec"):
        output = installation.start(command, "a b", "--x").stdout
        assert output == 'leanspec ["a b", "--x"]\n'
    installation.must_report(version, "leanspec-mcp")
    report = installation.start("leanspec-launcher", "which", "--json").stdout
    paths = {
        search["program"]: search["binary"] for search in json.loads(report)["programs"]
    }
    assert Path(paths["cli"]).is_relative_to(installation.packages)
    installation.start("leanspec-launcher", "verify")


def test_every_python_starts_a_built_program(
    pythons: dict[str, Path], dist: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    require("a platform that npm has no LeanSpec for")
    for short, python in pythons.items():
        home = tmp_path / short
        installation = Pip(home, from_files(home, dist, wheelhouse), python)
        installation.install()
        assert installation.start("lean-spec", "x").stdout == 'leanspec ["x"]\n', short


def test_a_built_program_is_refused_after_a_change(fresh: Fresh) -> None:
    installation = fresh(UvPip)
    installation.install()
    binary = installation.binary()
    data = binary.read_bytes()
    binary.unlink()  # not the file in uv's cache, which may be the same one
    binary.write_bytes(data + b"x")
    error = installation.start("lean-spec", code=126).stderr
    assert "its SHA-256 is not the expected one" in error

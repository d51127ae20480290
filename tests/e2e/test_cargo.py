"""From a cargo workspace to an installed command, with nothing of npm: on every system."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from leanspec_launcher._tables import current
from tests.support.installations import INSTALLERS, Source
from tests.support.preconditions import require
from tests.support.surroundings import run

# Those that every system has: `--user`, `--prefix` and `--target` differ in their folders.
EVERYWHERE = ("pip", "uv pip", "uv tool", "pipx")


def test_the_bill_of_materials_is_of_the_lock(small_dist: Path, version: str) -> None:
    platform = current()
    assert platform is not None
    wheels = [
        path for path in small_dist.glob("leanspec_mcp_bin-*") if "-any" not in path.name
    ]
    with zipfile.ZipFile(wheels[0]) as archive:
        name = f"leanspec_mcp_bin-{version}.dist-info/sboms/leanspec-build.cdx.json"
        bill = archive.read(name).decode()
    assert f'"pkg:cargo/leanspec-mcp@{version}"' in bill
    if platform.system == "linux":
        assert "manylinux" in wheels[0].name, "a program that needs glibc alone is lawful"


@pytest.mark.parametrize("installer", EVERYWHERE)
def test_an_installed_program_gets_its_arguments(
    installer: str, small_dist: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    made = INSTALLERS[installer](Source(small_dist, wheelhouse, tmp_path / "home"))
    for command in ("lean-spec", "leanspec", "leanspec-mcp"):
        program = "leanspec" if command == "lean-spec" else command
        said = run([made.scripts / command, "a b", "--version"], made.env).stdout
        assert said == f'{program} {version} ["a b", "--version"]\n'
    said = run([made.scripts / "leanspec-launcher", "which", "--json"], made.env).stdout
    taken = {search["family"]: search["taken"] for search in json.loads(said)}
    assert Path(taken["cli"]).is_relative_to(made.packages)
    run([made.scripts / "leanspec-launcher", "verify"], made.env)


def test_every_python_starts_it(
    pythons: dict[str, Path],
    small_dist: Path,
    wheelhouse: Path,
    tmp_path: Path,
    version: str,
) -> None:
    require("a platform that npm has no LeanSpec for")
    for short, python in pythons.items():
        made = INSTALLERS["pip"](Source(small_dist, wheelhouse, tmp_path / short, python))
        said = run([made.scripts / "lean-spec", "x"], made.env).stdout
        assert said == f'leanspec {version} ["x"]\n', short


def test_a_changed_program_is_refused(
    small_dist: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    made = INSTALLERS["uv pip"](Source(small_dist, wheelhouse, tmp_path / "home"))
    (binary,) = (made.packages / "leanspec_cli_bin/bin").glob("leanspec*")
    data = binary.read_bytes()
    binary.unlink()  # not the file in uv's cache, which may be the same one
    binary.write_bytes(data + b"x")
    done = run([made.scripts / "lean-spec"], made.env, code=126)
    assert "its SHA-256 is not the expected one" in done.stderr

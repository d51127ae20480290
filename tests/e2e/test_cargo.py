"""From a cargo workspace to an installed command, with nothing of npm."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.conftest import install
from tests.scripts.workspace import write_workspace
from tests.surroundings import clean, run


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")
def test_the_whole_way_from_cargo(
    scripts: Callable[..., CompletedProcess[str]], tmp_path: Path, wheelhouse: Path, version: str
) -> None:
    workspace = write_workspace(tmp_path / "workspace", version)
    scripts("collect", "cargo", workspace, "--build", "--into", tmp_path / "binaries")
    done = scripts("wheels", "--binaries", tmp_path / "binaries", "--out", tmp_path / "dist")
    assert "manylinux" in done.stdout, "a program that needs glibc alone is lawful"
    with zipfile.ZipFile(next((tmp_path / "dist").glob("leanspec_mcp_bin-*manylinux*.whl"))) as archive:
        bill = archive.read(f"leanspec_mcp_bin-{version}.dist-info/sboms/leanspec-build.cdx.json").decode()
    assert f'"pkg:cargo/leanspec-mcp@{version}"' in bill
    install(tmp_path / "venv", tmp_path / "dist", wheelhouse)
    env = clean(tmp_path / "home")
    for command in ("lean-spec", "leanspec", "leanspec-mcp", "leanspec-http"):
        program = "leanspec" if command == "lean-spec" else command
        said = run([tmp_path / "venv/bin" / command, "a b", "--version"], env).stdout
        assert said == f'{program} {version} ["a b", "--version"]\n'

"""Cross builds that are real: a pinned glibc floor with `cargo zigbuild`, inspected, wheeled, installed and run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.installers import install_with_pip
from tests.support.preconditions import needs
from tests.support.workspace import write_workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    needs("cargo"),
]


def test_a_pinned_glibc_is_what_the_tag_says(
    scripts: Callable[..., CompletedProcess[str]],
    tmp_path: Path,
    wheelhouse: Path,
    version: str,
) -> None:
    workspace = write_workspace(tmp_path / "workspace", version)
    target = "x86_64-unknown-linux-gnu.2.17"
    scripts(
        "collect",
        "cargo",
        workspace,
        "--target",
        target,
        "--build",
        "--into",
        tmp_path / "binaries",
    )
    record = json.loads(
        (tmp_path / "binaries/cli/binaries/linux-x64/binary.json").read_text("utf-8")
    )
    assert record["source"]["target"] == target
    done = scripts(
        "wheels", "--binaries", tmp_path / "binaries", "--out", tmp_path / "dist"
    )
    assert "manylinux_2_17_x86_64" in done.stdout
    folders = (tmp_path / "dist", wheelhouse)
    # There are no pages.
    installation = install_with_pip(tmp_path / "home", *folders, requirement="lean-spec")
    assert installation.start("lean-spec", "x").stdout == f'leanspec {version} ["x"]\n'

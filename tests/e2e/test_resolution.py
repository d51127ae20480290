"""What installers choose for other machines: the right platform wheel, or the stub."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from leanspec_launcher._tables import PLATFORMS
from scripts.tools.processes import own_program
from tests.support.artifacts import BUILDS, put
from tests.support.download import download
from tests.support.installers import from_files
from tests.support.surroundings import clean, once, run
from tests.support.versions import RELEASED

Scripts = Callable[..., CompletedProcess[str]]
TAGS = {
    "linux-x64": "manylinux_2_28_x86_64",
    "linux-arm64": "manylinux_2_28_aarch64",
    "darwin-x64": "macosx_10_12_x86_64",
    "darwin-arm64": "macosx_11_0_arm64",
    "windows-x64": "win_amd64",
    "windows-arm64": "win_arm64",
    "stub": "any",
}
PIP = {
    "manylinux_2_28_x86_64": "linux-x64",
    "manylinux_2_28_aarch64": "linux-arm64",
    "macosx_10_12_x86_64": "darwin-x64",
    "macosx_14_0_x86_64": "darwin-x64",
    "macosx_11_0_arm64": "darwin-arm64",
    "win_amd64": "windows-x64",
    "win_arm64": "windows-arm64",
    "manylinux_2_17_x86_64": "stub",
    "musllinux_1_2_x86_64": "stub",
    "macosx_10_11_x86_64": "stub",
    "linux_riscv64": "stub",
    "freebsd_14_amd64": "stub",
    "win32": "stub",
}
UV = {
    "x86_64-manylinux_2_28": "linux-x64",
    "x86_64-manylinux_2_40": "linux-x64",
    "aarch64-manylinux_2_28": "linux-arm64",
    "x86_64-apple-darwin": "darwin-x64",
    "aarch64-apple-darwin": "darwin-arm64",
    "x86_64-pc-windows-msvc": "windows-x64",
    "aarch64-pc-windows-msvc": "windows-arm64",
    "x86_64-manylinux_2_17": "stub",
    "x86_64-unknown-linux-musl": "stub",
    "aarch64-unknown-linux-musl": "stub",
    "riscv64-unknown-linux": "stub",
}


@pytest.fixture(scope="session")
def all_platforms(shared: Path, scripts: Scripts) -> Path:
    """Return the wheels of a release with a command line for six platforms: headers alone."""

    def make(folder: Path) -> None:
        # One program will do: each wheel takes a process to build.
        for platform in PLATFORMS:
            put(folder / "artifacts", "cli", platform, BUILDS[platform])
        collect = ("collect", "artifacts", folder / "artifacts", "--program", "cli")
        scripts(*collect, "--into", folder / "binaries")
        scripts("wheels", "--binaries", folder / "binaries", "--out", folder / "dist")

    return once(shared / "all-platforms", make) / "dist"


def test_every_tag_comes_from_its_bytes(all_platforms: Path) -> None:
    names = sorted(path.name for path in all_platforms.glob("leanspec_cli_bin-*.whl"))
    assert names == sorted(
        f"leanspec_cli_bin-{RELEASED}-py3-none-{tag}.whl" for tag in TAGS.values()
    )


def test_the_stub_says_what_the_release_has(all_platforms: Path) -> None:
    with zipfile.ZipFile(
        all_platforms / f"leanspec_cli_bin-{RELEASED}-py3-none-any.whl"
    ) as stub:
        release = json.loads(stub.read("leanspec_cli_bin/stub.json"))
        output = stub.read(f"leanspec_cli_bin-{RELEASED}.dist-info/WHEEL").decode()
        assert "Root-Is-Purelib: true" in output
    assert release["builds"] == {key: [tag] for key, tag in TAGS.items() if key != "stub"}


def test_pip_takes_the_wheel_of_each_machine(all_platforms: Path, tmp_path: Path) -> None:
    wheels = {tmp_path / platform: ("leanspec-cli-bin", platform) for platform in PIP}
    download(wheels, clean(tmp_path / "home"), "--find-links", str(all_platforms))
    choices = {
        platform: [path.name for path in (tmp_path / platform).iterdir()]
        for platform in PIP
    }
    assert choices == {
        platform: [f"leanspec_cli_bin-{RELEASED}-py3-none-{TAGS[build]}.whl"]
        for platform, build in PIP.items()
    }


@pytest.mark.parametrize("platform", UV)
def test_uv_takes_the_wheel_of_each_machine(
    platform: str, all_platforms: Path, tmp_path: Path, wheelhouse: Path
) -> None:
    env = from_files(tmp_path / "home", all_platforms, wheelhouse)
    target = tmp_path / "target"
    uv = (own_program("uv"), "pip", "install", "--python", sys.executable)
    run([*uv, "--python-platform", platform, "--target", target, "lean-spec"], env)
    info = target / f"leanspec_cli_bin-{RELEASED}.dist-info"
    text = (info / "WHEEL").read_text("utf-8")
    assert f"Tag: py3-none-{TAGS[UV[platform]]}\n" in text

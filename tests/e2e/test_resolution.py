"""What installers choose for other machines: the right platform wheel, or the stub."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest

from leanspec_launcher._tables import PLATFORMS
from scripts.tools.processes import own_program
from tests.support import targets
from tests.support.artifacts import BUILDS, put
from tests.support.download import download
from tests.support.installers import from_files
from tests.support.releases import Scripts
from tests.support.surroundings import clean, once, run
from tests.support.versions import RELEASED

TAGS = targets.TAGS | {"stub": "any"}
OTHERS_OF_PIP = (
    *("manylinux_2_17_x86_64", "musllinux_1_2_x86_64", "macosx_10_11_x86_64"),
    *("linux_riscv64", "freebsd_14_amd64", "win32"),
)
OTHERS_OF_UV = (
    *("x86_64-manylinux_2_17", "x86_64-unknown-linux-musl"),
    *("aarch64-unknown-linux-musl", "riscv64-unknown-linux"),
)
PIP = dict.fromkeys(OTHERS_OF_PIP, "stub") | {"macosx_14_0_x86_64": "darwin-x64"}
PIP |= {tag: key for key, tag in targets.TAGS.items()}
UV = dict.fromkeys(OTHERS_OF_UV, "stub") | {"x86_64-manylinux_2_40": "linux-x64"}
UV |= {name: key for key, name in targets.UV_PLATFORMS.items()}


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

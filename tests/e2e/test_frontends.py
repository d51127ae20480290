"""The three build frontends, isolated and not: the same wheel, byte for byte."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from leanspec_launcher._tables import current
from tests.support.installers import Pip, from_files
from tests.support.surroundings import run
from tests.support.versions import RELEASED

pytestmark = pytest.mark.posix
PLATFORM = current()
assert PLATFORM is not None
SETTING = ("-C", f"platform={PLATFORM.key}")
BUILD = (sys.executable, "-m", "build")
PIP = (sys.executable, "-m", "pip", "wheel", "--no-deps")
UV = ("uv", "build", "--wheel")
# The last option of each names the folder of the wheel.
COMMANDS: dict[str, tuple[str, ...]] = {
    "build": (*BUILD, "--wheel", "--outdir"),
    "build -n": (*BUILD, "--wheel", "--no-isolation", "--outdir"),
    "pip": (*PIP, "--wheel-dir"),
    "pip --no-build-isolation": (*PIP, "--no-build-isolation", "--wheel-dir"),
    "uv": (*UV, "--python", sys.executable, "--out-dir"),
    "uv --no-build-isolation": (
        *(*UV, "--python", sys.executable, "--no-build-isolation", "--out-dir"),
    ),
}


@pytest.fixture
def project(stand_in: Path, released_tree: Path, tmp_path: Path) -> Path:
    """Return the project of the command line with a small binary."""
    ignored = shutil.ignore_patterns("binaries", "bin", "__pycache__")
    project = tmp_path / "project"
    shutil.copytree(released_tree / "platform_wheels/cli", project, ignore=ignored)
    shutil.copytree(stand_in / "binaries/cli/binaries", project / "binaries")
    return project


@pytest.fixture
def expected(stand_in: Path) -> Path:
    """Return the wheel that `wheels` built of it."""
    wheels = (stand_in / "dist").glob("leanspec_cli_bin-*.whl")
    (wheel,) = (wheel for wheel in wheels if not wheel.name.endswith("-any.whl"))
    return wheel


@pytest.fixture
def env(wheelhouse: Path, tmp_path: Path) -> dict[str, str]:
    return from_files(tmp_path / "home", wheelhouse)


@pytest.mark.parametrize("frontend", COMMANDS)
def test_a_frontend_builds_the_very_same_wheel(
    frontend: str, project: Path, env: dict[str, str], expected: Path, tmp_path: Path
) -> None:
    run([*COMMANDS[frontend], tmp_path / "out", *SETTING, project], env)
    wheels = list((tmp_path / "out").glob("*.whl"))
    assert [wheel.name for wheel in wheels] == [expected.name]
    assert wheels[0].read_bytes() == expected.read_bytes()


def test_every_python_builds_the_very_same_wheel(
    pythons: dict[str, Path],
    project: Path,
    env: dict[str, str],
    expected: Path,
    tmp_path: Path,
) -> None:
    newer = {
        short: python
        for short, python in pythons.items()
        if tuple(map(int, short.split("."))) >= (3, 11)
    }
    for short, python in newer.items():
        out = tmp_path / short
        run([*UV, "--python", python, "--out-dir", out, *SETTING, project], env)
        assert (out / expected.name).read_bytes() == expected.read_bytes()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            (*COMMANDS["build -n"], "out", "-C", "nonsense=1"),
            "the config setting `nonsense` is unknown",
        ),
        (
            (*BUILD, "-n", "--sdist", "--outdir", "out"),
            "a project with a prebuilt executable has no source distribution",
        ),
        (
            (
                *COMMANDS["pip --no-build-isolation"],
                "out",
                *SETTING,
                "-C",
                "binary=/nowhere",
            ),
            "exclude each other",
        ),
    ],
)
def test_a_frontend_shows_our_words_and_no_traceback(
    command: tuple[str, ...], words: str, project: Path, env: dict[str, str], tmp_path: Path
) -> None:
    result = run([*command, project], env, cwd=tmp_path, code=1)
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert not list(tmp_path.glob("out/*"))


def test_the_editable_package_uses_the_local_binary(
    project: Path, env: dict[str, str], tmp_path: Path
) -> None:
    installation = Pip(tmp_path / "home", env)
    installation.install("--editable", project)
    code = "import leanspec_cli_bin, pathlib; print(pathlib.Path(leanspec_cli_bin.__file__).parent / 'bin/leanspec')"
    binary = Path(installation.run(installation.pip_python, "-c", code).stdout.strip())
    assert binary.resolve().is_relative_to(project / "binaries")
    assert run([binary, "--version"], env).stdout == f"lean-spec {RELEASED}\n"

"""The three build frontends, isolated and not: the same wheel, byte for byte."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.tools.processes import own_program
from tests.support.surroundings import clean, make_venv, run
from tests.support.versions import RELEASED

SETTING = "platform=linux-x64"
PIP = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-C", SETTING]
BUILD = [sys.executable, "-m", "build", "--wheel", "-C", SETTING]
UV = ["build", "--wheel", "--python", sys.executable, "-C", SETTING]
COMMANDS: dict[str, Callable[[Path, Path], list[str | Path]]] = {
    "build": lambda project, out: [*BUILD, "--outdir", out, project],
    "build -n": lambda project, out: [*BUILD, "--no-isolation", "--outdir", out, project],
    "pip": lambda project, out: [*PIP, "--wheel-dir", out, project],
    "pip --no-build-isolation": lambda project, out: [
        *PIP,
        "--no-build-isolation",
        "--wheel-dir",
        out,
        project,
    ],
    "uv": lambda project, out: [own_program("uv"), *UV, "--out-dir", out, project],
    "uv --no-build-isolation": lambda project, out: [
        own_program("uv"),
        *UV,
        "--no-build-isolation",
        "--out-dir",
        out,
        project,
    ],
}


@pytest.fixture
def project(binaries: Path, released_tree: Path, tmp_path: Path) -> Path:
    """Return the cli family's project with its real binary."""
    ignored = shutil.ignore_patterns("binaries", "bin", "__pycache__")
    shutil.copytree(
        released_tree / "platform_wheels/cli", tmp_path / "project", ignore=ignored
    )
    shutil.copytree(binaries / "cli/binaries", tmp_path / "project/binaries")
    return tmp_path / "project"


@pytest.fixture
def env(wheelhouse: Path, tmp_path: Path) -> dict[str, str]:
    return clean(
        tmp_path / "home", PIP_FIND_LINKS=str(wheelhouse), UV_FIND_LINKS=str(wheelhouse)
    )


@pytest.mark.parametrize("frontend", COMMANDS)
def test_a_frontend_builds_the_very_same_wheel(
    frontend: str, project: Path, env: dict[str, str], dist: Path, tmp_path: Path
) -> None:
    run(COMMANDS[frontend](project, tmp_path / "out"), env)
    expected = next(dist.glob("leanspec_cli_bin-*linux*.whl"))
    wheels = list((tmp_path / "out").glob("*.whl"))
    assert [wheel.name for wheel in wheels] == [expected.name]
    assert wheels[0].read_bytes() == expected.read_bytes()


def test_every_python_builds_the_very_same_wheel(
    pythons: dict[str, Path], project: Path, env: dict[str, str], dist: Path, tmp_path: Path
) -> None:
    expected = next(dist.glob("leanspec_cli_bin-*linux*.whl"))
    newer = {
        short: python
        for short, python in pythons.items()
        if tuple(map(int, short.split("."))) >= (3, 11)
    }
    for short, python in newer.items():
        command = [
            own_program("uv"),
            "build",
            "--wheel",
            "--python",
            str(python),
            "-C",
            SETTING,
        ]
        run([*command, "--out-dir", str(tmp_path / short), str(project)], env)
        assert (tmp_path / short / expected.name).read_bytes() == expected.read_bytes()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([*BUILD, "-n", "-C", "nonsense=1"], "the config setting `nonsense` is unknown"),
        (
            [sys.executable, "-m", "build", "-n", "--sdist"],
            "a project with a prebuilt executable has no source distribution",
        ),
        ([*PIP, "--no-build-isolation", "-C", "binary=/nowhere"], "exclude each other"),
    ],
)
def test_a_frontend_shows_our_words_and_no_traceback(
    command: list[str], words: str, project: Path, env: dict[str, str], tmp_path: Path
) -> None:
    target = "--wheel-dir" if "pip" in command else "--outdir"
    done = run([*command, target, tmp_path / "out", project], env, code=1)
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(tmp_path.glob("out/*"))


def test_the_editable_package_uses_the_local_binary(
    project: Path, env: dict[str, str], tmp_path: Path
) -> None:
    prefix = tmp_path / "venv"
    make_venv(prefix)
    run([prefix / "bin/python", "-m", "pip", "install", "--editable", project], env)
    code = "import leanspec_cli_bin, pathlib; print(pathlib.Path(leanspec_cli_bin.__file__).parent / 'bin/leanspec')"
    found = run([prefix / "bin/python", "-c", code], env).stdout.strip()
    assert Path(found).resolve() == project / "binaries/linux-x64/leanspec"
    assert run([found, "--version"], env).stdout == f"lean-spec {RELEASED}\n"

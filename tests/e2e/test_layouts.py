"""Every layout in which a command may come to lie: it works, or says why not."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from scripts.tools.processes import own_program
from scripts.tools.tree_copy import copy_tree
from tests.support.installations import (
    INSTALLERS,
    Installed,
    Source,
    by_pip_target,
    must_work,
    own_flit,
)
from tests.support.surroundings import is_root, make_venv, packages, run
from tests.support.versions import RELEASED


def started(installed: Installed, version: str) -> None:
    assert (
        run([installed.scripts / "lean-spec", "--version"], installed.env).stdout
        == f"lean-spec {version}\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("installer", INSTALLERS)
def test_every_installer_on_every_python(
    installer: str, pythons: dict[str, Path], source: Source, version: str
) -> None:
    """A matrix of installers and CPythons; some three minutes."""
    for short, python in pythons.items():
        made = INSTALLERS[installer](
            Source(source.dist, source.wheelhouse, source.home / short, python)
        )
        must_work(made, source.home / f"project-{short}", version)
        said = run([made.scripts / "leanspec-launcher", "doctor"], made.env, code=0).stdout
        assert f"CPython {short}." in said


def test_uv_run_with(source: Source, tmp_path: Path, version: str) -> None:
    tmp_path.joinpath("here").mkdir()
    command = [
        own_program("uv"),
        "run",
        "--no-project",
        "--python",
        sys.executable,
        "--with",
        "lean-spec",
        "lean-spec",
        "--version",
    ]
    assert (
        run(command, source.env, cwd=tmp_path / "here").stdout == f"lean-spec {version}\n"
    )


def test_pipx_with_a_suffix(source: Source, version: str) -> None:
    run(
        [
            own_program("pipx"),
            "install",
            "--python",
            sys.executable,
            "--suffix",
            "@old",
            "lean-spec",
        ],
        source.env,
    )
    command = source.home / "pipx-bin/lean-spec@old"
    assert run([command, "--version"], source.env).stdout == f"lean-spec {version}\n"
    binary = (
        packages(source.home / "pipx/venvs/lean-spec@old") / "leanspec_cli_bin/bin/leanspec"
    )
    binary.unlink()
    hint = run([command, "list"], source.env, code=127).stderr.splitlines()[-1]
    assert hint.startswith("hint: pipx runpip lean-spec@old install --force-reinstall ")


def test_pythonpath(source: Source, version: str, tmp_path: Path) -> None:
    made = by_pip_target(source)
    python: list[str | Path] = [
        sys.executable,
        "-m",
        "leanspec_launcher",
        "cli",
        "--version",
    ]
    assert run(python, made.env, cwd=tmp_path).stdout == f"lean-spec {version}\n"
    gone = tmp_path / "gone"
    gone.mkdir()
    shell = ["/bin/sh", "-c", f'cd "{gone}" && rmdir "{gone}" && exec "$@"', "sh"]
    assert run([*shell, *python], made.env).stdout == f"lean-spec {version}\n"


def test_a_moved_environment(source: Source, tmp_path: Path, version: str) -> None:
    """A script of pip's names its Python; that of a relocatable environment looks next to itself."""
    plain, relocatable = tmp_path / "plain", tmp_path / "relocatable"
    make_venv(plain)
    run([plain / "bin/python", "-m", "pip", "install", "lean-spec"], source.env)
    run(
        [
            own_program("uv"),
            "venv",
            "--relocatable",
            "--python",
            sys.executable,
            relocatable,
        ],
        source.env,
    )
    run(
        [
            own_program("uv"),
            "pip",
            "install",
            "--python",
            relocatable / "bin/python",
            "lean-spec",
        ],
        source.env,
    )
    for folder in (plain, relocatable):
        folder.rename(folder.with_name(f"{folder.name} moved"))
    moved = tmp_path / "plain moved/bin"
    with pytest.raises(
        FileNotFoundError, match="lean-spec"
    ):  # the system's word on the script's first line
        run([moved / "lean-spec", "--version"], source.env)
    assert (
        run([moved / "python", moved / "lean-spec", "--version"], source.env).stdout
        == f"lean-spec {version}\n"
    )
    manage = [moved / "python", moved / "leanspec-launcher"]
    assert (
        "is a script whose Python is not there"
        in run([*manage, "doctor"], source.env, code=1).stdout
    )
    assert (
        "is a script whose Python is not there"
        in run([*manage, "link"], source.env, code=1).stderr
    )
    started(Installed(tmp_path / "relocatable moved/bin", moved, source.env), version)


@pytest.mark.parametrize(
    "name", ["with space", "ünïcode", "new\nline", "quote'\"", "percent%s{x}"]
)
def test_a_path_of_any_kind(
    name: str, installed: Path, tmp_path: Path, surroundings: dict[str, str], version: str
) -> None:
    environment = tmp_path / name / "environment"
    shutil.copytree(installed, environment, symlinks=True)
    command: list[str | Path] = [
        environment / "bin/python",
        environment / "bin/lean-spec",
        "--version",
    ]
    assert run(command, surroundings).stdout == f"lean-spec {version}\n"
    run(
        [environment / "bin/python", environment / "bin/leanspec-launcher", "verify"],
        surroundings,
    )
    (packages(environment) / "leanspec_cli_bin/bin/leanspec").write_bytes(b"")
    assert (
        "its SHA-256 is not the expected one" in run(command, surroundings, code=126).stderr
    )


def test_a_tree_installed_from_sources_says_how_a_release_takes_its_place(
    source: Source, released_tree: Path, tmp_path: Path, version: str
) -> None:
    """It has no pins, so it starts nothing, and nothing can be collected for it."""
    prefix = source.home / "venv"
    make_venv(prefix)
    copy_tree(tmp_path / "tree", released_tree)
    pip: list[str | Path] = [prefix / "bin/python", "-m", "pip", "install"]
    shutil.copytree(own_flit(), packages(prefix) / "flit_core")
    run([*pip, "--no-build-isolation", tmp_path / "tree"], source.env)
    said = run(
        [prefix / "bin/lean-spec", "--version"], source.env, code=126
    ).stderr.splitlines()[-1]
    assert said.startswith("hint: install a release, which pins its binaries: ")
    assert (
        "installed from sources, which pin no binaries"
        in run([prefix / "bin/leanspec-launcher", "doctor"], source.env, code=1).stdout
    )
    run(shlex.split(said.partition("binaries: ")[2]), source.env)
    assert (
        run([prefix / "bin/lean-spec", "--version"], source.env).stdout
        == f"lean-spec {version}\n"
    )


def test_a_wheel_that_was_named_is_taken_from_there_again(
    source: Source, dist: Path, version: str
) -> None:
    """An index may not have it at all."""
    prefix = source.home / "venv"
    make_venv(prefix)
    pip: list[str | Path] = [prefix / "bin/python", "-m", "pip", "install"]
    run(
        [*pip, *sorted(dist.glob("leanspec_cli_bin-*linux_*.whl")), "lean-spec"], source.env
    )
    (packages(prefix) / "leanspec_cli_bin/bin/leanspec").unlink()
    said = run(
        [prefix / "bin/lean-spec", "--version"], source.env, code=127
    ).stderr.splitlines()[-1]
    assert f"leanspec-cli-bin @ {dist.as_uri()}/" in said
    without = {
        name: value for name, value in source.env.items() if not name.endswith("FIND_LINKS")
    }
    run(shlex.split(said.removeprefix("hint: ")), without | {"PIP_NO_INDEX": "1"})
    assert (
        run([prefix / "bin/lean-spec", "--version"], source.env).stdout
        == f"lean-spec {version}\n"
    )


def test_the_programs_of_a_tool_of_another_package(source: Source, version: str) -> None:
    """Uv makes such a tool again with what it is told, so the hint names all that it was made of."""
    uv = Path(own_program("uv"))
    env = source.env | {
        "UV_TOOL_BIN_DIR": str(source.home / "bin"),
        "UV_TOOL_DIR": str(source.home / "tools"),
    }
    wheel = source.home / "greeting-1.0-py3-none-any.whl"
    info = "greeting-1.0.dist-info"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("greeting.py", "def main():\n    print('hello')\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(
            f"{info}/entry_points.txt", "[console_scripts]\ngreeting = greeting:main\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    env["UV_FIND_LINKS"] += f",{source.home}"
    run(
        [
            uv,
            "tool",
            "install",
            "--python",
            source.python,
            "greeting",
            "--with-executables-from",
            "lean-spec",
        ],
        env,
    )
    assert (
        run([source.home / "bin/lean-spec", "--version"], env).stdout
        == f"lean-spec {version}\n"
    )
    said = run(
        [source.home / "bin/leanspec-http", "--version"], env, code=127
    ).stderr.splitlines()[-1]
    assert (
        said
        == "hint: uv tool install --reinstall greeting --with-executables-from 'lean-spec[ui]'"
    )
    run([uv, *shlex.split(said.removeprefix("hint: "))[1:]], env)
    run([source.home / "bin/leanspec-http", "--version"], env)
    assert run([source.home / "bin/greeting"], env).stdout == "hello\n"


def test_an_editable_checkout(
    tmp_path: Path, source: Source, released_tree: Path, binaries: Path
) -> None:
    """Without pins, the binaries are those collected in it."""
    checkout = tmp_path / "checkout"
    copy_tree(checkout, released_tree)
    prefix = source.home / "venv"
    make_venv(prefix)
    pip: list[str | Path] = [prefix / "bin/python", "-m", "pip", "install"]
    run([*pip, "click"], source.env)
    shutil.copytree(own_flit(), packages(prefix) / "flit_core")
    run([*pip, "--no-deps", "--no-build-isolation", "--editable", checkout], source.env)
    said = run([prefix / "bin/lean-spec", "--version"], source.env, code=127).stderr
    assert (
        said.splitlines()[-1]
        == "hint: collect the binaries of this checkout: python3 -m scripts collect --help"
    )
    for family in ("cli", "mcp"):
        shutil.copytree(
            binaries / family / "binaries",
            checkout / "platform_wheels" / family / "binaries",
        )
    assert (
        run([prefix / "bin/lean-spec", "--version"], source.env).stdout
        == f"lean-spec {RELEASED}\n"
    )
    said = run([prefix / "bin/leanspec-launcher", "doctor"], source.env).stdout
    assert "running from a source checkout" in said
    assert run(
        [prefix / "bin/leanspec-launcher", "link"], source.env, code=1
    ).stderr.startswith("error: ")


@pytest.mark.system
def test_a_system_wide_installation_started_by_another_user(
    version: str, source: Source
) -> None:
    """The other user has no home; its file is hashed at every start, and still starts."""
    system = Path("/usr/bin/python3")
    if not is_root() or not shutil.which("setpriv") or not system.exists():
        pytest.skip("needs root, setpriv and a Python for every user")
    target = Path("/opt") / f"lean-spec-test-{os.getpid()}"
    try:
        command: list[str | Path] = [
            own_program("uv"),
            "pip",
            "install",
            "--python",
            system,
            "--target",
            target,
            "lean-spec",
        ]
        run(command, source.env)
        nobody: list[str | Path] = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            system,
        ]
        env = {"PYTHONPATH": str(target), "HOME": "/nonexistent"}
        start: list[str | Path] = [*nobody, "-m", "leanspec_launcher", "cli", "--version"]
        assert run(start, env, cwd=Path("/")).stdout == f"lean-spec {version}\n"
        binary = target / "leanspec_cli_bin/bin/leanspec"
        binary.chmod(0o644)  # not this user's to change
        said = run(start, env, code=126, cwd=Path("/")).stderr
        assert f"cannot start `{binary}`: it has no permission to run (no run bit)" in said
        assert f"hint: let its owner run `chmod +x '{binary}'`" in said
        binary.chmod(0o700)
        said = run(start, env, code=126, cwd=Path("/")).stderr
        assert f"hint: let its owner run `chmod a+rx '{binary}'`" in said
    finally:
        shutil.rmtree(target, ignore_errors=True)

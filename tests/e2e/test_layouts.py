"""Every layout in which a command may come to lie: it works, or says why not."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess
from zipfile import ZipFile

import pytest

from tests.support import installers
from tests.support.installers import Fresh, Installation, Lend, Pip, UvPip, UvTool, own_flit
from tests.support.preconditions import require
from tests.support.surroundings import packages, run
from tests.support.tree_copy import copy_tree
from tests.support.versions import RELEASED
from tests.support.wheel_files import REQUIRED


def hint(result: CompletedProcess[str]) -> str:
    """Return what an error ends with."""
    return result.stderr.splitlines()[-1].removeprefix("hint: ")


@pytest.mark.slow
@pytest.mark.parametrize("installer", installers.INSTALLERS)
def test_every_installer_works_on_every_python(
    installer: type[Installation],
    pythons: dict[str, Path],
    dist: Path,
    wheelhouse: Path,
    tmp_path: Path,
    version: str,
) -> None:
    """A matrix of installers and CPythons; some three minutes."""
    for short, python in pythons.items():
        home = tmp_path / short
        installation = installer(
            home, installers.from_files(home, dist, wheelhouse), python
        )
        installation.install()
        installers.must_work(installation, tmp_path / f"project-{short}", version)
        report = installation.start("leanspec-launcher", "doctor").stdout
        assert f"CPython {short}." in report


def test_uv_run_with_a_requirement_starts_the_programs(
    fresh: Fresh, tmp_path: Path, version: str
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    uv_run = ("uv", "run", "--no-project", "--python", sys.executable)
    command = ("--with", "lean-spec", "lean-spec", "--version")
    output = fresh(UvTool).run(*uv_run, *command, cwd=folder).stdout
    assert output == f"lean-spec {version}\n"


def test_commands_of_pipx_with_a_suffix_work_and_are_repaired(
    fresh: Fresh, version: str
) -> None:
    pipx = fresh(installers.Pipx)
    pipx.install("--suffix", "@old", "lean-spec")
    output = pipx.start("lean-spec@old", "--version").stdout
    assert output == f"lean-spec {version}\n"
    environment = pipx.environment.with_name("lean-spec@old")
    (packages(environment) / "leanspec_cli_bin/bin/leanspec").unlink()
    command = hint(pipx.start("lean-spec@old", "list", code=127))
    assert command.endswith("/lean-spec@old/bin/leanspec-launcher repair cli")
    pipx.run(*shlex.split(command, comments=True))
    assert pipx.start("lean-spec@old", "--version").stdout == output


def test_programs_are_found_through_pythonpath(
    lend: Lend, version: str, tmp_path: Path
) -> None:
    installation = lend(installers.PipTarget)
    python = (sys.executable, "-m", "leanspec_launcher", "cli", "--version")
    result = run(python, installation.variables, cwd=tmp_path)
    assert result.stdout == f"lean-spec {version}\n"
    gone = tmp_path / "gone"
    gone.mkdir()
    shell = ("/bin/sh", "-c", f'cd "{gone}" && rmdir "{gone}" && exec "$@"', "sh")
    result = run([*shell, *python], installation.variables)
    assert result.stdout == f"lean-spec {version}\n"


def test_a_moved_environment_of_pip_reports_that_its_python_is_gone(
    lend: Lend, version: str
) -> None:
    """A script of pip's names its Python."""
    installation = lend(Pip)
    moved = installation.environment.with_name("venv moved")
    installation.environment.rename(moved)
    command = moved / "bin/lean-spec"
    # The system complains about the first line of the script.
    with pytest.raises(FileNotFoundError, match="lean-spec"):
        run([command, "--version"], installation.env)
    python = moved / "bin/python"
    output = run([python, command, "--version"], installation.env).stdout
    assert output == f"lean-spec {version}\n"
    launcher = [python, moved / "bin/leanspec-launcher"]
    reason = "is a script whose Python is not there"
    assert reason in run([*launcher, "doctor"], installation.env, code=1).stdout
    assert reason in run([*launcher, "link"], installation.env, code=1).stderr


def test_a_moved_relocatable_environment_works(fresh: Fresh, version: str) -> None:
    """Its scripts look for a Python next to themselves."""
    installation = fresh(UvPip)
    folder = installation.environment
    make = ("uv", "venv", "--relocatable", "--python", sys.executable)
    installation.run(*make, folder)
    installation.install()
    moved = folder.rename(folder.with_name("venv moved"))
    output = run([moved / "bin/lean-spec", "--version"], installation.env).stdout
    assert output == f"lean-spec {version}\n"


@pytest.mark.parametrize(
    "name", ["with space", "ünïcode", "new\nline", "quote'\"", "percent%s{x}"]
)
def test_programs_start_in_a_folder_of_any_name(
    name: str, lend: Lend, tmp_path: Path, version: str
) -> None:
    installation = lend(UvPip)
    environment = tmp_path / name / "environment"
    shutil.copytree(installation.environment, environment, symlinks=True)
    python = environment / "bin/python"
    command: list[str | Path] = [python, environment / "bin/lean-spec", "--version"]
    assert run(command, installation.env).stdout == f"lean-spec {version}\n"
    run([python, environment / "bin/leanspec-launcher", "verify"], installation.env)
    (packages(environment) / "leanspec_cli_bin/bin/leanspec").write_bytes(b"")
    error = run(command, installation.env, code=126).stderr
    assert "its SHA-256 is not the expected one" in error


def test_a_tree_installed_from_sources_says_how_a_release_takes_its_place(
    fresh: Fresh, released_tree: Path, tmp_path: Path, version: str
) -> None:
    """It has no pins, so it starts nothing, and nothing can be collected for it."""
    installation = fresh(Pip)
    installation.prepare()
    copy_tree(tmp_path / "tree", released_tree)
    shutil.copytree(own_flit(), installation.packages / "flit_core")
    installation.install("--no-build-isolation", tmp_path / "tree")
    advice = hint(installation.start("lean-spec", "--version", code=126))
    words, _, command = advice.partition(": ")
    assert words == "install a release, which pins its binaries"
    report = installation.start("leanspec-launcher", "doctor", code=1).stdout
    assert "installed from sources, which pin no binaries" in report
    installation.run(*shlex.split(command))
    installation.must_report(version)


def test_a_wheel_that_was_named_is_taken_from_there_again(
    fresh: Fresh, dist: Path, version: str
) -> None:
    """An index may not have it at all."""
    installation = fresh(Pip)
    wheels = sorted(dist.glob("leanspec_cli_bin-*linux_*.whl"))
    installation.install(*wheels, "lean-spec")
    installation.binary().unlink()
    command = hint(installation.start("lean-spec", "--version", code=127))
    assert f"leanspec-cli-bin @ {dist.as_uri()}/" in command
    del installation.env["PIP_FIND_LINKS"]
    installation.run(*shlex.split(command))
    installation.must_report(version)


def test_programs_of_a_tool_of_another_package_are_found_and_repaired(
    fresh: Fresh, version: str
) -> None:
    """Uv makes such a tool again with what it is told, so the hint names all that it was made of."""
    tool = fresh(UvTool)
    info = "greeting-1.0.dist-info"
    with ZipFile(tool.home / "greeting-1.0-py3-none-any.whl", "w") as archive:
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
    tool.env["UV_FIND_LINKS"] += f",{tool.home}"
    tool.install("greeting", "--with-executables-from", "lean-spec")
    tool.must_report(version)
    command = hint(tool.start("leanspec-http", "--version", code=127))
    requirements = "greeting --with-executables-from 'lean-spec[ui]'"
    assert command == f"uv tool install --reinstall {requirements}"
    tool.run(*shlex.split(command))
    tool.start("leanspec-http", "--version")
    assert tool.start("greeting").stdout == "hello\n"


def test_an_editable_checkout_runs_its_collected_binaries(
    tmp_path: Path, fresh: Fresh, released_tree: Path, binaries: Path
) -> None:
    """Without pins, the binaries are those collected in it."""
    checkout = tmp_path / "checkout"
    copy_tree(checkout, released_tree)
    installation = fresh(Pip)
    installation.prepare()
    shutil.copytree(own_flit(), installation.packages / "flit_core")
    options = ("--no-deps", "--no-build-isolation")
    installation.install(*options, *REQUIRED, "--editable", checkout)
    advice = hint(installation.start("lean-spec", "--version", code=127))
    command = "python3 -m scripts collect --help"
    assert advice == f"collect the binaries of this checkout: {command}"
    for program in ("cli", "mcp"):
        shutil.copytree(
            binaries / program / "binaries",
            checkout / "platform_wheels" / program / "binaries",
        )
    installation.must_report(RELEASED)
    report = installation.start("leanspec-launcher", "doctor").stdout
    assert "running from a source checkout" in report
    error = installation.start("leanspec-launcher", "link", code=1).stderr
    assert error.startswith("error: ")


@pytest.mark.system
def test_another_user_starts_a_system_wide_installation(version: str, fresh: Fresh) -> None:
    """The other user has no home; its file is hashed at every start, and still starts."""
    require("root", "setpriv", "a Python for every user")
    system = Path("/usr/bin/python3")
    target = Path("/opt") / f"lean-spec-test-{os.getpid()}"
    try:
        install = ("uv", "pip", "install", "--python", system, "--target", target)
        fresh(UvPip).run(*install, "lean-spec")
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", system)
        env = {"PYTHONPATH": str(target), "HOME": "/nonexistent"}
        start: list[str | Path] = [*nobody, "-m", "leanspec_launcher", "cli", "--version"]
        assert run(start, env, cwd=Path("/")).stdout == f"lean-spec {version}\n"
        binary = target / "leanspec_cli_bin/bin/leanspec"
        binary.chmod(0o644)  # not this user's to change
        error = run(start, env, code=126, cwd=Path("/")).stderr
        assert (
            f"cannot start `{binary}`: it is not executable (it lacks the run permission)"
            in error
        )
        assert f"hint: let its owner run `chmod +x {binary}`" in error
        binary.chmod(0o700)
        error = run(start, env, code=126, cwd=Path("/")).stderr
        assert f"hint: let its owner run `chmod a+rx {binary}`" in error
    finally:
        shutil.rmtree(target, ignore_errors=True)

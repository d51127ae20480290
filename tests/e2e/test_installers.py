"""The wheels under real installers: installed from files alone, then run."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.mcp_session import list_tools
from scripts.processes import own_program
from tests.surroundings import BASE_PYTHON, clean, make_venv, packages, programs, run
from tests.versions import RELEASED


@dataclass(frozen=True)
class Installed:
    """Hold what an installer left: the commands, and where the packages are."""

    scripts: Path
    packages: Path
    env: dict[str, str]


@dataclass(frozen=True)
class Source:
    """Hold where an installer finds wheels, and a home for what it makes."""

    dist: Path
    wheelhouse: Path
    home: Path
    python: Path = BASE_PYTHON

    @property
    def env(self) -> dict[str, str]:
        links = f"{self.dist} {self.wheelhouse}"
        return clean(self.home, PIP_FIND_LINKS=links, UV_FIND_LINKS=links.replace(" ", ","))


def venv(source: Source) -> Path:
    return make_venv(source.home / "venv", source.python)


def by_pip(source: Source) -> Installed:
    prefix = venv(source)
    run([programs(prefix) / "python", "-m", "pip", "install", "lean-spec"], source.env)
    return Installed(programs(prefix), packages(prefix), source.env)


def by_pip_target(source: Source) -> Installed:
    prefix = venv(source)
    target = source.home / "target"
    run([prefix / "bin/python", "-m", "pip", "install", "--target", target, "lean-spec"], source.env)
    return Installed(target / "bin", target, source.env | {"PYTHONPATH": str(target)})


def by_pip_prefix(source: Source) -> Installed:
    prefix = source.home / "prefix"
    run([venv(source) / "bin/python", "-m", "pip", "install", "--prefix", prefix, "lean-spec"], source.env)
    return Installed(prefix / "bin", packages(prefix), source.env | {"PYTHONPATH": str(packages(prefix))})


def by_pip_user(source: Source) -> Installed:
    env = source.env | {"PYTHONUSERBASE": str(source.home / "user")}
    # The interpreter itself: `--user` is refused in a virtual environment.
    run([source.python, "-m", "pip", "install", "--user", "lean-spec"], env)
    return Installed(source.home / "user/bin", packages(source.home / "user"), env)


def by_uv_pip(source: Source) -> Installed:
    prefix = source.home / "venv"
    run([own_program("uv"), "venv", "--python", source.python, prefix], source.env)
    python = programs(prefix) / "python"
    run([own_program("uv"), "pip", "install", "--python", python, "lean-spec"], source.env)
    return Installed(programs(prefix), packages(prefix), source.env)


def by_uv_tool(source: Source) -> Installed:
    run([own_program("uv"), "tool", "install", "--python", source.python, "lean-spec"], source.env)
    return Installed(source.home / "uv-bin", packages(source.home / "uv-tools/lean-spec"), source.env)


def by_pipx(source: Source) -> Installed:
    run([own_program("pipx"), "install", "--python", source.python, "lean-spec"], source.env)
    return Installed(source.home / "pipx-bin", packages(source.home / "pipx/venvs/lean-spec"), source.env)


INSTALLERS: dict[str, Callable[[Source], Installed]] = {
    "pip": by_pip,
    "pip --target": by_pip_target,
    "pip --prefix": by_pip_prefix,
    "pip --user": by_pip_user,
    "uv pip": by_uv_pip,
    "uv tool": by_uv_tool,
    "pipx": by_pipx,
}


@pytest.fixture
def source(dist: Path, wheelhouse: Path, tmp_path: Path) -> Source:
    return Source(dist, wheelhouse, tmp_path / "home")


def must_work(installed: Installed, project: Path, version: str) -> None:
    """Run what a newcomer runs, in a new project."""
    project.mkdir()
    spec = installed.scripts / "lean-spec"
    assert run([spec, "--version"], installed.env).stdout == f"lean-spec {version}\n"
    run([spec, "init", "-y"], installed.env, cwd=project)
    run([spec, "create", "first"], installed.env, cwd=project)
    assert "001-first" in run([spec, "list"], installed.env, cwd=project).stdout
    server, tools = list_tools([str(installed.scripts / "leanspec-mcp")], project, installed.env)
    assert (server["name"], server["version"]) == ("leanspec-mcp", version)
    assert "list_specs" in tools
    found = json.loads(run([installed.scripts / "leanspec-launcher", "which", "--json"], installed.env, code=0).stdout)
    taken = {search["family"]: search["taken"] for search in found}
    binary = installed.packages / "leanspec_cli_bin/bin/leanspec"
    assert taken["cli"] is not None
    assert binary.samefile(taken["cli"])
    assert os.access(binary, os.X_OK)
    assert taken["http"] is None, "the web server comes with the extra `ui`"


@pytest.mark.parametrize("installer", INSTALLERS)
def test_an_installer_makes_it_work(installer: str, source: Source, tmp_path: Path, version: str) -> None:
    must_work(INSTALLERS[installer](source), tmp_path / "project", version)


def test_uvx_runs_it(source: Source, version: str) -> None:
    uvx: list[str | Path] = [own_program("uv"), "tool", "run", "--python", source.python, "--from", "lean-spec"]
    assert run([*uvx, "lean-spec", "--version"], source.env).stdout == f"lean-spec {version}\n"


def test_every_supported_python_runs_it(
    pythons: dict[str, Path], dist: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    for short, python in pythons.items():
        source = Source(dist, wheelhouse, tmp_path / short, python)
        prefix = venv(source)
        run([prefix / "bin/python", "-m", "pip", "install", "lean-spec"], source.env)
        must_work(Installed(prefix / "bin", packages(prefix), source.env), tmp_path / f"project-{short}", version)


def test_the_extra_brings_the_web_server(installed: Path, version: str, surroundings: dict[str, str]) -> None:
    done = run([installed / "bin/leanspec-http", "--version"], surroundings)
    assert done.stdout == f"leanspec-http {version}\n"


def test_the_sdist_installs_and_carries_the_pins(source: Source, dist: Path, version: str) -> None:
    prefix = venv(source)
    sdist = next(dist.glob("lean_spec-*.tar.gz"))
    flit: list[str | Path] = [prefix / "bin/python", "-m", "pip", "install", "--no-build-isolation"]
    shutil.copytree(own_flit(), packages(prefix) / "flit_core")
    run([*flit, sdist], source.env)
    assert run([prefix / "bin/lean-spec", "--version"], source.env).stdout == f"lean-spec {version}\n"


def own_flit() -> Path:
    """Return the folder of the backend that builds `lean-spec`, in the development environment."""
    spec = importlib.util.find_spec("flit_core")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def test_uninstalling_leaves_nothing(own_install: Path, surroundings: dict[str, str]) -> None:
    pip: list[str | Path] = [own_install / "bin/python", "-m", "pip"]
    names = ["lean-spec", "leanspec-cli-bin", "leanspec-mcp-bin", "leanspec-http-bin"]
    run([*pip, "uninstall", "--yes", *names], surroundings)
    left = [path for path in own_install.rglob("*") if path.name.startswith(("leanspec", "lean_spec", "lean-spec"))]
    assert left == []


def start(environment: Path, name: str, *arguments: str, env: dict[str, str], code: int) -> str:
    """Run a command of a copied environment, whose scripts still name the Python of the first one."""
    return run([environment / "bin/python", environment / "bin" / name, *arguments], env, code=code).stderr


def test_without_its_platform_wheel_it_says_what_to_do(source: Source, dist: Path) -> None:
    prefix = venv(source)
    run([prefix / "bin/python", "-m", "pip", "install", "--no-deps", next(dist.glob("lean_spec-*.whl"))], source.env)
    said = run([prefix / "bin/lean-spec", "list"], source.env, code=127).stderr
    assert said.startswith("error: no `leanspec` binary for Linux on x86-64 (`linux-x64`) was found\n")
    assert said.splitlines()[-1].endswith(f"-m pip install --force-reinstall --no-deps leanspec-cli-bin=={RELEASED}")


def test_a_replaced_binary_is_refused(own_install: Path, surroundings: dict[str, str]) -> None:
    binary = packages(own_install) / "leanspec_cli_bin/bin/leanspec"
    start(own_install, "lean-spec", "--version", env=surroundings, code=0)
    shutil.copyfile("/bin/true", binary)
    said = start(own_install, "lean-spec", "--version", env=surroundings, code=126)
    assert f"error: refusing to run `{binary}`: its SHA-256 is not the expected one" in said
    assert "hint: " in said


def test_a_platform_wheel_of_another_version_is_refused(own_install: Path, surroundings: dict[str, str]) -> None:
    site = packages(own_install)
    (site / "leanspec_cli_bin/bin/leanspec").write_bytes(b"another version")
    (site / f"leanspec_cli_bin-{RELEASED}.dist-info").rename(site / "leanspec_cli_bin-0.2.9.dist-info")
    metadata = site / "leanspec_cli_bin-0.2.9.dist-info/METADATA"
    metadata.write_text(metadata.read_text("utf-8").replace(f"Version: {RELEASED}", "Version: 0.2.9"), "utf-8")
    said = start(own_install, "lean-spec", "--version", env=surroundings, code=126)
    assert f"installed  is leanspec-cli-bin 0.2.9, this lean-spec is {RELEASED} and needs the same" in said


def test_a_binary_without_its_run_bit_is_repaired(
    own_install: Path, surroundings: dict[str, str], version: str
) -> None:
    binary = packages(own_install) / "leanspec_cli_bin/bin/leanspec"
    binary.chmod(0o644)
    done = run([own_install / "bin/python", own_install / "bin/lean-spec", "--version"], surroundings)
    assert done.stdout == f"lean-spec {version}\n"
    assert done.stderr == ""

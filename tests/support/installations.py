"""The wheels, installed by each installer, and what an installation must be able to do."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.tools.mcp_session import list_tools
from scripts.tools.processes import own_program
from tests.support.surroundings import (
    BASE_PYTHON,
    clean,
    make_venv,
    packages,
    programs,
    run,
)


@dataclass(frozen=True)
class Installed:
    """What an installer left: the commands, and where the packages are."""

    scripts: Path
    packages: Path
    env: dict[str, str]


@dataclass(frozen=True)
class Source:
    """Where an installer finds wheels, and a home for what it makes."""

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
    run(
        [prefix / "bin/python", "-m", "pip", "install", "--target", target, "lean-spec"],
        source.env,
    )
    return Installed(target / "bin", target, source.env | {"PYTHONPATH": str(target)})


def by_pip_prefix(source: Source) -> Installed:
    prefix = source.home / "prefix"
    run(
        [
            venv(source) / "bin/python",
            "-m",
            "pip",
            "install",
            "--prefix",
            prefix,
            "lean-spec",
        ],
        source.env,
    )
    return Installed(
        prefix / "bin", packages(prefix), source.env | {"PYTHONPATH": str(packages(prefix))}
    )


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
    run(
        [own_program("uv"), "tool", "install", "--python", source.python, "lean-spec"],
        source.env,
    )
    return Installed(
        source.home / "uv-bin", packages(source.home / "uv-tools/lean-spec"), source.env
    )


def by_pipx(source: Source) -> Installed:
    run(
        [own_program("pipx"), "install", "--python", source.python, "lean-spec"], source.env
    )
    return Installed(
        source.home / "pipx-bin", packages(source.home / "pipx/venvs/lean-spec"), source.env
    )


INSTALLERS: dict[str, Callable[[Source], Installed]] = {
    "pip": by_pip,
    "pip --target": by_pip_target,
    "pip --prefix": by_pip_prefix,
    "pip --user": by_pip_user,
    "uv pip": by_uv_pip,
    "uv tool": by_uv_tool,
    "pipx": by_pipx,
}


def must_work(installed: Installed, project: Path, version: str) -> None:
    """Run what a newcomer runs, in a new project."""
    project.mkdir()
    spec = installed.scripts / "lean-spec"
    assert run([spec, "--version"], installed.env).stdout == f"lean-spec {version}\n"
    run([spec, "init", "-y"], installed.env, cwd=project)
    run([spec, "create", "first"], installed.env, cwd=project)
    assert "001-first" in run([spec, "list"], installed.env, cwd=project).stdout
    server, tools = list_tools(
        [str(installed.scripts / "leanspec-mcp")], project, installed.env
    )
    assert (server["name"], server["version"]) == ("leanspec-mcp", version)
    assert "list_specs" in tools
    found = json.loads(
        run(
            [installed.scripts / "leanspec-launcher", "which", "--json"],
            installed.env,
            code=0,
        ).stdout
    )
    taken = {search["family"]: search["taken"] for search in found}
    binary = installed.packages / "leanspec_cli_bin/bin/leanspec"
    assert taken["cli"] is not None
    assert binary.samefile(taken["cli"])
    assert os.access(binary, os.X_OK)
    assert taken["http"] is None, "the web server comes with the extra `ui`"


def own_flit() -> Path:
    """Return the folder of the backend that builds `lean-spec`, in the development environment."""
    spec = importlib.util.find_spec("flit_core")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent

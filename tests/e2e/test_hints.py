"""Hints as they are printed, typed into a shell: for each installer, in each of its modes."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from leanspec_launcher._tables import FAMILIES
from scripts.tools.processes import clean_environment
from tests.support.installers import (
    Fresh,
    Installation,
    Pip,
    PipPrefix,
    PipSystem,
    PipTarget,
    PipUser,
    Pipx,
    UvPip,
    UvPipSystem,
    UvProject,
    UvTool,
    Uvx,
    tools,
)
from tests.support.surroundings import make_venv, once, programs, run

pytestmark = [pytest.mark.posix, pytest.mark.slow]
# An old one, the last one before `--python`, one from between, and the newest.
PIPS = ("20.3.4", "22.2.2", "23.2.1", metadata.version("pip"))
NONE = "none"
LINK_MODES = ("symlink", "hardlink", "copy")


@dataclass(frozen=True)
class Mode:
    """An installer, and what makes it work in another way."""

    installer: type[Installation]
    variables: dict[str, str] = field(default_factory=dict)
    pip: str = ""
    """The version of the environment's own pip."""
    outer_pip: str = ""
    """The version of a pip elsewhere, or `NONE`, if the environment has no pip."""


MODES = {
    **{f"pip {version}": Mode(Pip, pip=version) for version in PIPS},
    **{
        f"without pip, {version}": Mode(Pip, outer_pip=version) for version in (*PIPS, NONE)
    },
    **{
        f"{kind.__name__}, {mode}": Mode(kind, {"UV_LINK_MODE": mode})
        for kind in (UvPip, UvTool, UvProject, Uvx)
        for mode in LINK_MODES
    },
    "pipx, pip": Mode(Pipx, {"PIPX_DEFAULT_BACKEND": "pip"}),
    **{
        f"pipx, uv, {mode}": Mode(
            Pipx, {"PIPX_DEFAULT_BACKEND": "uv", "UV_LINK_MODE": mode}
        )
        for mode in LINK_MODES
    },
    **{
        kind.__name__: Mode(kind)
        for kind in (PipTarget, PipPrefix, PipUser, PipSystem, UvPipSystem)
    },
}


@pytest.fixture(scope="session")
def pips(shared: Path) -> Path:
    """Return the wheels of several versions of pip."""

    def fetch(folder: Path) -> None:
        download = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
        for version in PIPS:
            run([*download, "--dest", folder, f"pip=={version}"], clean_environment())

    return once(shared / "pips", fetch)


def put_pip(environment: Path, version: str, pips: Path, env: dict[str, str]) -> None:
    """Replace the pip of an environment by another version."""
    python = programs(environment) / "python"
    install = ("-m", "pip", "install", "--no-index", "--find-links", pips)
    run([python, *install, f"pip=={version}"], env)


@pytest.fixture(params=MODES)
def installation(request: pytest.FixtureRequest, fresh: Fresh, pips: Path) -> Installation:
    """Return an installation by one installer, in one of its modes."""
    mode = MODES[request.param]
    installation = fresh(mode.installer)
    installation.env |= mode.variables
    if mode.pip:
        assert isinstance(installation, Pip)
        installation.prepare()
        put_pip(installation.environment, mode.pip, pips, installation.env)
    installation.install()
    if mode.outer_pip:
        for path in installation.packages.glob("pip*"):
            shutil.rmtree(path)
        folder = tools(installation.home)
        installation.env["PATH"] = str(folder)
        if mode.outer_pip != NONE:
            outer = make_venv(installation.home / "outer", installation.python)
            put_pip(outer, mode.outer_pip, pips, installation.env)
            (folder / "pip").symlink_to(programs(outer) / "pip")
            # An upgrade of pip takes one from here.
            installation.env["PIP_FIND_LINKS"] += f" {pips}"
    return installation


def binary(installation: Installation) -> Path:
    """Return the path of the command line's binary."""
    output = installation.start("leanspec-launcher", "which", "cli", "--json").stdout
    return Path(json.loads(output)[0]["taken"])


def type_hint(
    installation: Installation, result: CompletedProcess[str], more: str = ""
) -> None:
    """Type the command of a hint into a shell; first the one that its remark names, for an old pip."""
    hint = result.stderr.splitlines()[-1].removeprefix("hint: ")
    command, _, remark = hint.partition("  (")
    if "first: " in remark:
        installation.run("/bin/sh", "-c", remark.split("`")[1])
    installation.run("/bin/sh", "-c", command + more)


def test_the_hint_for_a_damaged_binary_brings_it_back(
    installation: Installation, version: str
) -> None:
    with binary(installation).open("ab") as file:
        file.write(b"x")
    type_hint(installation, installation.start("lean-spec", "--version", code=126))
    output = installation.start("lean-spec", "--version").stdout
    assert output == f"lean-spec {version}\n"


def test_the_hint_for_a_missing_wheel_brings_it_back(
    installation: Installation, version: str
) -> None:
    package = binary(installation).parents[1]
    (info,) = package.parent.glob(f"{FAMILIES['cli'].package}-*.dist-info")
    for folder in (package, info):
        shutil.rmtree(folder)
    type_hint(installation, installation.start("lean-spec", "--version", code=127))
    output = installation.start("lean-spec", "--version").stdout
    assert output == f"lean-spec {version}\n"


def test_the_hint_for_an_extra_adds_it(installation: Installation, version: str) -> None:
    result = installation.start("leanspec-http", "--version", code=127)
    if isinstance(installation, Uvx):
        # Here it starts the program, with the extra.
        type_hint(installation, result, " --version")
        return
    type_hint(installation, result)
    output = installation.start("leanspec-http", "--version").stdout
    assert output == f"leanspec-http {version}\n"
    installation.start("leanspec-launcher", "verify", "http")

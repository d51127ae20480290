"""Hints as they are printed, typed into a shell: for each installer, in each of its modes."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from leanspec_launcher._tables import PROGRAMS
from tests.support import installers
from tests.support.installers import PIPS, Installation, Pip, Pipx, PipxRun, Uvx, tools

pytestmark = [pytest.mark.posix, pytest.mark.slow]
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
        for kind in (installers.UvPip, installers.UvTool, installers.UvProject, Uvx)
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
        f"pipx run, {backend}": Mode(PipxRun, {"PIPX_DEFAULT_BACKEND": backend})
        for backend in ("pip", "uv")
    },
    **{
        kind.__name__: Mode(kind)
        for kind in (
            installers.PipTarget,
            installers.PipPrefix,
            installers.PipUser,
            installers.PipSystem,
            installers.UvPipSystem,
        )
    },
}


# What lies in a cache is not repaired from inside; an old pip elsewhere has no `--python`.
REPAIRABLE = [
    name
    for name, mode in MODES.items()
    if not issubclass(mode.installer, Uvx) and mode.outer_pip not in PIPS[:2]
]


@pytest.fixture(params=MODES)
def installation(
    request: pytest.FixtureRequest, fresh: installers.Fresh, pips: Path
) -> Installation:
    """Return an installation by one installer, in one of its modes."""
    mode = MODES[request.param]
    installation = fresh(mode.installer)
    installation.env |= mode.variables
    if mode.pip:
        assert isinstance(installation, Pip)
        installation.use_pip(mode.pip, pips)
    installation.install()
    if mode.outer_pip:
        for path in installation.packages.glob("pip*"):
            shutil.rmtree(path)
        folder = tools(installation.home)
        installation.env["PATH"] = str(folder)
        if mode.outer_pip != NONE:
            outer = Pip(installation.home / "outer", installation.env)
            outer.use_pip(mode.outer_pip, pips)
            (folder / "pip").symlink_to(outer.commands / "pip")
            # An upgrade of pip takes one from here.
            installation.env["PIP_FIND_LINKS"] += f" {pips}"
    return installation


def binary(installation: Installation) -> Path:
    """Return the path of the command line's binary."""
    output = installation.start("leanspec-launcher", "which", "cli", "--json").stdout
    return Path(json.loads(output)["programs"][0]["binary"])


def type_hint(
    installation: Installation, result: CompletedProcess[str], more: str = ""
) -> None:
    """Type the command of a hint into a shell; first the one that its remark names, for an old pip."""
    hint = result.stderr.splitlines()[-1].removeprefix("hint: ")
    command, _, remark = hint.partition("  # ")
    if "first: " in remark:
        installation.run("/bin/sh", "-c", remark.partition("first: ")[2])
    installation.run("/bin/sh", "-c", command + more)


def test_the_hint_for_a_damaged_binary_reinstalls_it(
    installation: Installation, version: str
) -> None:
    with binary(installation).open("ab") as file:
        file.write(b"x")
    type_hint(installation, installation.start("lean-spec", "--version", code=126))
    installation.must_report(version)


@pytest.mark.parametrize("installation", REPAIRABLE, indirect=True)
def test_repair_reinstalls_a_damaged_binary(
    installation: Installation, version: str
) -> None:
    with binary(installation).open("ab") as file:
        file.write(b"x")
    output = installation.start("leanspec-launcher", "repair").stdout
    assert "repaired: " in output
    installation.must_report(version)


def test_the_hint_for_a_missing_wheel_installs_it(
    installation: Installation, version: str
) -> None:
    package = binary(installation).parents[1]
    (info,) = package.parent.glob(f"{PROGRAMS['cli'].package}-*.dist-info")
    for folder in (package, info):
        shutil.rmtree(folder)
    result = installation.start("lean-spec", "--version", code=None)
    # `pipx run` by uv notices, and installs it itself.
    if result.returncode != 0 or not isinstance(installation, PipxRun):
        assert result.returncode == 127
        type_hint(installation, result)
    installation.must_report(version)


def test_the_hint_for_an_extra_adds_it(installation: Installation, version: str) -> None:
    result = installation.start("leanspec-http", "--version", code=127)
    if isinstance(installation, Uvx):
        # Here it starts the program, with the extra.
        type_hint(installation, result, " --version")
        return
    type_hint(installation, result)
    installation.must_report(version, "leanspec-http")
    installation.start("leanspec-launcher", "verify", "http")

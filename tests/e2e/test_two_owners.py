"""Commands that two packages have: uninstalling one removes the command, and `repair` brings it back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.support.installers import (
    WITH_PAGES,
    Fresh,
    Installation,
    Lend,
    Pip,
    Pipx,
    UvPip,
    UvTool,
)

SECOND = ("leanspec-mcp", "leanspec-ui")
ORDERS = ((WITH_PAGES, "{}"), ("{}", WITH_PAGES))


def pairs(*installers: type[Installation]) -> list[ParameterSet]:
    """Return each installer with each package. A plain run takes one package for each."""
    return [
        pytest.param(kind, name, marks=() if number == place else pytest.mark.slow)
        for number, kind in enumerate(installers)
        for place, name in enumerate(SECOND)
    ]


def errors(installation: Installation) -> list[tuple[str, str, str]]:
    """Return the section, the name and the hint of each error of `doctor`."""
    output = installation.start("leanspec-launcher", "doctor", "--json", code=None).stdout
    return [
        (finding["section"], finding["name"], finding["hint"])
        for finding in json.loads(output)["findings"]
        if finding["status"] == "error"
    ]


def must_be_repaired(installation: Installation, name: str, command: Path) -> None:
    """Fail unless the loss of a command is reported everywhere, and `repair` undoes it."""
    start = installation.start
    assert errors(installation) == [("commands", name, "leanspec-launcher repair")]
    missing = f"`{command}` is missing, although lean-spec installed it"
    words = f"warning: {missing}\nhint: leanspec-launcher repair\n"
    assert words in start("leanspec-launcher", "which", code=None).stderr
    message = start("leanspec-launcher", "verify", code=1).stdout
    assert f"{command}: it is missing" in message
    assert "would be restored" in start("leanspec-launcher", "repair", "--dry-run").stdout
    assert not command.exists()
    assert start("leanspec-launcher", "repair").stdout == f"{command}: restored\n"
    assert start("leanspec-launcher", "repair").stdout.startswith("nothing to repair")
    assert errors(installation) == []
    assert start(name, "--help").returncode == 0
    assert start("leanspec-launcher", "verify").stderr == ""


@pytest.mark.parametrize(("installer", "name"), pairs(Pip, UvPip))
def test_repair_brings_back_what_uninstalling_another_package_removed(
    installer: type[Pip], name: str, lend: Lend
) -> None:
    installation = lend(installer, WITH_PAGES)
    command = installation.commands / name
    before, mode = command.read_bytes(), command.stat().st_mode
    installation.install(name)
    report = json.loads(installation.start("leanspec-launcher", "doctor", "--json").stdout)
    owners = {
        finding["name"]
        for finding in report["findings"]
        if f"in the package `{finding['name']}` too: uninstalling that" in finding["value"]
    }
    # The extra brings the package of the pages.
    assert owners == {name, "leanspec-ui"}
    uninstall(installation, name)
    assert not command.exists()
    must_be_repaired(installation, name, command)
    assert (command.read_bytes(), command.stat().st_mode) == (before, mode)
    installation.uninstall()
    assert installation.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SECOND)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("installer", [Pip, UvPip])
def test_either_order_in_one_environment_can_be_repaired(
    installer: type[Pip], order: tuple[str, str], name: str, fresh: Fresh
) -> None:
    installation = fresh(installer)
    for requirement in order:
        installation.install(requirement.format(name))
    uninstall(installation, name)
    must_be_repaired(installation, name, installation.commands / name)


@pytest.mark.parametrize(("installer", "name"), pairs(UvTool, Pipx))
def test_the_link_of_a_tool_is_brought_back_after_that_of_another(
    installer: type[UvTool], name: str, lend: Lend
) -> None:
    installation = lend(installer, WITH_PAGES)
    installation.tool("install", "--force", "--python", installation.python, name)
    installation.tool("uninstall", name)
    command = installation.commands / name
    if installer is Pipx and command.exists():
        # pipx leaves the link of the tool that was first.
        command.unlink()
    assert not command.exists()
    must_be_repaired(installation, name, command)
    assert command.resolve() == (installation.environment / "bin" / name).resolve()
    installation.uninstall()
    assert installation.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SECOND)
def test_a_second_tool_of_uv_is_refused_and_the_first_one_works(
    name: str, fresh: Fresh
) -> None:
    installation = fresh(UvTool)
    installation.install(WITH_PAGES)
    error = installation.install(name, code=2).stderr
    assert f"Executable already exists: {name}" in error
    assert errors(installation) == []
    # The other order, as docs/installing.md has it.
    installation.uninstall()
    installation.install(name)
    assert f"already exists: {name}" in installation.install(WITH_PAGES, code=2).stderr
    installation.tool("uninstall", name)
    installation.install(WITH_PAGES)
    assert errors(installation) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SECOND)
def test_pipx_leaves_a_second_command_to_the_first_and_repair_makes_it(
    name: str, fresh: Fresh
) -> None:
    installation = fresh(Pipx)
    installation.install(name)
    installation.install(WITH_PAGES)
    assert errors(installation) == []
    installation.tool("uninstall", name)
    must_be_repaired(installation, name, installation.commands / name)


def uninstall(installation: Pip, name: str) -> None:
    """Uninstall one package."""
    options = () if isinstance(installation, UvPip) else ("--yes",)
    installation.pip("uninstall", *options, name)

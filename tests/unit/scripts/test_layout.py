"""Where files lie: in the wheels of a release, and in an environment that they are installed into."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.version import Version

from scripts.gates import installation
from scripts.gates import layout as gate
from scripts.gates.layout import foreign_files, layout
from scripts.model.files import read_files
from scripts.model.plan import Plan
from scripts.model.programs import DISTRIBUTIONS
from scripts.tools.installers import create_environment, pip_install, uv_install
from tests.support.versions import RELEASED
from tests.support.wheel_files import rewrite

MAIN = f"lean_spec-{RELEASED}-py3-none-any.whl"
STUB = f"leanspec_cli_bin-{RELEASED}-py3-none-any.whl"
INFO = f"leanspec_cli_bin-{RELEASED}.dist-info"
OFFLINE = ("--no-deps", "--no-index")


@pytest.fixture
def dist(stand_in: Path, tmp_path: Path) -> Path:
    """Return a copy of a release that passes, which a test may break."""
    shutil.copytree(stand_in / "dist", tmp_path / "dist")
    return tmp_path / "dist"


def wrong(dist: Path) -> list[str]:
    findings = layout(read_files(dist)[0])
    return [finding.subject for finding in findings if not finding.passed]


def test_release_has_its_packages_alone(dist: Path) -> None:
    assert set(gate.PACKAGES) == set(DISTRIBUTIONS)
    assert wrong(dist) == []


def test_platform_wheel_may_bring_libraries(grafted: Path) -> None:
    assert wrong(grafted) == []


@pytest.mark.parametrize(
    "name",
    [
        "lean_spec.pth",
        "leanspec_cli_bin/x.pth",
        f"leanspec_cli_bin-{RELEASED}.data/purelib/x.pth",
        "sitecustomize.py",
        "other/__init__.py",
        "leanspec_launcher/_search.py",
        "leanspec_cli_bin.libs/libssl.so",
        f"leanspec_cli_bin-{RELEASED}.data/scripts/pip",
    ],
)
def test_wheel_brings_nothing_beside_its_package(dist: Path, name: str) -> None:
    rewrite(dist / STUB, {name: b"import os\n"})
    assert wrong(dist) == [f"{STUB}: {name}"]


def test_record_lists_every_file_of_the_wheel(dist: Path) -> None:
    with zipfile.ZipFile(dist / STUB, "a") as archive:
        archive.writestr("leanspec_cli_bin/new.py", b"import os\n")
    assert wrong(dist) == [f"{STUB}: leanspec_cli_bin/new.py"]


def test_layout_refuses_a_record_of_a_missing_file(dist: Path) -> None:
    with zipfile.ZipFile(dist / STUB) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries[f"{INFO}/RECORD"] += b"leanspec_cli_bin/gone.py,sha256=x,1\n"
    with zipfile.ZipFile(dist / STUB, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    assert wrong(dist) == [f"{STUB}: leanspec_cli_bin/gone.py"]


def by_pip(environment: Path, wheels: list[str]) -> None:
    pip_install(create_environment(environment), *OFFLINE, *wheels)


def by_uv(environment: Path, wheels: list[str]) -> None:
    uv_install(environment, *OFFLINE, *wheels)


@pytest.mark.parametrize("install", [by_pip, by_uv])
def test_installation_has_no_file_outside_a_record(
    install: Callable[[Path, list[str]], None], dist: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"

    def strangers() -> list[str]:
        findings = foreign_files(environment, "install")
        return [finding.subject for finding in findings if not finding.passed]

    install(environment, [str(dist / MAIN), str(dist / STUB)])
    assert strangers() == []
    (site,) = environment.glob("[lL]ib/**/site-packages")
    planted = ["leanspec_cli_bin/left.py", "start.pth"]
    for name in planted:
        (site / name).write_text("")
    assert strangers() == planted


def test_startup_file_that_a_record_lists_is_refused(dist: Path, tmp_path: Path) -> None:
    rewrite(dist / STUB, {"leanspec_cli_bin.pth": b"import os\n"})
    environment = tmp_path / "environment"
    by_uv(environment, [str(dist / STUB)])
    (finding,) = foreign_files(environment, "install")
    assert (finding.subject, finding.passed) == ("leanspec_cli_bin.pth", False)


def test_check_looks_at_the_environment_that_it_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(_pins: object, _index: object, environment: Path) -> Path:
        site = environment / "lib/python3/site-packages"
        site.mkdir(parents=True)
        (site / "start.pth").write_text("")
        return environment / "bin"

    for name in ("_runs", "_mcp", "compare_tools"):
        monkeypatch.setattr(installation, name, lambda *_: iter(()))
    monkeypatch.setattr(installation, "write_pins", lambda *_: (None, None))
    for name in ("install_by_pip", "install_by_uv"):
        monkeypatch.setattr(installation, name, install)
    plan = Plan(Version(RELEASED), {}, {})
    findings = installation.installed_from(plan, [], {}, tmp_path)
    wrong = [(finding.gate, finding.subject) for finding in findings if not finding.passed]
    gates = ("install by pip", "install by uv", "install of leanspec-mcp")
    assert wrong == [(gate, "start.pth") for gate in gates]

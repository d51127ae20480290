"""Who installed this, and what one types: by the traces that each installer leaves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leanspec_launcher._tables import FAMILIES
from leanspec_launcher.diagnosis import installed, installer
from leanspec_launcher.diagnosis.installer import Installer

DIGEST = "0" * 64
Place = Callable[..., None]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return how an environment is laid out: its folder, that of the packages, who recorded itself, other files."""
    monkeypatch.setattr(installer, "VERSION", "1.2.3")

    def lay(prefix: str, recorded: str = "", site: str = "", **files: str) -> None:
        packages = tmp_path / (site or f"{prefix}/lib/site-packages")
        info = packages / "lean_spec-1.2.3.dist-info"
        info.mkdir(parents=True)
        (info / "INSTALLER").write_text(f"{recorded}\n")
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".").replace("_dash_", "-")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for module in (installer, installed):
            monkeypatch.setattr(module, "SITE", str(packages))
        monkeypatch.setattr(sys, "prefix", str(tmp_path / prefix))
        monkeypatch.setattr(sys, "base_prefix", "/usr")

    return lay


METADATA = {"main_package": {"suffix": ""}}


@pytest.mark.parametrize(
    ("layout", "expected", "extra"),
    [
        (("venv", "pip"), Installer.PIP, "-m pip install --target"),
        (("venv", "Poetry 2.1.3"), Installer.POETRY, "poetry add 'lean-spec[ui]'"),
        (("venv", "pdm"), Installer.PDM, "pdm add 'lean-spec[ui]'"),
        (("venv", "hatch"), Installer.PIP, "install"),
        (("venv", "uv"), Installer.UV_PIP, "uv pip install"),
        (("uv/archive-v0/x", "uv"), Installer.UVX, "uvx --from 'lean-spec[ui]==1.2.3' leanspec-http"),
        (("x", "pex", "pex/installed_wheels/3/ab/lean_spec.whl"), Installer.PEX, ""),
        (("x", "pip", f".shiv/app.pyz_{DIGEST}/site-packages"), Installer.SHIV, ""),
    ],
)
def test_the_installer_is_known(place: Place, layout: tuple[str, ...], expected: Installer, extra: str) -> None:
    place(*layout)
    assert installer.installer() is expected
    assert extra in installer.shown(installer.remedy(FAMILIES["http"]))
    if not extra:
        assert "which the archive unpacks again" in installer.advice(FAMILIES["cli"])


@pytest.mark.parametrize(
    ("prefix", "expected", "extra"),
    [
        ("pipx/venvs/lean-spec", Installer.PIPX, "pipx install --force 'lean-spec[ui]==1.2.3'"),
        ("pipx/.cache/0123", Installer.PIPX_RUN, "pipx run --spec 'lean-spec[ui]==1.2.3' leanspec-http"),
    ],
)
def test_an_environment_of_pipx_is_kept_or_cleared(place: Place, prefix: str, expected: Installer, extra: str) -> None:
    name = f"{prefix.replace('/', '__').replace('.', '_dot_').replace('-', '_dash_')}__pipx_metadata_dot_json"
    place(prefix, "pip", **{name: "{}"})
    assert installer.installer() is expected
    assert installer.shown(installer.remedy(FAMILIES["http"])) == extra


@pytest.mark.parametrize(
    ("receipt", "wanted"),
    [
        ('requirements = [{ name = "lean-spec" }]', "'lean-spec[ui]'"),
        ('requirements = [{ name = "lean-spec", specifier = "==1.2.3" }]', "'lean-spec[ui]==1.2.3'"),
        ('requirements = [{ name = "lean-spec" }, { name = "x", specifier = "==9" }]', "'lean-spec[ui]'"),
        ("", "'lean-spec[ui]'"),
    ],
)
def test_a_tool_of_uv_is_pinned_only_if_the_user_pinned_it(place: Place, receipt: str, wanted: str) -> None:
    """What is pinned is never upgraded again."""
    place("tools/lean-spec", "uv", tools__lean_dash_spec__uv_dash_receipt_dot_toml=receipt)
    assert installer.installer() is Installer.UV_TOOL
    assert installer.shown(installer.remedy(FAMILIES["http"])) == f"uv tool install --reinstall {wanted}"


def test_a_project_of_uv_keeps_what_is_added(place: Place, tmp_path: Path) -> None:
    """Until its next `uv sync`, an environment has what `uv pip install` brings; then it is gone."""
    place("project/.venv", "uv", project__uv_dot_lock="")
    assert installer.installer() is Installer.UV_PROJECT
    found = installer.remedy(FAMILIES["http"])
    assert found == [["uv", "add", "--project", str(tmp_path / "project"), "lean-spec[ui]"]]

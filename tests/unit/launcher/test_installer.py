"""Who installed this, and what one types: by the traces that each installer leaves."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.installers import detect, records, reinstall, table, words
from leanspec_launcher.installers.table import Installer, in_use
from leanspec_launcher.installers.words import shown

DIGEST = "0" * 64
Place = Callable[..., None]


def typed(command: str) -> str:
    """Return a command as one types it here: Windows has quotes of its own."""
    if sys.platform != "win32":
        return command
    return subprocess.list2cmdline(shlex.split(command))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return how an environment is laid out: its folder, that of the packages, who recorded itself, other files."""
    for module in (detect, reinstall, words):
        monkeypatch.setattr(module, "VERSION", "1.2.3")
    monkeypatch.setattr(detect, "program_on_path", lambda name: f"/usr/bin/{name}")

    def lay(prefix: str, recorded: str = "", site: str = "", **files: str) -> None:
        packages = tmp_path / (site or f"{prefix}/lib/site-packages")
        info = packages / "lean_spec-1.2.3.dist-info"
        info.mkdir(parents=True)
        (info / "INSTALLER").write_text(f"{recorded}\n")
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".").replace(
                "_dash_", "-"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for module in (detect, records, words):
            monkeypatch.setattr(module, "SITE", str(packages))
        monkeypatch.setattr(sys, "prefix", str(tmp_path / prefix))
        monkeypatch.setattr(sys, "base_prefix", "/usr")

    return lay


METADATA = {"main_package": {"suffix": ""}}


@pytest.mark.parametrize(
    ("layout", "expected", "extra"),
    [
        (("venv", "pip"), table.PIP, "-m pip install --target"),
        (("venv", "Poetry 2.1.3"), table.POETRY, "poetry add 'lean-spec[ui]'"),
        (("venv", "pdm"), table.PDM, "pdm add 'lean-spec[ui]'"),
        (("venv", "hatch"), table.PIP, "install"),
        (("venv", "uv"), table.UV_PIP, "uv pip install"),
        (
            ("uv/archive-v0/x", "uv"),
            table.UVX,
            "uvx --from 'lean-spec[ui]==1.2.3' leanspec-http",
        ),
        (("x", "pex", "pex/installed_wheels/3/ab/lean_spec.whl"), table.PEX, ""),
        (("x", "pip", f".shiv/app.pyz_{DIGEST}/site-packages"), table.SHIV, ""),
    ],
)
def test_installer_is_detected(
    place: Place, layout: tuple[str, ...], expected: Installer, extra: str
) -> None:
    place(*layout)
    assert in_use() is expected
    assert typed(extra) in shown(reinstall.commands(PROGRAMS["http"]))
    if not extra:
        assert "which the archive unpacks again" in reinstall.hint(PROGRAMS["cli"])


@pytest.mark.parametrize(
    ("prefix", "expected", "extra"),
    [
        (
            "pipx/venvs/lean-spec",
            table.PIPX,
            "pipx install --force 'lean-spec[ui]==1.2.3'",
        ),
        (
            "pipx/.cache/0123",
            table.PIPX_RUN,
            "pipx run --spec 'lean-spec[ui]==1.2.3' leanspec-http",
        ),
    ],
)
def test_pipx_environment_is_that_of_install_or_run(
    place: Place, prefix: str, expected: Installer, extra: str
) -> None:
    name = f"{prefix.replace('/', '__').replace('.', '_dot_').replace('-', '_dash_')}__pipx_metadata_dot_json"
    place(prefix, "pip", **{name: "{}"})
    assert in_use() is expected
    assert shown(reinstall.commands(PROGRAMS["http"])) == typed(extra)


@pytest.mark.parametrize(
    ("receipt", "expected"),
    [
        ('requirements = [{ name = "lean-spec" }]', "'lean-spec[ui]'"),
        (
            'requirements = [{ name = "lean-spec", specifier = "==1.2.3" }]',
            "'lean-spec[ui]==1.2.3'",
        ),
        (
            'requirements = [{ name = "lean-spec" }, { name = "x", specifier = "==9" }]',
            "'lean-spec[ui]' --with x==9",
        ),
        ("", "'lean-spec[ui]'"),
        (
            'requirements = [\n    { name = "x" },\n    { name = "lean-spec" },\n]',
            "x --with 'lean-spec[ui]'",
        ),
        (
            'requirements = [{ name = "lean-spec", extras = ["dev"], specifier = ">=1" }, { name = "x" }]',
            "'lean-spec[dev,ui]>=1' --with x",
        ),
        (
            'requirements = [{ name = "x" }, { name = "lean-spec" }]\nentrypoints = [{ from = "lean-spec" }]',
            "x --with-executables-from 'lean-spec[ui]'",
        ),
    ],
)
def test_a_tool_of_uv_is_pinned_only_if_the_user_pinned_it(
    place: Place, receipt: str, expected: str
) -> None:
    """What is pinned is never upgraded again."""
    place("tools/lean-spec", "uv", tools__lean_dash_spec__uv_dash_receipt_dot_toml=receipt)
    assert in_use() is table.UV_TOOL
    actual = shown(reinstall.commands(PROGRAMS["http"]))
    assert actual == typed(f"uv tool install --reinstall {expected}")


def test_extra_of_a_uv_project_is_added_by_uv_add(place: Place, tmp_path: Path) -> None:
    """Until its next `uv sync`, an environment has what `uv pip install` brings; then it is gone."""
    place("project/.venv", "uv", project__uv_dot_lock="")
    assert in_use() is table.UV_PROJECT
    commands = reinstall.commands(PROGRAMS["http"])
    correct = [["uv", "add", "--project", str(tmp_path / "project"), "lean-spec[ui]"]]
    assert commands == correct


@pytest.mark.parametrize(
    "other", ['git = "https://example.org/x"', "marker = 'os_name == \"x\"'"]
)
def test_uv_tool_with_parts_of_no_command_line_gets_a_hint(
    place: Place, other: str
) -> None:
    receipt = f'requirements = [{{ name = "x", {other} }}, {{ name = "lean-spec" }}]'
    place("tools/x", "uv", tools__x__uv_dash_receipt_dot_toml=receipt)
    assert reinstall.commands(PROGRAMS["http"]) == []
    correct = "make the tool `x` of uv again, with lean-spec[ui]"
    assert reinstall.hint(PROGRAMS["http"]) == correct


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (
            '{"url": "file:///w/x.whl", "archive_info": {}}',
            "leanspec-cli-bin @ file:///w/x.whl",
        ),
        ('{"url": "file:///w", "dir_info": {"editable": true}}', "leanspec-cli-bin==1.2.3"),
        (
            '{"url": "https://h/r", "vcs_info": {"vcs": "git", "commit_id": "ab"}, "subdirectory": "b"}',
            "leanspec-cli-bin @ git+https://h/r@ab#subdirectory=b",
        ),
        ('{"url": "file:///w', "leanspec-cli-bin==1.2.3"),
        ("[]", "leanspec-cli-bin==1.2.3"),
    ],
)
def test_reinstall_uses_the_recorded_url(
    place: Place, tmp_path: Path, recorded: str, expected: str
) -> None:
    place("venv", "pip")
    info = tmp_path / "venv/lib/site-packages/leanspec_cli_bin-1.2.3.dist-info"
    info.mkdir()
    (info / "direct_url.json").write_text(recorded)
    assert reinstall.commands(PROGRAMS["cli"])[0][-1] == expected


def test_required_hashes_leave_no_command_without_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place("venv", "pip")
    monkeypatch.setenv("PIP_REQUIRE_HASHES", "1")
    assert reinstall.commands(PROGRAMS["cli"]) == []
    assert "again from your file of hashes" in reinstall.hint(PROGRAMS["cli"])
    monkeypatch.setenv("PIP_REQUIRE_HASHES", "0")
    assert reinstall.commands(PROGRAMS["cli"]) != []


def test_reinstall_uses_pip_without_uv_on_path(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hatch brings an uv of its own along, which is on no path."""
    place("venv", "uv")
    monkeypatch.setattr(detect, "program_on_path", lambda _: None)
    command = reinstall.commands(PROGRAMS["cli"])[0]
    assert command[:4] == [sys.executable, "-P", "-m", "pip"]


@pytest.mark.parametrize(
    ("is_checkout", "expected"), [(True, table.CHECKOUT), (False, table.SOURCES)]
)
def test_collect_is_a_hint_in_a_checkout_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, is_checkout: bool, expected: Installer
) -> None:
    place("venv", "uv")
    for module in (detect, reinstall, words):
        monkeypatch.setattr(module, "VERSION", "")
    folder = "platform_wheels" if is_checkout else ""
    monkeypatch.setattr(detect, "checkout_directory", lambda: folder)
    assert in_use() is expected
    advice = reinstall.hint(PROGRAMS["cli"])
    assert advice.startswith("collect" if is_checkout else "install a release")
    assert advice.endswith(
        "scripts collect --help" if is_checkout else "--reinstall lean-spec"
    )


@pytest.mark.parametrize("variable", ["PIP_REQUIRE_HASHES", "UV_REQUIRE_HASHES"])
def test_only_the_installer_that_a_command_calls_demands_hashes(
    place: Place, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    place("venv", "Poetry 2.1.3")
    monkeypatch.setenv(variable, "1")
    assert reinstall.commands(PROGRAMS["http"]) == [["poetry", "add", "lean-spec[ui]"]]
    assert (reinstall.commands(PROGRAMS["cli"]) == []) is (variable == "PIP_REQUIRE_HASHES")


def test_pipx_without_pip_follows_the_hashes_of_uv(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place("pipx/venvs/x", "uv", pipx__venvs__x__pipx_metadata_dot_json="{}")
    monkeypatch.setattr(reinstall, "has_pip", lambda: False)
    monkeypatch.setenv("PIP_REQUIRE_HASHES", "1")
    assert reinstall.commands(PROGRAMS["cli"]) != []
    monkeypatch.setenv("UV_REQUIRE_HASHES", "1")
    assert reinstall.commands(PROGRAMS["cli"]) == []


@pytest.mark.parametrize("recorded", ["pdm", "poetry"])
def test_sources_in_a_project_get_a_hint_for_the_project(
    place: Place, monkeypatch: pytest.MonkeyPatch, recorded: str
) -> None:
    place("venv", recorded)
    for module in (detect, reinstall, words):
        monkeypatch.setattr(module, "VERSION", "")
    monkeypatch.setattr(detect, "checkout_directory", lambda: "")
    advice = reinstall.hint(PROGRAMS["http"])
    assert advice == (
        "let your project depend on a release of lean-spec[ui], which pins its binaries"
    )

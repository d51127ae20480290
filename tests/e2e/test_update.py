"""`leanspec-launcher update` with the real installers, against an index that gets a newer release."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.index.built import installer_settings
from scripts.tools.processes import own_program
from tests.support.small_index import SmallIndex, running
from tests.support.surroundings import BASE_PYTHON, clean, make_venv, programs, run
from tests.support.wheel_files import as_version, content, rewrite

pytestmark = pytest.mark.posix
AVAILABLE = 3


@dataclass
class Place:
    """An index, and an environment whose installers know no other."""

    index: SmallIndex
    old: str
    new: str
    newer: dict[str, bytes]
    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def release(self, *without: str) -> None:
        """Let the newer release appear, without some of its files."""
        for name, data in self.newer.items():
            if not name.startswith(without):
                self.index.files[name] = data

    def run(self, *command: str | Path, code: int | None = 0) -> str:
        done = run([*command], self.env, code=code, timeout=120)
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def newer(
    stand_in: Path, version: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """Return the wheels of a release that follows."""
    folder = tmp_path_factory.mktemp("newer")
    new = f"{version}.post1"
    made = [
        as_version(wheel, version, new, folder)
        for wheel in (stand_in / "dist").glob("*.whl")
    ]
    return {path.name: path.read_bytes() for path in made}


@pytest.fixture
def place(
    stand_in: Path, newer: dict[str, bytes], wheelhouse: Path, version: str, tmp_path: Path
) -> Iterator[Place]:
    with running() as index:
        wheels = [*(stand_in / "dist").glob("*.whl"), *wheelhouse.glob("click-*.whl")]
        index.files |= {wheel.name: wheel.read_bytes() for wheel in wheels}
        home = tmp_path / "home"
        tools = Path(own_program("uv")).parent
        settings = installer_settings(f"{index.url}simple/", tmp_path / "cache")
        own = clean(home)
        env = own | settings | {"UV_OFFLINE": "0", "UV_NO_INDEX": "0"}
        env |= {"PATH": f"{tools}:{own['PATH']}", "PIP_CACHE_DIR": str(home / "pip")}
        yield Place(index, version, f"{version}.post1", newer, home, env)


def by_pip(place: Place) -> Path:
    prefix = make_venv(place.home / "venv", BASE_PYTHON)
    place.run(programs(prefix) / "python", "-m", "pip", "install", "lean-spec[ui]")
    return programs(prefix)


def by_uv_pip(place: Place) -> Path:
    prefix = place.home / "venv"
    place.run("uv", "venv", "--python", BASE_PYTHON, prefix)
    place.run("uv", "pip", "install", "--python", prefix / "bin/python", "lean-spec[ui]")
    return programs(prefix)


def by_uv_tool(place: Place) -> Path:
    place.run("uv", "tool", "install", "--python", BASE_PYTHON, "lean-spec[ui]")
    return place.home / "uv-bin"


def by_pipx(place: Place) -> Path:
    place.run("pipx", "install", "--python", BASE_PYTHON, "lean-spec[ui]")
    return place.home / "pipx-bin"


INSTALLERS: dict[str, Callable[[Place], Path]] = {
    "pip": by_pip,
    "uv pip": by_uv_pip,
    "uv tool": by_uv_tool,
    "pipx": by_pipx,
}


# Each installer has its own way; those that share most of it with another are for the slow run.
SOME = [
    pytest.param(name, marks=[pytest.mark.slow] if name in ("uv pip", "pipx") else [])
    for name in INSTALLERS
]


@pytest.mark.parametrize("installer", SOME)
def test_an_update_and_one_that_is_undone(place: Place, installer: str) -> None:
    launcher = INSTALLERS[installer](place) / "leanspec-launcher"
    newest = f"lean-spec {place.old} is the newest release of your index\n"
    assert place.run(launcher, "update", "--check") == newest
    assert place.run(launcher, "update") == newest
    place.release()
    good = place.newer
    # First a release whose program is not the one that it pins.
    name = next(
        each for each in good if each.startswith("leanspec_cli_bin-") and "linux" in each
    )
    damaged = place.home / name
    damaged.write_bytes(good[name])
    program = "leanspec_cli_bin/bin/leanspec"
    rewrite(damaged, {program: content(damaged, program) + b"x"})
    place.index.files[name] = damaged.read_bytes()
    said = place.run(launcher, "update", code=1)
    assert f"error: the update failed, and {place.old} is back: " in said
    assert "SHA-256 is not the expected one" in said
    assert place.run(launcher, "--version") == f"leanspec-launcher {place.old}\n"
    place.run(launcher, "verify")
    # Then it is mended; a cache would still have the damaged one.
    place.index.files[name] = good[name]
    place.env |= {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"}
    assert f"lean-spec {place.new} is available, this is {place.old}" in place.run(
        launcher, "update", "--check", code=AVAILABLE
    )
    found = json.loads(place.run(launcher, "update", "--check", "--json", code=AVAILABLE))
    assert (found["installed"], found["available"]) == (place.old, place.new)
    assert name in found["files"]
    assert "would" not in place.run(launcher, "update", "--dry-run")
    assert place.run(launcher, "--version") == f"leanspec-launcher {place.old}\n"
    said = place.run(launcher, "update")
    assert "  extras: ui\n" in said
    assert f"updated: lean-spec {place.new}" in said
    assert place.run(launcher, "--version") == f"leanspec-launcher {place.new}\n"
    place.run(launcher, "verify")
    place.run(launcher, "verify", "http")
    # And back, by its version.
    assert f"updated: lean-spec {place.old}" in place.run(
        launcher, "update", "--version", place.old
    )
    place.run(launcher, "verify")


HALVES = {
    "the launcher alone": (("leanspec_",), "is not whole on the index"),
    "without a program": (("leanspec_mcp_bin",), "is not whole on the index"),
    "without this machine": ("platform", "for this machine"),
    "yanked": ("yanked", "is the newest release of your index"),
}  # fmt: skip


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(
    "installer", [pytest.param("pip", marks=pytest.mark.slow), "uv pip"]
)
def test_nothing_happens_with_half_a_release(
    place: Place, installer: str, half: str
) -> None:
    launcher = INSTALLERS[installer](place) / "leanspec-launcher"
    without, message = HALVES[half]
    place.release(*(without if isinstance(without, tuple) else ()))
    if without == "platform":
        for name in [
            each for each in place.newer if "_cli_bin" in each and "linux" in each
        ]:
            del place.index.files[name]
    if without == "yanked":
        place.index.yanked = set(place.newer)
        asked = place.run(launcher, "update", "--version", place.new, code=1)
        assert "error: " in asked
    said = place.run(launcher, "update", code=None)
    assert message in said
    assert place.run(launcher, "--version") == f"leanspec-launcher {place.old}\n"


def test_an_index_that_lags_behind_is_no_way_back(place: Place) -> None:
    place.release()
    launcher = by_uv_pip(place) / "leanspec-launcher"
    for name in place.newer:
        del place.index.files[name]
    said = place.run(launcher, "update")
    assert said == f"lean-spec {place.new} is the newest release of your index\n"
    assert place.run(launcher, "--version") == f"leanspec-launcher {place.new}\n"


@pytest.mark.parametrize("installer", SOME)
def test_an_index_that_cannot_be_reached_is_never_the_newest(
    place: Place, installer: str
) -> None:
    launcher = INSTALLERS[installer](place) / "leanspec-launcher"
    nowhere = "http://127.0.0.1:1/simple/"
    place.env |= {"PIP_INDEX_URL": nowhere, "UV_DEFAULT_INDEX": nowhere}
    place.env |= {"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"}
    said = place.run(launcher, "update", "--check", code=1)
    assert "error: " in said
    assert "newest" not in said


@pytest.mark.parametrize(
    ("installer", "command"),
    [("uv tool", "uv tool install --force lean-spec"), ("pipx", "pipx install --force lean-spec")],
)  # fmt: skip
def test_a_version_that_was_asked_for_stays(
    place: Place, installer: str, command: str
) -> None:
    tool = installer.split(" ", maxsplit=1)[0:1] + installer.split(" ")[1:]
    place.run(*tool, "install", "--python", BASE_PYTHON, f"lean-spec=={place.old}")
    place.release()
    launcher = place.home / f"{tool[0]}-bin/leanspec-launcher"
    said = place.run(launcher, "update", code=1)
    assert "this version was asked for when it was installed" in said
    assert said.endswith(f"hint: {command}\n")


def test_in_a_project_its_lock_decides(place: Place, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\n'
        "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n"
    )
    place.run("uv", "add", "--project", project, "--python", BASE_PYTHON, "lean-spec")
    place.release()
    said = place.run(project / ".venv/bin/leanspec-launcher", "update", code=1)
    command = f"uv sync --project {project} --upgrade-package lean-spec"
    assert said.endswith(f"hint: {command}\n")
    place.run(*command.split())
    version = place.run(project / ".venv/bin/leanspec-launcher", "--version")
    assert version == f"leanspec-launcher {place.new}\n"


def test_uvx_is_told_to_ask_for_the_latest(place: Place) -> None:
    uvx = ("uvx", "--python", str(BASE_PYTHON), "--from", "lean-spec", "leanspec-launcher")
    said = place.run(*uvx, "update", code=1)
    assert said.endswith("hint: uvx lean-spec@latest\n")
    place.release()
    latest = ("uvx", "--python", str(BASE_PYTHON), "--from", "lean-spec@latest")
    version = place.run(*latest, "leanspec-launcher", "--version")
    assert f"leanspec-launcher {place.new}\n" in version

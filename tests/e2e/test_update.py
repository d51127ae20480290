"""`leanspec-launcher update` with the real installers, against an index that gets a newer release."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.index.built import installer_settings
from tests.support import installers
from tests.support.installers import Installation, Pip, Pipx, UvPip, UvTool, Uvx, from_files
from tests.support.planted import plant
from tests.support.small_index import SmallIndex, running
from tests.support.surroundings import BASE_PYTHON, begin, run
from tests.support.wheel_files import as_version, content, required, rewrite

pytestmark = pytest.mark.posix
AVAILABLE = 3
ASKING = "asking the index for lean-spec…"


@dataclass
class Place:
    """An index, and an environment whose installers know no other."""

    index: SmallIndex
    old: str
    new: str
    newer: dict[str, bytes]
    home: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        """The name of the newer wheel with the command line for this machine."""
        (name,) = (name for name in self.newer if "_cli_bin-" in name and "linux" in name)
        return name

    def release(self, *without: str) -> None:
        """Let the newer release appear, without some of its files."""
        for name, data in self.newer.items():
            if not name.startswith(without):
                self.index.files[name] = data

    def run(
        self, *command: str | Path, code: int | None = 0, cwd: Path | None = None
    ) -> str:
        result = run([*command], self.env, code=code, cwd=cwd, timeout=120)
        return result.stdout + result.stderr.replace(f"{ASKING}\n", "")

    def installed(
        self, kind: type[Installation], requirement: str = installers.WITH_PAGES
    ) -> Callable[..., str]:
        """Install a requirement, and return how its `leanspec-launcher` is run."""
        installation = kind(self.home, self.env)
        installation.install(requirement)

        def launcher(*arguments: str, code: int | None = 0, cwd: Path | None = None) -> str:
            command = installation.command("leanspec-launcher")
            return self.run(*command, *arguments, code=code, cwd=cwd)

        return launcher


@pytest.fixture(scope="session")
def newer(
    stand_in: Path, version: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """Return the wheels of a release that follows."""
    folder = tmp_path_factory.mktemp("newer")
    new = f"{version}.post1"
    wheels = [
        as_version(wheel, version, new, folder)
        for wheel in (stand_in / "dist").glob("*.whl")
    ]
    return {path.name: path.read_bytes() for path in wheels}


@pytest.fixture
def place(
    stand_in: Path, newer: dict[str, bytes], wheelhouse: Path, version: str, tmp_path: Path
) -> Iterator[Place]:
    with running() as index:
        wheels = [*(stand_in / "dist").glob("*.whl"), *required(wheelhouse)]
        index.files |= {wheel.name: wheel.read_bytes() for wheel in wheels}
        home = tmp_path / "home"
        settings = installer_settings(f"{index.url}simple/", tmp_path / "cache")
        env = from_files(home) | settings | {"UV_OFFLINE": "0", "UV_NO_INDEX": "0"}
        env["PIP_CACHE_DIR"] = str(home / "pip")
        yield Place(index, version, f"{version}.post1", newer, home, env)


# Each installer has its own way; those that share most of it with another are for the slow run.
SLOW = pytest.mark.slow
SOME = [Pip, pytest.param(UvPip, marks=SLOW), UvTool, pytest.param(Pipx, marks=SLOW)]
FASTEST = [UvTool, *(pytest.param(kind, marks=SLOW) for kind in (Pip, UvPip, Pipx))]


@pytest.mark.parametrize("installer", FASTEST)
def test_update_reports_before_it_changes_and_goes_back_to_a_version(
    place: Place, installer: type[Installation]
) -> None:
    launcher = place.installed(installer)
    newest = f"lean-spec {place.old} is the newest release of your index\n"
    assert launcher("update") == newest
    place.release()
    output = launcher("update", "--check", code=AVAILABLE)
    assert f"lean-spec {place.new} is available, this is {place.old}" in output
    output = launcher("update", "--check", "--json", code=AVAILABLE)
    # On standard error.
    report, end = json.JSONDecoder().raw_decode(output)
    assert output[end:].startswith("\nhint: ")
    assert (report["installed"], report["available"]) == (place.old, place.new)
    assert place.program in report["files"]
    assert "would" not in launcher("update", "--dry-run")
    assert launcher("--version") == f"leanspec-launcher {place.old}\n"
    assert f"updated: lean-spec {place.new}" in launcher("update")
    output = launcher("update", "--version", place.old)
    assert f"updated: lean-spec {place.old}" in output
    assert launcher("--version") == f"leanspec-launcher {place.old}\n"
    launcher("verify")


@pytest.mark.parametrize("installer", [*FASTEST, pytest.param(Uvx, marks=SLOW)])
def test_an_installer_upgrades_by_itself(
    place: Place, installer: type[Installation]
) -> None:
    installation = installer(place.home, place.env)
    installation.install(f"lean-spec=={place.old}")
    place.release()
    installation.upgrade(f"lean-spec=={place.new}")
    version = installation.start("leanspec-launcher", "--version").stdout
    assert version == f"leanspec-launcher {place.new}\n"
    installation.start("leanspec-launcher", "verify")


def damage_release(place: Place) -> None:
    """Serve the newer release with a program that it does not pin."""
    place.release()
    wheel = place.home / place.program
    wheel.write_bytes(place.newer[place.program])
    program = "leanspec_cli_bin/bin/leanspec"
    rewrite(wheel, {program: content(wheel, program) + b"x"})
    place.index.files[place.program] = wheel.read_bytes()


@pytest.mark.parametrize("installer", SOME)
def test_update_is_undone_if_the_release_is_damaged(
    place: Place, installer: type[Installation]
) -> None:
    launcher = place.installed(installer)
    damage_release(place)
    output = launcher("update", code=1)
    assert f"error: the update failed, and {place.old} was restored: " in output
    assert "SHA-256 is not the expected one" in output
    assert launcher("--version") == f"leanspec-launcher {place.old}\n"
    launcher("verify")
    # Then it is mended; a cache would still have the damaged one.
    place.index.files[place.program] = place.newer[place.program]
    place.env |= {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"}
    if installer is Pipx:
        # What pipx lists is what is there: it was asked for that version.
        assert f"lean-spec {place.old}" in place.run("pipx", "list", "--short")
        place.run(*shlex.split(output.rpartition("once that is fixed, `")[2].rstrip("`\n")))
    else:
        output = launcher("update")
        assert "  extras: ui\n" in output
        assert f"updated: lean-spec {place.new}" in output
    assert launcher("--version") == f"leanspec-launcher {place.new}\n"
    launcher("verify")
    launcher("verify", "http")


def test_update_that_cannot_be_undone_says_so(place: Place) -> None:
    launcher = place.installed(UvTool)
    damage_release(place)
    for name in [name for name in place.index.files if f"-{place.old}-" in name]:
        del place.index.files[name]
    place.env["UV_NO_CACHE"] = "1"
    output = launcher("update", code=1)
    assert f"error: the update failed, and {place.old} could not be restored: " in output
    assert output.splitlines()[-1].startswith("hint: uv pip install ")


def test_update_is_undone_after_an_interrupt(place: Place) -> None:
    launcher = place.installed(UvTool)
    place.release()
    launcher_path = UvTool(place.home, place.env).command("leanspec-launcher")
    command = [*launcher_path, "update"]
    with begin(command, place.env, start_new_session=True) as process:
        assert process.stderr
        lines = iter(process.stderr.readline, "")
        assert any(line.startswith("$ uv tool upgrade") for line in lines)
        # Its questions are answered late, so that it still works when the first one arrives.
        place.index.delay, before = 0.5, sum(place.index.looks.values())
        while sum(place.index.looks.values()) == before:
            time.sleep(0.02)
        # As a terminal does: to the installer, too.
        subprocess.run(["kill", "-INT", "--", f"-{process.pid}"], check=True)
        place.index.delay = 0
        output = process.stderr.read()
        assert process.wait() == 130
    assert f"{place.old} is still installed" in output
    assert output.splitlines()[-1] == "error: interrupted"
    assert launcher("--version") == f"leanspec-launcher {place.old}\n"
    launcher("verify")


HALVES = {
    "the launcher alone": (("leanspec_",), "is incomplete on the index"),
    "without a program": (("leanspec_mcp_bin",), "is incomplete on the index"),
    "without this machine": ("platform", "for this machine"),
    "yanked": ("yanked", "is the newest release of your index"),
}  # fmt: skip


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("installer", [pytest.param(Pip, marks=SLOW), UvPip])
def test_update_changes_nothing_while_a_release_is_incomplete(
    place: Place, installer: type[Installation], half: str
) -> None:
    launcher = place.installed(installer)
    without, message = HALVES[half]
    place.release(*(without if isinstance(without, tuple) else ()))
    if without == "platform":
        del place.index.files[place.program]
    if without == "yanked":
        place.index.yanked = set(place.newer)
        assert "error: " in launcher("update", "--version", place.new, code=1)
    assert message in launcher("update", code=None)
    assert launcher("--version") == f"leanspec-launcher {place.old}\n"


def test_update_does_not_go_back_to_an_older_index(place: Place) -> None:
    place.release()
    launcher = place.installed(UvPip)
    for name in place.newer:
        del place.index.files[name]
    output = launcher("update")
    assert output == f"lean-spec {place.new} is the newest release of your index\n"
    assert launcher("--version") == f"leanspec-launcher {place.new}\n"


@pytest.mark.parametrize("installer", SOME)
def test_update_fails_if_the_index_cannot_be_reached(
    place: Place, installer: type[Installation]
) -> None:
    launcher = place.installed(installer)
    newest = f"lean-spec {place.old} is the newest release of your index\n"
    assert launcher("update", "--check") == newest
    nowhere = "http://127.0.0.1:1/simple/"
    place.env |= {"PIP_INDEX_URL": nowhere, "UV_DEFAULT_INDEX": nowhere}
    place.env |= {"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"}
    output = launcher("update", "--check", code=1)
    assert "error: " in output
    assert "newest" not in output


@pytest.mark.parametrize(
    ("installer", "command"),
    [
        (UvTool, "uv tool install --force lean-spec"),
        (Pipx, "pipx install --force lean-spec"),
    ],
)
def test_update_leaves_a_pinned_version(
    place: Place, installer: type[Installation], command: str
) -> None:
    launcher = place.installed(installer, f"lean-spec=={place.old}")
    place.release()
    output = launcher("update", code=1)
    assert "it was installed with exactly this version" in output
    assert output.endswith(f"hint: {command}\n")


@SLOW
def test_update_names_the_command_that_an_old_pip_needs(
    place: Place, stand_in: Path, wheelhouse: Path, pips: Path
) -> None:
    installation = Pip(place.home, place.env)
    installation.use_pip(installers.PIPS[0], pips)
    # That one cannot read the pages of the index.
    links = ("--find-links", stand_in / "dist", "--find-links", wheelhouse)
    installation.install("--no-index", *links, "lean-spec")
    place.release()
    error = installation.start("leanspec-launcher", "update", code=1).stderr
    text = "error: this pip does not say what it would install\nhint: "
    assert error.startswith(text)
    from_files = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(pips)}
    run(["/bin/sh", "-c", error.removeprefix(text)], place.env | from_files)
    output = installation.start("leanspec-launcher", "update").stdout
    assert f"updated: lean-spec {place.new}" in output


def test_update_leaves_a_project_to_its_lock_file(place: Place, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\n'
        "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n"
    )
    launcher = project / ".venv/bin/leanspec-launcher"
    place.run("uv", "add", "--project", project, "--python", BASE_PYTHON, "lean-spec")
    place.release()
    output = place.run(launcher, "update", code=1)
    command = f"uv sync --project {project} --upgrade-package lean-spec"
    assert output.endswith(f"hint: {command}\n")
    place.run(*command.split())
    assert place.run(launcher, "--version") == f"leanspec-launcher {place.new}\n"


def test_update_names_the_command_that_refreshes_uvx(place: Place) -> None:
    launcher = place.installed(Uvx, "lean-spec")
    assert launcher("update", code=1).endswith("hint: uvx lean-spec@latest\n")
    place.release()
    launcher = place.installed(Uvx, "lean-spec@latest")
    assert f"leanspec-launcher {place.new}\n" in launcher("--version")


# Each command of the launcher that starts an installer, an interpreter or a tool of the system.
STARTING = [
    ("doctor",),
    ("verify",),
    ("repair", "--dry-run"),
    ("repair",),
    ("bundle", "bundled"),
    ("update", "--check"),
    ("update", "--dry-run"),
    ("update",),
]


@pytest.mark.slow
@pytest.mark.parametrize("installer", [Pip, UvPip, UvTool, Pipx])
def test_no_command_reads_or_runs_a_file_of_the_working_directory(
    place: Place, installer: type[Installation], tmp_path: Path
) -> None:
    launcher = place.installed(installer)
    place.release()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for name, data in place.newer.items():
        wheel = foreign / name
        wheel.write_bytes(data)
        as_version(wheel, place.new, "9", foreign)
    mark, folder = tmp_path / "mark", tmp_path / "cloned"
    plant(folder, mark, foreign)
    del place.env["UV_NO_CONFIG"]
    place.env["PATH"] = os.pathsep.join([".", "", place.env["PATH"]])
    place.env["LEANSPEC_UPDATE_CHECK"] = "1"
    before = sorted(folder.rglob("*"))
    for arguments in STARTING:
        if arguments == ("repair",):
            binary = installer(place.home, place.env).binary()
            binary.write_bytes(binary.read_bytes() + b"x")
        launcher(*arguments, code=None, cwd=folder)
        assert not mark.exists(), f"{arguments}: {mark.read_text()}"
    after = [path for path in sorted(folder.rglob("*")) if "bundled" not in path.parts]
    assert after == before
    assert launcher("--version") == f"leanspec-launcher {place.new}\n"
    launcher("verify")

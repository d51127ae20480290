"""`collect desktop` on applications that are laid out as Tauri's are; their builder makes a real Debian package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher._tables import PLATFORMS
from scripts.collect import desktop
from tests.support.desktop import PNPM, write_application, write_image, write_pnpm_workspace
from tests.support.preconditions import needs
from tests.support.releases import Scripts
from tests.support.surroundings import clean
from tests.support.versions import RELEASED

pytestmark = needs("npm", "cargo")
PLACE = "packages/desktop"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    return write_pnpm_workspace(tmp_path / "leanspec")


@pytest.mark.network
@pytest.mark.parametrize("member", [True, False], ids=["member", "repository of its own"])
def test_collect_desktop_builds_with_the_pinned_pnpm(
    sources: Path, scripts: Scripts, tmp_path: Path, *, member: bool
) -> None:
    """As a member of LeanSpec's workspace, and with a lock of its own inside of it."""
    write_application(sources / PLACE, RELEASED, member=member)
    into = tmp_path / "into"
    process = scripts("collect", "desktop", sources, "--build", "--into", into)
    name = f"LeanSpec_{RELEASED}_amd64.deb"
    assert f"Debian package {name} in" in process.stderr
    assert f"pnpm is {PNPM.removeprefix('pnpm@')}\n" in process.stderr
    assert not list(sources.rglob("a-script-ran"))
    assert {path.name for path in into.iterdir()} == {name, f"{name}.sha256"}
    check = ["sha256sum", "--check", "--strict", f"{name}.sha256"]
    subprocess.run(check, cwd=into, check=True, capture_output=True)


@pytest.mark.network
def test_collect_desktop_installs_nothing_that_is_not_locked(
    sources: Path, scripts: Scripts
) -> None:
    write_application(sources / PLACE, RELEASED, member=True)
    manifest = sources / "packages/http-server/package.json"
    added = {"name": "@leanspec/http-server", "dependencies": {"left-pad": "1.3.0"}}
    manifest.write_text(json.dumps(added))
    process = scripts("collect", "desktop", sources, "--build", code=1)
    text = f"npx --yes {PNPM} install --frozen-lockfile --ignore-scripts` failed"
    assert text in process.stderr


def test_collect_desktop_takes_one_complete_bundle_of_this_version(
    sources: Path, scripts: Scripts, tmp_path: Path
) -> None:
    application = write_application(sources / PLACE, RELEASED)
    command = ("collect", "desktop", application, "--into", tmp_path / "into")
    assert "no Debian package is built in" in scripts(*command, code=1).stderr
    place = application / "src-tauri/target/release/bundle/deb"
    place.mkdir(parents=True)
    for version in (RELEASED, "0.2.9"):
        shutil.copy(application / "made.deb", place / f"LeanSpec_{version}_amd64.deb")
    assert "has 2 Debian packages: " in scripts(*command, code=1).stderr
    (place / f"LeanSpec_{RELEASED}_amd64.deb").unlink()
    process = scripts(*command, code=1)
    assert f"is of version `0.2.9`, the release is {RELEASED}" in process.stderr
    assert "src-tauri/tauri.conf.json`" in process.stderr
    (place / "LeanSpec_0.2.9_amd64.deb").write_bytes(b"!<arch>\n")
    assert "is not a complete Debian package" in scripts(*command, code=1).stderr


def test_collect_desktop_says_where_the_application_has_moved(
    sources: Path, scripts: Scripts
) -> None:
    process = scripts("collect", "desktop", sources, code=1)
    assert f"no desktop application in `{sources}`" in process.stderr
    assert "codervisor/lean-spec-desktop" in process.stderr
    for place in ("packages/desktop", "apps/desktop", "node_modules/desktop"):
        (sources / place / "src-tauri").mkdir(parents=True)
        (sources / place / "src-tauri/tauri.conf.json").touch()
    process = scripts("collect", "desktop", sources, code=1)
    assert f"`{sources}` has 2 desktop applications" in process.stderr
    assert "hint: name one of them" in process.stderr


@pytest.mark.parametrize(
    ("manager", "words"),
    [
        ({}, "no `packageManager` is stated for"),
        ({"packageManager": "yarn@4.0.0"}, "states `yarn@4.0.0` as its package manager"),
        ([], "package.json` cannot be read"),
    ],
)
def test_collect_desktop_needs_a_pinned_pnpm(
    manager: object, words: str, scripts: Scripts, tmp_path: Path
) -> None:
    application = write_application(tmp_path / "desktop", RELEASED)
    (application / "package.json").write_text(json.dumps(manager))
    process = scripts("collect", "desktop", application, "--build", code=1)
    assert words in process.stderr
    assert "hint: " in process.stderr


def test_collect_desktop_builds_one_disk_image_for_both_cpus(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Mac in name only: Tauri's build leaves what it is asked for."""
    application = write_application(sources / PLACE, RELEASED)
    commands: list[list[str]] = []
    place = "src-tauri/target/universal-apple-darwin/release/bundle/dmg"
    name = f"LeanSpec_{RELEASED}_universal.dmg"

    def run(command: list[str], _folder: Path) -> None:
        commands.append(command)
        if "tauri" in command:
            write_image(application / place / name)

    monkeypatch.setattr(desktop, "_run", run)
    monkeypatch.setattr(desktop, "current", lambda: PLATFORMS["darwin-arm64"])
    monkeypatch.setattr(desktop, "home_version", lambda: Version(RELEASED))
    bundle = desktop.collect_desktop(sources, tmp_path / "into", build=True)
    assert bundle.platforms == ("darwin-x64", "darwin-arm64")
    assert (tmp_path / "into" / name).is_file()
    words = "run tauri build --ci --bundles dmg --target universal-apple-darwin"
    assert commands[-1][-8:] == words.split()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(desktop, "find_program", lambda name, _hint="": name)
    desktop.prepare_machine()
    assert commands[-1] == ["rustup", "target", "add", *desktop.RUST_TARGETS]


def test_collect_desktop_prepare_installs_what_tauri_needs(
    scripts: Scripts, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    log = tmp_path / "log"
    (programs / "apt-get").write_text(f'#!/bin/sh\necho "$*" >>"{log}"\n')
    (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    for path in programs.iterdir():
        path.chmod(0o755)
    env = clean(tmp_path / "home", PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    scripts("collect", "desktop", tmp_path, "--prepare", env=env)
    packages = " ".join(desktop.DEBIAN_PACKAGES)
    expected = ["update", f"install --yes --no-install-recommends {packages}"]
    assert log.read_text().splitlines() == expected
    process = scripts("collect", "desktop", tmp_path, "--prepare", "--build", code=2)
    assert "are two steps" in process.stderr

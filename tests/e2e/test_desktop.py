"""`collect desktop` on an application that is laid out as Tauri's are; its builder makes a real Debian package."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.desktop import write_application
from tests.support.preconditions import needs
from tests.support.versions import RELEASED

pytestmark = needs("npm", "cargo")
Scripts = Callable[..., CompletedProcess[str]]


@pytest.fixture
def application(tmp_path: Path) -> Path:
    return write_application(tmp_path / "application", RELEASED)


def test_a_bundle_is_built_and_taken(
    application: Path, scripts: Scripts, tmp_path: Path
) -> None:
    done = scripts(
        "collect", "desktop", application, "--build", "--into", tmp_path / "into"
    )
    name = f"LeanSpec_{RELEASED}_amd64.deb"
    assert f"Debian package {name} in" in done.stderr
    into = tmp_path / "into"
    assert {path.name for path in into.iterdir()} == {name, f"{name}.sha256"}
    check = ["sha256sum", "--check", "--strict", f"{name}.sha256"]
    subprocess.run(check, cwd=into, check=True, capture_output=True)


def test_what_is_no_bundle_or_one_of_several_is_not_taken(
    application: Path, scripts: Scripts, tmp_path: Path
) -> None:
    command = ("collect", "desktop", application, "--into", tmp_path / "into")
    assert "no Debian package is built in" in scripts(*command, code=1).stderr
    place = application / "src-tauri/target/release/bundle/deb"
    place.mkdir(parents=True)
    for version in (RELEASED, "0.2.9"):
        shutil.copy(application / "made.deb", place / f"LeanSpec_{version}_amd64.deb")
    assert "has 2 Debian packages: " in scripts(*command, code=1).stderr
    (place / "LeanSpec_0.2.9_amd64.deb").write_bytes(b"!<arch>\n")
    assert "is not a complete Debian package" in scripts(*command, code=1).stderr
    (application / "tauri.sh").chmod(0o400)
    assert (
        "`npm run tauri -- build --ci --bundles deb` failed"
        in scripts(*command, "--build", code=1).stderr
    )
    assert (
        "it contains no `package.json`"
        in scripts("collect", "desktop", tmp_path, code=1).stderr
    )

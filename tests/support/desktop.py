"""Desktop bundles, made by the real tools."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.support.preconditions import require

# What `tauri build --ci --bundles deb` leaves, and nothing for any other words.
TAURI = """#!/bin/sh
test "$*" = "build --ci --bundles deb" || exit 9
mkdir -p src-tauri/target/release/bundle/deb
cp made.deb src-tauri/target/release/bundle/deb/LeanSpec_VERSION_amd64.deb
"""
SCRIPT = """\
Unicode true
Name "LeanSpec"
OutFile "{out}"
InstallDir "$LOCALAPPDATA\\\\LeanSpec"
Section
SetOutPath $INSTDIR
File "{content}"
SectionEnd
"""


def make_deb(path: Path, version: str, architecture: str, program: bytes) -> Path:
    """Build a Debian package with dpkg-deb, as Tauri lays it out."""
    require("dpkg-deb")
    tree = path.parent / f"{path.name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: lean-spec\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: x <x@example.org>\n"
    (tree / "DEBIAN/control").write_text(f"{control}Description: LeanSpec\n")
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/leanspec-desktop").write_bytes(program)
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", tree, path],
        check=True,
        capture_output=True,
    )
    return path


def make_installer(path: Path) -> Path:
    """Build a Windows installer with makensis."""
    require("makensis")
    content = path.parent / f"{path.name}.txt"
    content.write_text("content")
    script = path.parent / f"{path.name}.nsi"
    script.write_text(SCRIPT.format(out=path, content=content))
    subprocess.run(["makensis", "-V1", script], check=True, capture_output=True)
    content.unlink()
    script.unlink()
    return path


def write_application(folder: Path, version: str) -> Path:
    """Write an application that is laid out as Tauri's are; its builder copies a real Debian package."""
    (folder / "src-tauri/src").mkdir(parents=True)
    package = {"name": "desktop", "version": version, "scripts": {"tauri": "./tauri.sh"}}
    (folder / "package.json").write_text(json.dumps(package))
    lock = {
        "name": "desktop",
        "version": version,
        "lockfileVersion": 3,
        "packages": {"": package},
    }
    (folder / "package-lock.json").write_text(json.dumps(lock))
    (folder / "tauri.sh").write_text(TAURI.replace("VERSION", version))
    (folder / "tauri.sh").chmod(0o755)
    manifest = f'[package]\nname = "desktop"\nversion = "{version}"\nedition = "2021"\n'
    (folder / "src-tauri/Cargo.toml").write_text(manifest)
    (folder / "src-tauri/src/main.rs").write_text("fn main() {}\n")
    make_deb(folder / "made.deb", version, "amd64", b"#!/bin/sh\n")
    shutil.rmtree(folder / "made.deb.tree")
    return folder

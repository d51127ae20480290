"""Desktop bundles, made by the real tools."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from scripts.tools.processes import clean_environment
from tests.support.preconditions import require

PNPM = "pnpm@10.30.2"
LOCK = """lockfileVersion: '9.0'
settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false
importers:
"""
# What the application depends on: as a member of the workspace, or from beside it.
DEPENDENCY = """
    dependencies:
      '@leanspec/ui':
        specifier: SPECIFIER
        version: link:../ui
"""
MEMBERS = """  packages/http-server: {}
  packages/ui:
    dependencies:
      '@leanspec/http-server':
        specifier: workspace:*
        version: link:../http-server
"""
# What `tauri build --ci --bundles deb` leaves, and nothing for any other words. As the
# `beforeBuildCommand` of LeanSpec's application, it calls pnpm by its name, and needs what the
# workspace around it installs.
TAURI = """#!/bin/sh
test "$*" = "build --ci --bundles deb" || exit 9
test -e node_modules/@leanspec/ui/package.json || exit 7
test -e ../ui/node_modules/@leanspec/http-server/package.json || exit 8
echo "pnpm is $(pnpm --version)" >&2
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


def write_image(path: Path) -> Path:
    """Write a disk image as far as it has a magic: its trailer. No tool on this system makes one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(4096) + b"koly" + bytes(508))
    return path


def pack_pnpm(folder: Path) -> bytes:
    """Return the archive of the pinned pnpm, from the machine's own registry."""
    command = ["npm", "pack", PNPM, "--pack-destination", str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=clean_environment())
    (archive,) = folder.glob("pnpm-*.tgz")
    return archive.read_bytes()


def write_pnpm_workspace(folder: Path) -> Path:
    """Write a pnpm workspace as LeanSpec's is: a pinned pnpm, a script, and a member that needs another."""
    server = {"name": "@leanspec/http-server"}
    ui = {"name": "@leanspec/ui", "dependencies": {server["name"]: "workspace:*"}}
    root = {
        "name": "lean-spec",
        "private": True,
        "packageManager": PNPM,
        "scripts": {"prepare": "touch a-script-ran"},
    }
    for place, package in (
        (folder, root),
        (folder / "packages/http-server", server),
        (folder / "packages/ui", ui),
    ):
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text(json.dumps(package))
    (folder / "pnpm-workspace.yaml").write_text("packages:\n  - packages/*\n")
    (folder / "pnpm-lock.yaml").write_text(f"{LOCK}  .: {{}}\n{MEMBERS}")
    return folder


def write_application(folder: Path, version: str, *, member: bool = False) -> Path:
    """Write an application that is laid out as Tauri's are; its builder copies a real Debian package.

    As a member of a workspace it has no lock of its own. Otherwise the workspace's does not know it.
    """
    (folder / "src-tauri/src").mkdir(parents=True)
    (folder / "src-tauri/tauri.conf.json").write_text(json.dumps({"version": version}))
    package = {"name": "desktop", "version": version, "scripts": {"tauri": "./tauri.sh"}}
    specifier = "workspace:*" if member else "link:../ui"
    package["dependencies"] = {"@leanspec/ui": specifier}
    locked = DEPENDENCY.replace("SPECIFIER", specifier)
    if member:
        lock = folder.parents[1] / "pnpm-lock.yaml"
        lock.write_text(f"{LOCK}  .: {{}}\n  packages/desktop:{locked}{MEMBERS}")
    else:
        (folder / "pnpm-lock.yaml").write_text(f"{LOCK}  .:{locked}")
    (folder / "package.json").write_text(json.dumps(package))
    (folder / "tauri.sh").write_text(TAURI.replace("VERSION", version))
    (folder / "tauri.sh").chmod(0o755)
    manifest = f'[package]\nname = "desktop"\nversion = "{version}"\nedition = "2021"\n'
    (folder / "src-tauri/Cargo.toml").write_text(manifest)
    (folder / "src-tauri/src/main.rs").write_text("fn main() {}\n")
    make_deb(folder / "made.deb", version, "amd64", b"#!/bin/sh\n")
    shutil.rmtree(folder / "made.deb.tree")
    return folder

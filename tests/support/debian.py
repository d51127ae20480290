"""Trees of other Debian systems, made with the apt that this machine is configured with."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.support.preconditions import missing

APT = Path("/etc/apt")


def sources() -> list[Path]:
    """Return the files that name Debian's own packages, as this machine is configured."""
    return [
        path
        for path in (*APT.glob("sources.list"), *APT.glob("sources.list.d/*"))
        if path.is_file() and re.search(r"/debian(-security)?/?\s", path.read_text("utf-8"))
    ]


def mirror() -> str:
    """Return where this machine takes Debian's packages from."""
    lines = [line for path in sources() for line in path.read_text("utf-8").splitlines()]
    pattern = re.compile(r"^(?:URIs:|deb)\s.*?(\S+://\S+/debian)/?(?:\s|$)")
    matches = filter(None, map(pattern.search, lines))
    match = next(matches, None)
    if match is None:
        missing("apt-get", "it is not configured with a Debian mirror")
    return match[1]


def bootstrap(root: Path, suite: str, *packages: str, foreign: str | None = None) -> None:
    """Make a minimal Debian in `root`, with packages, and a second architecture for libraries."""
    options = ("--variant=minbase", "--include=ca-certificates")
    subprocess.run(["debootstrap", *options, suite, root, mirror()], check=True)
    own = [
        path for path in sources() if re.search(rf"\b{suite}\b", path.read_text("utf-8"))
    ]
    if own:
        # This machine's own suite, security updates included; another suite keeps what debootstrap
        # wrote.
        for path in own:
            shutil.copy(path, root / "etc/apt/sources.list.d")
        (root / "etc/apt/sources.list").unlink(missing_ok=True)
    if foreign:
        inside(root, "dpkg", "--add-architecture", foreign)
    # A mirror's copy of a moving suite may be some weeks old; the signature still counts.
    inside(root, "apt-get", "-o", "Acquire::Check-Valid-Until=false", "update")
    inside(root, "apt-get", "install", "-y", "--no-install-recommends", *packages)


def inside(root: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a tree, with /proc there; raises with its words where it fails."""
    mount = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "--fork", "--pid", "sh", "-ec", mount, root, *command],
        env={
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "DEBIAN_FRONTEND": "noninteractive",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done


def private_apt(
    folder: Path, architecture: str | None = None, *, source: bool = False
) -> list[str]:
    """Return apt options for folders of its own, so that this system's lists stay as they are."""
    parts = folder / "sources"
    for path in (parts, folder / "state/lists/partial", folder / "cache/archives/partial"):
        path.mkdir(parents=True)
    for path in sources():
        text = path.read_text("utf-8")
        (parts / path.name).write_text(
            re.sub(r"(?m)^Types:.*", "Types: deb-src", text) if source else text, "utf-8"
        )
    (folder / "status").touch()
    options = {
        "Dir::State": folder / "state",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": parts,
        "Dir::State::status": folder / "status",
        "APT::Sandbox::User": "root",
    }
    if architecture:
        options |= {"APT::Architecture": architecture, "APT::Architectures": architecture}
    result = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    subprocess.run(["apt-get", *result, "update"], capture_output=True, check=True)
    return result


def unpack(tree: Path, architecture: str, *packages: str) -> None:
    """Unpack packages of another architecture into a tree, without running anything of theirs."""
    tree.mkdir()
    folder = tree.with_name(f"{tree.name}-apt")
    options = private_apt(folder, architecture)
    subprocess.run(
        ["apt-get", *options, "download", *packages],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, tree], check=True)
    for name in ("lib", "bin"):
        if not (tree / name).exists():
            (tree / name).symlink_to(f"usr/{name}")
    (tree / "tmp").mkdir(exist_ok=True)


COMPILER = """#!/bin/bash
[ "$1" = --print-multiarch ] && { echo x86_64-linux-musl; exit 0; }
wanted=()
for each in "$@"; do
    # CPython's setup.py looks for the headers of this system's own libc.
    case $each in -[IL]/usr/*) ;; *) wanted+=("$each") ;; esac
done
exec musl-gcc "${wanted[@]}"
"""
BUILD = """set -e
tar xf zlib_*.orig.tar.* --one-top-level=zlib --strip-components=1
tar xf python3.11_*.orig.tar.* --one-top-level=python --strip-components=1
(cd zlib && CC=musl-gcc CFLAGS='-fPIC -O2' ./configure --static --prefix="$PWD/../zlib-musl" && make install)
cd python
CC="$PWD/../musl-cc" CPPFLAGS="-I$PWD/../zlib-musl/include" LDFLAGS="-L$PWD/../zlib-musl/lib" \\
    ./configure --prefix="$PWD/../cpython" --disable-test-modules --without-ensurepip
make -j2 && make install
"""


def build_musl_python(folder: Path) -> None:
    """Build CPython and its zlib from Debian's original sources, with musl's compiler."""
    options = private_apt(folder / "apt", source=True)
    # Debian's patches are not wanted, and may be newer than the mirror's list: the original
    # archives suffice.
    for package in ("python3.11", "zlib"):
        command = ["apt-get", *options, "source", "--download-only", package]
        subprocess.run(command, cwd=folder, capture_output=True, check=False)
    (folder / "musl-cc").write_text(COMPILER)
    (folder / "musl-cc").chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", BUILD], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]

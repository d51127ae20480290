"""Trees of other Debian systems, made with the apt that this machine is configured with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

APT = Path("/etc/apt")


def needs_root_and(*programs: str) -> None:
    """Skip the test where this is no Debian, no root, or a program can neither be found nor installed."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("needs root on a Debian")
    for program, package in (each.partition("@")[::2] for each in programs):
        if shutil.which(program) is None:
            subprocess.run(["apt-get", "update"], capture_output=True, check=False)
            done = subprocess.run(["apt-get", "install", "-y", package or program], capture_output=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"`{program}` is not installed, and apt has none")


def sources() -> list[Path]:
    """Return the files that name Debian's own packages, as this machine is configured."""
    return [
        path
        for path in (*APT.glob("sources.list"), *APT.glob("sources.list.d/*"))
        if path.is_file() and re.search(r"/debian(-security)?/?\s", path.read_text("utf-8"))
    ]


def mirror() -> str:
    """Return where this machine takes Debian's packages from."""
    for path in sources():
        for line in path.read_text("utf-8").splitlines():
            found = re.search(r"^(?:URIs:|deb)\s.*?(\S+://\S+/debian)/?(?:\s|$)", line)
            if found:
                return found[1]
    pytest.skip("apt is not configured with a Debian mirror")


def bootstrap(root: Path, suite: str, *packages: str, foreign: str | None = None) -> None:
    """Make a minimal Debian in `root`, with packages, and a second architecture for libraries."""
    subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, root, mirror()], check=True)
    for path in sources():
        shutil.copy(path, root / "etc/apt/sources.list.d")
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    if foreign:
        inside(root, "dpkg", "--add-architecture", foreign)
    inside(root, "apt-get", "update")
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

"""What programs that need OpenSSL are built from: Debian's crates, and Debian's copy of the pinned source.

Both, and the libraries that are built of it, are kept in the development environment.
"""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.collect.openssl import read_openssl
from tests.support import debian
from tests.support.preconditions import missing
from tests.support.surroundings import once

FOLDER = Path(sys.prefix, "openssl")
POOLS = ("debian/pool/main", "debian-security/pool/updates/main")
HELPER = "/usr/lib/apt/apt-helper"
# What the crates `openssl` and `openssl-probe` need.
CRATES = (
    *("autocfg", "bitflags", "cc", "cfg-if", "foreign-types-0.3"),
    *("foreign-types-shared-0.1", "jobserver", "libc", "once-cell", "openssl"),
    *("openssl-macros", "openssl-probe", "openssl-sys", "pkg-config", "proc-macro2"),
    *("quote", "syn", "unicode-ident", "vcpkg"),
)


def must_be_obtainable() -> None:
    """Skip the test if Debian's crates or the pinned source are not to be had."""
    if not is_obtainable():
        missing("apt-get", "Debian's mirror lacks the crates or the pinned OpenSSL")


@functools.cache
def is_obtainable() -> bool:
    """Tell whether crates and source are there, fetched first if that can be done."""
    if not Path(HELPER).is_file():
        return False
    try:
        crates()
        source()
    except (OSError, subprocess.CalledProcessError, pytest.skip.Exception):
        return False
    return True


def crates() -> Path:
    """Return a folder of crates, as a `directory` source of cargo."""

    def make(folder: Path) -> None:
        packages = [f"librust-{name}-dev" for name in CRATES]
        debian.unpack(folder / "tree", "amd64", *packages)
        for crate in (folder / "tree/usr/share/cargo/registry").iterdir():
            # Debian's packages do not state what crates.io says.
            checksum = hashlib.sha256(crate.name.encode()).hexdigest()
            text = json.dumps({"package": checksum, "files": {}})
            (crate / ".cargo-checksum.json").write_text(text)

    FOLDER.mkdir(exist_ok=True)
    names = hashlib.sha256(" ".join(CRATES).encode()).hexdigest()
    return once(FOLDER / f"crates-{names[:16]}", make) / "tree/usr/share/cargo/registry"


def source() -> Path:
    """Return the archive of the pinned OpenSSL."""
    pin = read_openssl()
    name = f"openssl_{pin.version}.orig.tar.gz"

    def make(folder: Path) -> None:
        base = debian.mirror().removesuffix("debian")
        urls = [f"{base}{pool}/o/openssl/{name}" for pool in POOLS]
        options = [str(folder / name), f"SHA256:{pin.sha256}"]
        commands = [[HELPER, "download-file", url, *options] for url in urls]
        if not any(map(succeeds, commands)):
            raise FileNotFoundError(urls)

    FOLDER.mkdir(exist_ok=True)
    return once(FOLDER / f"source-{pin.sha256[:16]}", make) / name


def succeeds(command: list[str]) -> bool:
    """Tell whether a program ends well."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def keep_libraries(home: Path) -> None:
    """Let the libraries that are built with this home outlive it."""
    (FOLDER / "built").mkdir(parents=True, exist_ok=True)
    link = home / ".cache/leanspec-release/openssl"
    link.parent.mkdir(parents=True)
    link.symlink_to(FOLDER / "built")

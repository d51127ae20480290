"""Installations of the real programs, and programs for all six platforms, built from one small crate."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from scripts.environment import Group
from scripts.locked import EXACTLY, entry
from scripts.tools.processes import clean_environment
from tests.support import debian, installers
from tests.support.installers import Fresh, Installation, Kind, Lend, Pip, Shelf, from_files
from tests.support.preconditions import require
from tests.support.surroundings import once, run
from tests.support.targets import TARGETS
from tests.support.workspace import write_workspace

# Debian's cargo in a tree of its own: its Rust has the sources of std, so that std is built for
# every target.
CARGO = """#!/bin/sh
export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort CARGO_NET_OFFLINE=true HOME=/root
case "$*" in
*musl*) export RUSTFLAGS="-C link-self-contained=no" ;;
*darwin*) export CARGO_PROFILE_RELEASE_STRIP=none MACOSX_DEPLOYMENT_TARGET=11.0 ;;
esac
exec unshare --mount --fork --pid sh -ec 'mount -t proc proc "$0/proc" && exec chroot "$0" env -C "${PWD#ROOT}" \\
    PATH=/usr/local/bin:/usr/bin:/bin /usr/bin/cargo "$@"' ROOT "$@"
"""
VENDORED = """[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "/usr/lib/rustlib/src/rust/library/vendor"
"""


@pytest.fixture(scope="session")
def toolchain(shared: Path) -> Path:
    """Return a Debian with a Rust that has the sources of std, zig, and a C compiler for Windows."""
    require("debootstrap", "unshare")

    def make(root: Path) -> None:
        rust = ("rustc-web", "cargo-web", "rust-web-src")
        c, python = ("gcc", "libc6-dev", "gcc-mingw-w64-x86-64"), ("python3", "python3-pip")
        debian.bootstrap(root, "bookworm", *rust, *c, *python)
        locked = root / "tmp/locked.txt"
        tools = ("ziglang", "cargo-zigbuild")
        locked.write_text("".join(entry(Group.DEV.lock, tool) for tool in tools))
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--dest", root / "tmp")
        run([*pip, *EXACTLY, "--requirement", locked], clean_environment())
        names = [f"/tmp/{path.name}" for path in (root / "tmp").glob("*.whl")]  # noqa: S108 - the tree's own
        options = ("--break-system-packages", "--no-deps", "--no-index")
        debian.inside(root, "pip3", "install", *options, *names)

    return once(shared / "toolchain", make)


@pytest.fixture(scope="session")
def six_platforms(
    shared: Path,
    toolchain: Path,
    scripts: Callable[..., CompletedProcess[str]],
    version: str,
) -> Path:
    """Return the wheels of programs for Linux (static, musl), Windows and macOS; some ten minutes."""

    def make(folder: Path) -> None:
        # The workspace has one path inside the tree and outside of it.
        workspace = write_workspace(Path(f"{toolchain}{folder}/workspace"), version)
        (folder / "workspace").symlink_to(workspace)
        (workspace / ".cargo").mkdir()
        (workspace / ".cargo/config.toml").write_text(VENDORED)
        tools = folder / "bin"
        tools.mkdir()
        (tools / "cargo").write_text(CARGO.replace("ROOT", str(toolchain)))
        (tools / "cargo").chmod(0o755)
        env = clean_environment(PATH=f"{tools}:{os.environ['PATH']}")
        named = [part for target in TARGETS for part in ("--target", target)]
        command = ["collect", "cargo", folder / "workspace", *named]
        command += ["--build", "--builder", "zigbuild", "--into", folder / "binaries"]
        scripts(*command, env=env, timeout=3000)
        scripts("wheels", "--binaries", folder / "binaries", "--out", folder / "dist")

    return once(shared / "six-platforms", make) / "dist"


@pytest.fixture(scope="session")
def pips(shared: Path) -> Path:
    """Return the wheels of several versions of pip."""

    def fetch(folder: Path) -> None:
        download = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
        for version in installers.PIPS:
            run([*download, "--dest", folder, f"pip=={version}"], clean_environment())

    return once(shared / "pips", fetch)


@pytest.fixture
def fresh(dist: Path, wheelhouse: Path, tmp_path: Path) -> Fresh:
    """Return how an installer gets a new home, with nothing installed."""

    def prepare(kind: type[Kind]) -> Kind:
        home = tmp_path / "home"
        return kind(home, from_files(home, dist, wheelhouse))

    return prepare


@pytest.fixture
def lend(shared: Path, dist: Path, wheelhouse: Path) -> Iterator[Lend]:
    """Return how a test borrows the installation of an installer, which it may damage."""
    shelf = Shelf(shared / "installations", (dist, wheelhouse))
    with ExitStack() as stack:

        def borrow(kind: type[Kind], *requirements: str) -> Kind:
            return stack.enter_context(shelf.lend(kind, *requirements))

        yield borrow


@pytest.fixture
def installed(lend: Lend) -> Installation:
    """Return an environment in which pip installed `lean-spec[ui]`; a test may damage it."""
    return lend(Pip, installers.WITH_PAGES)

"""Cross builds that are real: a pinned glibc floor with `cargo zigbuild`, inspected, wheeled, installed and run."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from scripts.processes import clean_environment
from tests.conftest import install
from tests.e2e import debian
from tests.scripts.workspace import write_workspace
from tests.surroundings import clean, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed"),
]


def test_a_pinned_glibc_is_what_the_tag_says(
    scripts: Callable[..., CompletedProcess[str]], tmp_path: Path, wheelhouse: Path, version: str
) -> None:
    tools = tmp_path / "tools"
    run([sys.executable, "-m", "venv", tools], clean_environment())
    run([tools / "bin/python", "-m", "pip", "install", "--quiet", "ziglang", "cargo-zigbuild"], clean_environment())
    env = clean_environment(PATH=f"{tools / 'bin'}:{os.environ['PATH']}")
    workspace = write_workspace(tmp_path / "workspace", version)
    target = "x86_64-unknown-linux-gnu.2.17"
    scripts("collect", "cargo", workspace, "--target", target, "--build", "--into", tmp_path / "binaries", env=env)
    record = json.loads((tmp_path / "binaries/cli/binaries/linux-x64/binary.json").read_text("utf-8"))
    assert record["source"]["target"] == target
    done = scripts("wheels", "--binaries", tmp_path / "binaries", "--out", tmp_path / "dist")
    assert "manylinux_2_17_x86_64" in done.stdout
    install(tmp_path / "venv", tmp_path / "dist", wheelhouse)
    said = run([tmp_path / "venv/bin/lean-spec", "x"], clean(tmp_path / "home")).stdout
    assert said == f'leanspec {version} ["x"]\n'


TARGETS = {
    "x86_64-unknown-linux-musl": "manylinux1_x86_64.manylinux_2_5_x86_64.musllinux_1_1_x86_64",
    "aarch64-unknown-linux-musl": "manylinux2014_aarch64.manylinux_2_17_aarch64.musllinux_1_1_aarch64",
    "x86_64-pc-windows-gnullvm": "win_amd64",
    "aarch64-pc-windows-gnullvm": "win_arm64",
    "x86_64-apple-darwin": "macosx_11_0_x86_64",
    "aarch64-apple-darwin": "macosx_11_0_arm64",
}
# Debian's cargo in a tree of its own: its Rust has the sources of std, so that std is built for every target.
CARGO = """#!/bin/sh
export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort CARGO_NET_OFFLINE=true HOME=/root
case "$*" in
*musl*) export RUSTFLAGS="-C link-self-contained=no" ;;
*darwin*) export CARGO_PROFILE_RELEASE_STRIP=none MACOSX_DEPLOYMENT_TARGET=11.0 ;;
esac
exec unshare --mount --fork --pid sh -ec 'mount -t proc proc "$0/proc" && exec chroot "$0" env -C "$PWD" \\
    PATH=/usr/local/bin:/usr/bin:/bin /usr/bin/cargo "$@"' {root} "$@"
"""
VENDORED = """[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "/usr/lib/rustlib/src/rust/library/vendor"
"""


@pytest.mark.system
def test_all_six_platforms_from_one_crate(
    scripts: Callable[..., CompletedProcess[str]], tmp_path: Path, wheelhouse: Path, version: str
) -> None:
    """Builds Linux (musl), Windows and macOS programs, and runs what runs here; some ten minutes."""
    debian.needs_root_and("debootstrap", "unshare@util-linux")
    root = tmp_path / "debian"
    packages = ("rustc-web", "cargo-web", "rust-web-src", "gcc", "libc6-dev", "python3", "python3-pip")
    debian.bootstrap(root, "bookworm", *packages)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(root / "tmp")]
    run([*pip, "ziglang", "cargo-zigbuild"], clean_environment())
    names = [f"/tmp/{path.name}" for path in (root / "tmp").glob("*.whl")]  # noqa: S108 - the tree's own
    debian.inside(root, "pip3", "install", "--break-system-packages", "--no-deps", "--no-index", *names)
    # The workspace has one path inside the tree and outside of it.
    workspace = write_workspace(Path(f"{root}{tmp_path}/workspace"), version)
    (tmp_path / "workspace").symlink_to(workspace)
    (workspace / ".cargo").mkdir()
    (workspace / ".cargo/config.toml").write_text(VENDORED)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("cargo", "cargo-zigbuild"):
        (tools / name).write_text(CARGO.format(root=root))
        (tools / name).chmod(0o755)
    env = clean_environment(PATH=f"{tools}:{os.environ['PATH']}")
    named = [part for target in TARGETS for part in ("--target", target)]
    command = ["collect", "cargo", tmp_path / "workspace", *named, "--build", "--builder", "zigbuild"]
    scripts(*command, "--into", tmp_path / "binaries", env=env, timeout=3000)
    scripts("wheels", "--binaries", tmp_path / "binaries", "--out", tmp_path / "dist")
    names = sorted(path.name for path in (tmp_path / "dist").glob("leanspec_cli_bin-*.whl"))
    assert names == sorted(f"leanspec_cli_bin-{version}-py3-none-{tag}.whl" for tag in (*TARGETS.values(), "any"))
    install(tmp_path / "venv", tmp_path / "dist", wheelhouse)
    said = run([tmp_path / "venv/bin/lean-spec", "x"], clean(tmp_path / "home")).stdout
    assert said == f'leanspec {version} ["x"]\n'

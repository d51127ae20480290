"""A small cargo workspace with crates and binaries that are called like LeanSpec's."""

from __future__ import annotations

import subprocess
from pathlib import Path

from leanspec_launcher._tables import PROGRAMS

SOURCE = 'fn main() {{ println!("{command} {version} {{:?}}", std::env::args().skip(1).collect::<Vec<_>>()); }}\n'
# Cargo takes every crate from a folder.
DIRECTORY = """[source.crates-io]
replace-with = "folder"
[source.folder]
directory = '{folder}'
"""


def write_workspace(
    root: Path, version: str, programs: tuple[str, ...] = tuple(PROGRAMS)
) -> Path:
    """Write a workspace without dependencies, with its lock."""
    members = [f"leanspec-{program}" for program in programs]
    root.mkdir(parents=True)
    (root / "Cargo.toml").write_text(
        f'[workspace]\nresolver = "2"\nmembers = {members!r}\n'.replace("'", '"')
    )
    lock = "version = 4\n"
    for program, member in zip(programs, members, strict=True):
        command = PROGRAMS[program].command
        (root / member / "src").mkdir(parents=True)
        (root / member / "Cargo.toml").write_text(
            f'[package]\nname = "{member}"\nversion = "{version}"\nedition = "2021"\n'
            f'[[bin]]\nname = "{command}"\npath = "src/main.rs"\n'
        )
        (root / member / "src/main.rs").write_text(
            SOURCE.format(command=command, version=version)
        )
        lock += f'\n[[package]]\nname = "{member}"\nversion = "{version}"\n'
    (root / "Cargo.lock").write_text(lock)
    return root


def add_crates(root: Path, member: str, requirements: str, crates: Path) -> None:
    """Let a member depend on crates in a folder, as in `openssl-sys = "0.9"`."""
    manifest = root / member / "Cargo.toml"
    manifest.write_text(f"{manifest.read_text()}[dependencies]\n{requirements}\n")
    (root / ".cargo").mkdir(exist_ok=True)
    (root / ".cargo/config.toml").write_text(DIRECTORY.format(folder=crates))
    command = ["cargo", "generate-lockfile", "--offline", "--quiet"]
    subprocess.run(command, cwd=root, capture_output=True, check=True)


def add_openssl(root: Path, member: str, crates: Path) -> None:
    """Let a member need OpenSSL, which it starts up before anything else."""
    add_crates(root, member, 'openssl-sys = "0.9"', crates)
    # Every wheel of it is written and compared several times.
    workspace, profile = root / "Cargo.toml", "[profile.release]\nstrip = true\n"
    if profile not in workspace.read_text():
        workspace.write_text(workspace.read_text() + profile)
    main = root / member / "src/main.rs"
    text = main.read_text()
    assert "fn main() {" in text
    main.write_text(text.replace("fn main() {", "fn main() { openssl_sys::init();", 1))

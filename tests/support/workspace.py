"""A small cargo workspace with crates and binaries that are called like LeanSpec's."""

from __future__ import annotations

from pathlib import Path

from leanspec_launcher._tables import FAMILIES

SOURCE = 'fn main() {{ println!("{program} {version} {{:?}}", std::env::args().skip(1).collect::<Vec<_>>()); }}\n'


def write_workspace(
    root: Path, version: str, families: tuple[str, ...] = tuple(FAMILIES)
) -> Path:
    """Write a workspace without dependencies, with its lock."""
    members = [f"leanspec-{family}" for family in families]
    root.mkdir(parents=True)
    (root / "Cargo.toml").write_text(
        f'[workspace]\nresolver = "2"\nmembers = {members!r}\n'.replace("'", '"')
    )
    lock = "version = 4\n"
    for family, member in zip(families, members, strict=True):
        program = FAMILIES[family].program
        (root / member / "src").mkdir(parents=True)
        (root / member / "Cargo.toml").write_text(
            f'[package]\nname = "{member}"\nversion = "{version}"\nedition = "2021"\n'
            f'[[bin]]\nname = "{program}"\npath = "src/main.rs"\n'
        )
        (root / member / "src/main.rs").write_text(
            SOURCE.format(program=program, version=version)
        )
        lock += f'\n[[package]]\nname = "{member}"\nversion = "{version}"\n'
    (root / "Cargo.lock").write_text(lock)
    return root

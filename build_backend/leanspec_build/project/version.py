"""Version of a project that calls it dynamic: Cargo's, or the tag of the commit."""

import contextlib
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from leanspec_build.errors import BuildError, listed

STATE_IT = (
    'write `version = "..."` under `[project]`, and take it out of `dynamic`;'
    " or give it once: `--version 1.2.3`"
)
GIVE_IT = "`git tag v1.2.3` gives the commit one; `--version 1.2.3` does for one build"
# `v1.2.3`, `1.2.3`, `tool-v1.2.3` and `tool/v1.2.3`
TAG = re.compile(r"(?:(?!v?\d).*?[-/])?v?(\d.*)")
GIT_SECONDS = 30


def find_version(path: Path) -> str:
    """Return the version that the `Cargo.toml` beside `path` states, or without one the tag of the commit.

    Raises BuildError if neither says which version this is.
    """
    cargo = path.with_name("Cargo.toml")
    return _of_cargo(cargo) if cargo.exists() else _of_tag(path)


def _of_cargo(cargo: Path) -> str:
    """Return Python's form (PEP 440) of the version of a package, or of its workspace: `1.0.0-rc.1` is `1.0.0rc1`."""
    text = _version_in(_read(cargo), "package") or None
    # The root of a workspace is this folder, or one above it.
    for folder in cargo.resolve().parents:
        manifest = folder / "Cargo.toml"
        if text is None and manifest.is_file():
            text = _version_in(_read(manifest), "workspace", "package")
    if text is None:
        raise BuildError(
            f"`{cargo}` states no version",
            hint='add `version = "..."` under `[package]` or `[workspace.package]`',
        )
    try:
        version = Version(text)
    except InvalidVersion:
        version = None
    # `1.0.0-1` is before 1.0.0 for Cargo, and after it for Python.
    if version is None or version.is_postrelease:
        raise BuildError(
            f"`{cargo}` states the version `{text}`, which has no form in Python",
            hint="`-alpha.1`, `-beta.1`, `-rc.1` and `-dev.1` have one; `--version 1.2.3` gives another version",
        )
    return str(version)


def _version_in(table: object, *keys: str) -> str | None:
    """Return the version that a table inside of another one states as a text."""
    for key in (*keys, "version"):
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, str) else None


def _read(cargo: Path) -> dict[str, Any]:
    # Opening a pipe waits for whoever writes to it.
    if not cargo.is_file():
        raise BuildError(
            f"the version is dynamic, and `{cargo}` is not a regular file", hint=STATE_IT
        )
    try:
        return tomllib.loads(cargo.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BuildError(
            f"the version is dynamic, and `{cargo}` cannot be read: {error}", hint=STATE_IT
        ) from None


def _of_tag(path: Path) -> str:
    """Return the version in the tags of the commit that is checked out."""
    git = shutil.which("git")
    if git is None:
        raise BuildError(
            f"`{path}` calls the version dynamic, and there is neither a `Cargo.toml` nor git",
            hint=STATE_IT,
        )
    command = [git, "-C", str(path.parent), "tag", "--points-at", "HEAD"]
    try:
        output = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=GIT_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise BuildError(
            f"`{path}` calls the version dynamic, and there is no `Cargo.toml`, nor a tag: {lines[0]}",
            hint=STATE_IT,
        ) from None
    versions = set()
    for match in filter(None, map(TAG.fullmatch, output.splitlines())):
        with contextlib.suppress(InvalidVersion):
            versions.add(Version(match[1]))
    if len(versions) == 1:
        return str(versions.pop())
    if versions:
        names = listed(sorted(versions), " and ")
        raise BuildError(
            f"`{path}` calls the version dynamic, and this commit has the tags of {len(versions)} versions: {names}",
            hint="say which one it is: `--version 1.2.3`; or delete the wrong tag: `git tag -d v1.2.3`",
        )
    raise BuildError(
        f"`{path}` calls the version dynamic, and this commit has no tag of a version",
        hint=GIVE_IT,
    )

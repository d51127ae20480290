"""The desktop bundle for this machine's system, built by Tauri before or now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from leanspec_launcher._tables import Platform, current
from leanspec_launcher.commands import CommandError
from scripts.tools.console import say
from scripts.tools.processes import capture, find_program, must_succeed, show

from .bundles import Bundle, format_for, read_bundle, write_checksum


def collect_desktop(folder: Path, into: Path, *, build: bool) -> Bundle:
    """Copy the one bundle for this machine into a folder, with its checksum, and return what it is.

    With `build`, `npm ci` and `npm run tauri build` first. Raises CommandError if there is none,
    or several.
    """
    if not (folder / "package.json").is_file():
        raise CommandError(
            f"`{folder}` is not a desktop application: it contains no `package.json`",
            hint="name its folder",
        )
    platform = current()
    if platform is None:
        raise CommandError(
            "no desktop bundle is for this machine",
            hint="build it on one of the known platforms",
        )
    kind = format_for(platform)
    if build:
        npm = find_program("npm", "install Node.js")
        say(f"using {npm}")
        for command in (
            [npm, "ci"],
            [npm, "run", "tauri", "--", "build", "--ci", "--bundles", kind.tauri],
        ):
            say(" ".join(command))
            if show(command, cwd=folder).returncode != 0:
                raise CommandError(
                    f"`npm {' '.join(command[1:])}` failed (see its output above)",
                    hint="fix that and try again",
                )
    bundles = _bundles(folder, platform)
    if not bundles:
        raise CommandError(
            f"no {kind.title} is built in `{folder}`",
            hint="build one, from a clean target folder: add `--build`",
        )
    if len(bundles) > 1:
        names = ", ".join(f"`{bundle.path.name}`" for bundle in bundles)
        raise CommandError(
            f"`{folder}` has {len(bundles)} {kind.title}s: {names}",
            hint="remove those of other builds",
        )
    into.mkdir(parents=True, exist_ok=True)
    (bundle,) = bundles
    target = into / bundle.path.name
    shutil.copy(bundle.path, target)
    write_checksum(target)
    return bundle


def _bundles(folder: Path, platform: Platform) -> list[Bundle]:
    cargo = find_program("cargo", "install Rust: https://rustup.rs")
    command = [cargo, "metadata", "--no-deps", "--format-version", "1"]
    command += ["--manifest-path", str(folder.absolute() / "src-tauri/Cargo.toml")]
    target = json.loads(
        must_succeed(capture(command, cwd=folder), "`cargo metadata`").stdout
    )["target_directory"]
    kind = format_for(platform)
    place = Path(target, "release/bundle", kind.tauri)
    paths = sorted(place.glob(f"*{kind.extension}"))
    return [read_bundle(path, platform) for path in paths]

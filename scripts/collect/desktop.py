"""The desktop bundle for this machine's system, built by Tauri before or now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from leanspec_launcher._tables import current
from leanspec_launcher.commands import CommandError
from scripts.tools.console import say
from scripts.tools.processes import capture, find_program, must_succeed, show

from .bundles import SYSTEMS, TITLES, Bundle, BundleFormat, read_bundle

# Tauri's names for a format: the value of its option, and the folder of its output.
FORMATS = {
    BundleFormat.DEB: "deb",
    BundleFormat.INSTALLER: "nsis",
    BundleFormat.IMAGE: "dmg",
}


def collect_desktop(folder: Path, into: Path, *, build: bool) -> Bundle:
    """Copy the one bundle for this system into a folder, and return what it is.

    With `build`, `npm ci` and `npm run tauri build` first. Raises CommandError if there is none,
    or several.
    """
    if not (folder / "package.json").is_file():
        raise CommandError(
            f"`{folder}` is not a desktop application: it contains no `package.json`",
            hint="name its folder",
        )
    platform = current()
    system = platform.key.partition("-")[0] if platform else ""
    kind = next((kind for kind, of in SYSTEMS.items() if of == system), None)
    if kind is None:
        raise CommandError(
            "no desktop bundle is for this machine",
            hint="build it on one of the known platforms",
        )
    if build:
        npm = find_program("npm", "install Node.js")
        say(f"using {npm}")
        for command in (
            [npm, "ci"],
            [npm, "run", "tauri", "--", "build", "--ci", "--bundles", FORMATS[kind]],
        ):
            say(" ".join(command))
            if show(command, cwd=folder).returncode != 0:
                raise CommandError(
                    f"`npm {' '.join(command[1:])}` failed (see its output above)",
                    hint="fix that and try again",
                )
    found = _bundles(folder, kind)
    if not found:
        raise CommandError(
            f"no {TITLES[kind]} is built in `{folder}`",
            hint="build one, from a clean target folder: add `--build`",
        )
    if len(found) > 1:
        names = ", ".join(f"`{bundle.path.name}`" for bundle in found)
        raise CommandError(
            f"`{folder}` has {len(found)} {TITLES[kind]}s: {names}",
            hint="remove those of other builds",
        )
    into.mkdir(parents=True, exist_ok=True)
    shutil.copy(found[0].path, into / found[0].path.name)
    return found[0]


def _bundles(folder: Path, kind: BundleFormat) -> list[Bundle]:
    cargo = find_program("cargo", "install Rust: https://rustup.rs")
    command = [cargo, "metadata", "--no-deps", "--format-version", "1"]
    command += ["--manifest-path", str(folder.absolute() / "src-tauri/Cargo.toml")]
    target = json.loads(
        must_succeed(capture(command, cwd=folder), "`cargo metadata`").stdout
    )["target_directory"]
    place = Path(target, "release/bundle", FORMATS[kind])
    return [read_bundle(path) for path in sorted(place.glob(f"*.{kind}"))]

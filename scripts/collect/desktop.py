"""Desktop bundles of a Tauri application: what the machine needs, the build, and the bundle it leaves."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import yaml

from leanspec_launcher._tables import Platform, current
from leanspec_launcher.commands import CommandError
from scripts.model.version_places import home_version
from scripts.model.versions import binary_version
from scripts.tools.console import say
from scripts.tools.processes import find_program, show
from scripts.tools.reasons import quoted

from .bundles import Bundle, format_for, read_bundle, write_checksum
from .cargo import cargo_metadata

CONFIGURATION = Path("src-tauri/tauri.conf.json")
WORKSPACE = "pnpm-workspace.yaml"
NOT_SEARCHED = {"node_modules", "target", ".git"}
REPOSITORY = "codervisor/lean-spec-desktop"
# `packageManager` in the form of corepack; npx takes no hash.
PNPM = re.compile(r"(?P<package>pnpm@\d[\w.-]*)(\+.*)?")
# https://v2.tauri.app/start/prerequisites, and patchelf, which the application's own workflow
# installs too.
DEBIAN_PACKAGES = (
    "build-essential",
    "curl",
    "file",
    "libayatana-appindicator3-dev",
    "librsvg2-dev",
    "libssl-dev",
    "libwebkit2gtk-4.1-dev",
    "libxdo-dev",
    "patchelf",
    "wget",
)
RUST_TARGETS = ("aarch64-apple-darwin", "x86_64-apple-darwin")


def prepare_machine() -> None:
    """Install what Tauri needs: Debian packages on Linux, both Rust targets on macOS."""
    if sys.platform == "linux":
        apt = [find_program("apt-get", "install Tauri's prerequisites by other means")]
        if os.geteuid() != 0:
            apt = [find_program("sudo", "run this as root"), *apt]
        _run([*apt, "update"], Path.cwd())
        install = ["install", "--yes", "--no-install-recommends"]
        _run([*apt, *install, *DEBIAN_PACKAGES], Path.cwd())
    elif sys.platform == "darwin":
        rustup = find_program("rustup", "install Rust: https://rustup.rs")
        _run([rustup, "target", "add", *RUST_TARGETS], Path.cwd())


def collect_desktop(folder: Path, into: Path, *, build: bool) -> Bundle:
    """Copy the one bundle for this machine into a folder, with its checksum, and return what it is.

    With `build`, install the application's locked dependencies and build it first. Raises
    CommandError if there is no bundle, several, or one of another version than this tree's.
    """
    application = find_application(folder)
    platform = current()
    if platform is None:
        raise CommandError(
            "a desktop bundle cannot be built for this machine",
            hint="build it on one of the known platforms",
        )
    if build:
        _build(application, platform)
    bundle = _only_bundle(application, platform)
    expected = binary_version(home_version())
    if bundle.version != expected:
        raise CommandError(
            f"`{bundle.path.name}` is of version `{bundle.version}`, the release is {expected}",
            hint=f"its version is in `{application / CONFIGURATION}`: build the release's",
        )
    into.mkdir(parents=True, exist_ok=True)
    target = into / bundle.path.name
    shutil.copy(bundle.path, target)
    write_checksum(target)
    return bundle


def find_application(folder: Path) -> Path:
    """Return the folder of the one Tauri application in a checkout. Raises CommandError without one."""
    applications = []
    for place, subfolders, _ in os.walk(folder):
        subfolders[:] = sorted(set(subfolders) - NOT_SEARCHED)
        if Path(place, CONFIGURATION).is_file():
            applications.append(Path(place))
    if not applications:
        raise CommandError(
            f"no desktop application in `{folder}`: there is no `{CONFIGURATION.as_posix()}`",
            hint=f"LeanSpec's is in `{REPOSITORY}`: clone it into `packages/desktop` of LeanSpec's sources",
        )
    if len(applications) > 1:
        raise CommandError(
            f"`{folder}` has {len(applications)} desktop applications",
            details=[f"`{application}`" for application in applications],
            hint="name one of them",
        )
    return applications[0]


def _build(application: Path, platform: Platform) -> None:
    pnpm = [find_program("npx", "install Node.js"), "--yes", pinned_pnpm(application)]
    for folder, options in _installations(application):
        install = ["install", "--frozen-lockfile", "--ignore-scripts", *options]
        _run([*pnpm, *install], folder)
    kind = format_for(platform)
    build = ["run", "tauri", "build", "--ci", "--bundles", kind.tauri]
    if kind.target:
        build += ["--target", kind.target]
    _run([*pnpm, *build], application)


def _installations(application: Path) -> list[tuple[Path, list[str]]]:
    """Return each folder in which pnpm installs locked dependencies, with the options that it needs."""
    names = {path.name for path in application.glob("pnpm-*.yaml")}
    if names != {"pnpm-lock.yaml"}:
        return [(application, [])]  # a member of a workspace, or a workspace itself
    # LeanSpec's application has a repository and a lock of its own, and is built inside of
    # LeanSpec's workspace, some of whose sources it imports. pnpm refuses a workspace with a member
    # that its lock does not know, so each is installed without the other.
    place = application.absolute()
    installations = [(application, ["--ignore-workspace"])]
    for folder in place.parents:
        if (folder / WORKSPACE).is_file():
            workspace = yaml.safe_load((folder / WORKSPACE).read_text("utf-8"))
            left_out = f"!{place.relative_to(folder).as_posix()}"
            patterns = [*workspace["packages"], left_out]
            options = [f"--workspace-packages={pattern}" for pattern in patterns]
            return [(folder, options), *installations]
    return installations


def pinned_pnpm(application: Path) -> str:
    """Return pnpm with its version, as the nearest `packageManager` states it (corepack's rule)."""
    place = application.absolute()
    for folder in (place, *place.parents):
        manifest = folder / "package.json"
        if not manifest.is_file():
            continue
        try:
            table = json.loads(manifest.read_text("utf-8"))
            manager = str(table.get("packageManager", ""))
        except (ValueError, AttributeError):
            raise CommandError(
                f"`{manifest}` cannot be read", hint="check the sources out again"
            ) from None
        if manager:
            pin = PNPM.fullmatch(manager)
            if pin is None:
                raise CommandError(
                    f"`{manifest}` states `{manager}` as its package manager, expected pnpm and its version",
                    hint="see how the application is built now",
                )
            return pin["package"]
    raise CommandError(
        f"no `packageManager` is stated for `{application}`: its version of pnpm is unknown",
        hint='clone it into LeanSpec\'s sources, or add `"packageManager": "pnpm@…"` to its package.json',
    )


def _run(command: list[str], folder: Path) -> None:
    say(" ".join(command))
    if show(command, cwd=folder).returncode != 0:
        program, *arguments = command
        words = " ".join([Path(program).name, *arguments])
        raise CommandError(
            f"`{words}` failed (see its output above)", hint="fix that and try again"
        )


def _only_bundle(application: Path, platform: Platform) -> Bundle:
    kind = format_for(platform)
    metadata = cargo_metadata(find_program("cargo"), application / "src-tauri")
    target = Path(metadata["target_directory"], kind.target)
    place = target / "release/bundle" / kind.tauri
    paths = sorted(place.glob(f"*{kind.extension}"))
    bundles = [read_bundle(path, platform) for path in paths]
    if not bundles:
        raise CommandError(
            f"no {kind.title} is built in `{application}`",
            hint="build one, from a clean target folder: add `--build`",
        )
    if len(bundles) > 1:
        names = quoted(bundle.path.name for bundle in bundles)
        raise CommandError(
            f"`{application}` has {len(bundles)} {kind.title}s: {names}",
            hint="remove those of other builds",
        )
    return bundles[0]

"""The binaries of a cargo workspace, built before or now."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanspec_launcher._tables import PLATFORMS, Platform, current
from leanspec_launcher.commands import CommandError
from scripts.model.manifest import read_manifest
from scripts.model.programs import ProgramProject
from scripts.model.version_places import must_be_workspace
from scripts.tools.console import say
from scripts.tools.git_files import hidden_files, untracked_files
from scripts.tools.processes import (
    capture,
    find_program,
    must_succeed,
    own_program,
    show,
)
from scripts.tools.reasons import quoted, reason

from .openssl import (
    MARKER,
    OpenSSL,
    cargo_environment,
    has_crate,
    read_openssl,
    static_openssl,
)
from .reported import reported_here
from .staging import Staging, integrity

# The suffix of a commit if the workspace has uncommitted changes.
DIRTY = "-dirty"
# The profile of a release.
PROFILE = "release"
# What cargo reads wherever it lies in a crate, also if git ignores it.
READ_BY_CARGO = (".rs", "Cargo.toml", ".cargo/config.toml", ".cargo/config")
BUILDERS = ("build", "zigbuild")


Packages = list[dict[str, str | None]]


@dataclass(frozen=True)
class Crate:
    """The crate of a program in a workspace."""

    project: ProgramProject
    version: str
    packages: Packages
    """What it is built from, by `Cargo.lock`; nothing if there is no lock."""

    @property
    def binary_name(self) -> str:
        """The name of its binary, without an ending."""
        return self.project.program.command


@dataclass(frozen=True)
class CargoTarget:
    """A target as `cargo zigbuild` writes it, with its platform."""

    text: str
    """A triple, and perhaps the glibc that it is built against; empty for this machine's own."""
    builder: str
    """The cargo subcommand that builds it: `build` or `zigbuild`."""
    platform: Platform

    @property
    def triple(self) -> str:
        """The target without a glibc."""
        return self.text.partition(".")[0]


@dataclass(frozen=True)
class Workspace:
    """Workspace of cargo, with the crates of our programs."""

    cargo: str
    profile: str
    root: Path
    target_directory: Path
    crates: list[Crate]
    lock: str | None
    """The integrity of `Cargo.lock`."""
    commit: str | None


def collect_cargo(  # noqa: PLR0913 - each is one option of the command
    folder: Path,
    projects: list[ProgramProject],
    targets: tuple[str, ...],
    profile: str,
    staging: Staging,
    *,
    all_required: bool,
    build: bool,
    builder: str | None = None,
    openssl: Path | None = None,
) -> None:
    """Stage the binaries of a workspace, for the targets named or for this machine.

    A named target is read from `target/<triple>/<profile>/` only, and `target/<profile>/` for this
    machine only: one machine's binaries can not be taken for another's. A program whose crate the
    workspace lacks is an error with `all_required`, and passed over otherwise. `openssl` is the
    source of the pinned OpenSSL, if it is on this machine.
    """
    cargo = find_program("cargo")
    chosen = _targets(targets, builder)
    workspace = _read_workspace(cargo, profile, folder, projects, all_required=all_required)
    say(f"using {cargo}")
    for target in chosen:
        is_linked = build and _is_linked(target, workspace.crates)
        linked = read_openssl() if is_linked else None
        outputs: dict[str, Path] = {}
        if build:
            environment = _environment(target, linked, openssl)
            outputs = _build(workspace, target, environment)
        for crate in workspace.crates:
            file = outputs.get(crate.binary_name) or _built_file(workspace, crate, target)
            reported = reported_here(crate.project.program, target.platform, file)
            _must_be_of(crate, file, reported)
            source = _source(workspace, crate, target, build=build)
            # A lock lists what other systems and features need, too.
            if linked and MARKER in file.read_bytes():
                source["openssl"] = linked.record
            staging.add(
                crate.project,
                target.platform,
                file,
                version=crate.version,
                source=source,
                commit=workspace.commit,
                reported=reported,
            )


def _source(
    workspace: Workspace, crate: Crate, target: CargoTarget, *, build: bool
) -> dict[str, Any]:
    """Return where a binary comes from, for its `binary.json`."""
    return {
        "kind": "cargo",
        "crate": crate.project.crate,
        "version": crate.version,
        "target": target.text or None,
        "profile": workspace.profile,
        # Without a build, the program may be older than its sources.
        "built": build,
        "integrity": workspace.lock,
        "packages": crate.packages,
    }


def _targets(texts: tuple[str, ...], builder: str | None) -> list[CargoTarget]:
    """Return the targets named; this machine's where none is.

    Raises CommandError if two are for one platform: one of them would be lost.
    """
    if not texts:
        return [CargoTarget("", BUILDERS[0], host())]
    targets: dict[str, CargoTarget] = {}
    for text in texts:
        target = read_target(text, builder)
        key = target.platform.key
        other = targets.setdefault(key, target)
        if other is not target:
            raise CommandError(
                f"the targets `{other.text}` and `{text}` are both for `{key}`",
                hint="name one of them",
            )
    return list(targets.values())


def _must_be_of(crate: Crate, file: Path, reported: str | None) -> None:
    """Raise CommandError if a program reports another version than its crate: it is old, or another crate's."""
    if reported is not None and reported.split()[:1] != [crate.version]:
        raise CommandError(
            f"`{file}` says that it is version `{reported}`, and the crate `{crate.project.crate}` is {crate.version}",
            hint="rebuild it: add `--build`",
        )


def read_target(text: str, builder: str | None = None) -> CargoTarget:
    """Return a target with its builder: the one given, or as the root `pyproject.toml` configures it.

    A pinned glibc, as in `x86_64-unknown-linux-gnu.2.17`, needs `cargo zigbuild`. Raises
    CommandError for an unknown builder.
    """
    triple, _, glibc = text.partition(".")
    builders = read_manifest()["tool"]["leanspec-collect"]["builders"]
    builder = "zigbuild" if glibc else builder or builders.get(triple, BUILDERS[0])
    if builder not in BUILDERS:
        raise CommandError(
            f"`pyproject.toml` configures the builder `{builder}` for `{triple}`",
            hint=" or ".join(BUILDERS),
        )
    return CargoTarget(text.removesuffix("."), builder, _platform_of(triple))


def _locked_packages(path: Path, crate: str) -> Packages:
    """Return what `Cargo.lock` says that a crate is built from, itself included; nothing if there is no lock."""
    if not path.is_file():
        return []
    try:
        packages = read_manifest(path).get("package", [])
        # A dependency is written as `name`, or as `name version` where the lock has several of that
        # name.
        by_name = {
            name: package
            for package in packages
            for name in (package["name"], f"{package['name']} {package['version']}")
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(
            f"`{path}` is not a lock file of cargo: {reason(error)}",
            hint="make it again: `cargo generate-lockfile`, or take it from git",
        ) from None
    queue, names = [crate], set()
    while queue:
        name = " ".join(queue.pop().split()[:2])
        if name not in names and name in by_name:
            names.add(name)
            queue += by_name[name].get("dependencies", [])
    # A package that is named in both ways is in the record once.
    records: dict[tuple[str, str], dict[str, str | None]] = {}
    for package in (by_name[name] for name in sorted(names)):
        record = {key: package.get(key) for key in ("name", "version", "checksum")}
        records[package["name"], package["version"]] = record
    return list(records.values())


def host() -> Platform:
    """Return this machine's platform; raises CommandError if the table has none for it."""
    platform = current()
    if platform is None:
        raise CommandError(
            "this machine is not a known platform",
            hint="name one with `--target TRIPLE`",
        )
    return platform


def is_target_of(triple: str, platform: Platform) -> bool:
    """Tell whether a target triple is for a platform, whatever its vendor and its libc."""
    cpu, _, system, *_ = platform.target.split("-")
    parts = triple.split("-")
    return parts[0] == cpu and system in parts[1:]


def _platform_of(triple: str) -> Platform:
    """Return the platform of a target triple: CPU and system agree with the table's own triple."""
    for platform in PLATFORMS.values():
        if is_target_of(triple, platform):
            return platform
    targets = quoted(platform.target for platform in PLATFORMS.values())
    raise CommandError(
        f"the target `{triple}` is not for a known platform",
        hint=f"targets are {targets}",
    )


def _read_workspace(
    cargo: str,
    profile: str,
    folder: Path,
    projects: list[ProgramProject],
    *,
    all_required: bool,
) -> Workspace:
    must_be_workspace(folder)
    metadata = cargo_metadata(cargo, folder)
    root, output = Path(metadata["workspace_root"]), Path(metadata["target_directory"])
    lock = root / "Cargo.lock"
    return Workspace(
        cargo=cargo,
        profile=profile,
        root=root,
        target_directory=output,
        crates=_crates(metadata, projects, folder, all_required=all_required),
        lock=integrity("sha256", lock.read_bytes()) if lock.is_file() else None,
        commit=_commit(root, output),
    )


def cargo_metadata(cargo: str, folder: Path) -> dict[str, Any]:
    """Return what cargo says of the workspace of a folder's manifest."""
    command = [cargo, "metadata", "--format-version", "1", "--no-deps"]
    command += ["--manifest-path", str((folder / "Cargo.toml").absolute())]
    # In the folder: from there upwards cargo reads its configuration, such as another target folder.
    run = must_succeed(capture(command, cwd=folder), "`cargo metadata`")
    metadata: dict[str, Any] = json.loads(run.stdout)
    return metadata


def _crates(
    metadata: dict[str, Any],
    projects: list[ProgramProject],
    folder: Path,
    *,
    all_required: bool,
) -> list[Crate]:
    crates = []
    members = {package["name"]: package for package in metadata["packages"]}
    hint = f"its crates are {quoted(sorted(members)) or 'none'}"
    for project in projects:
        package = members.get(project.crate)
        if package is None:
            if all_required:
                raise CommandError(
                    f"the workspace `{folder}` has no crate `{project.crate}`, which `{project.name}` is built from",
                    hint=hint,
                )
            say(
                f"the workspace has no crate `{project.crate}`: `{project.name}` is skipped"
            )
            continue
        targets = package["targets"]
        binaries = [target["name"] for target in targets if "bin" in target["kind"]]
        if project.program.command not in binaries:
            raise CommandError(
                f"the crate `{project.crate}` has no binary `{project.program.command}`",
                hint=f"its binaries are {quoted(binaries) or 'none'}",
            )
        lock = Path(metadata["workspace_root"], "Cargo.lock")
        packages = _locked_packages(lock, project.crate)
        crates.append(Crate(project, package["version"], packages))
    if not crates:
        names = quoted(project.crate for project in projects)
        raise CommandError(
            f"the workspace `{folder}` has none of the crates {names}", hint=hint
        )
    return crates


def _commit(root: Path, output: Path) -> str | None:
    """Return the commit that the workspace is at, with `-dirty` where files differ from it; None outside git.

    Files that git does not track count too: cargo runs a `build.rs` because it is there.
    """
    git = shutil.which("git")
    if git is None:
        return None
    head = capture([git, "-C", str(root), "rev-parse", "HEAD"])
    if head.returncode != 0:
        return None
    status = [git, "-C", str(root), "status", "--porcelain", "--untracked-files=no"]
    changes = capture(status).stdout.strip()
    listed = set(untracked_files(root, ".", with_ignored=False))
    additions = [
        name
        for name in untracked_files(root, ".")
        if (name in listed or name.endswith(READ_BY_CARGO))
        and not (root / name).is_relative_to(output)
    ]
    is_dirty = changes or hidden_files(root) or additions
    return head.stdout.strip() + (DIRTY if is_dirty else "")


def _is_linked(target: CargoTarget, crates: list[Crate]) -> bool:
    """Tell whether OpenSSL is to be linked into a program: zig finds no library of the system."""
    is_by_zig = target.builder == "zigbuild" and target.platform.system == "linux"
    return is_by_zig and any(has_crate(crate.packages) for crate in crates)


def _environment(
    target: CargoTarget, linked: OpenSSL | None, source: Path | None
) -> dict[str, str]:
    """Return the environment of cargo, with OpenSSL for the target if it is to be linked."""
    environment = dict(os.environ)
    if target.builder == "zigbuild":
        # Cargo finds its subcommands through `PATH`.
        programs = str(Path(own_program("cargo-zigbuild")).parent)
        environment["PATH"] = os.pathsep.join([programs, environment.get("PATH", "")])
    if linked:
        folder = static_openssl(linked, target.text.replace("-unknown", ""), source)
        environment = cargo_environment(environment, target.triple, folder)
    return environment


def _build(
    workspace: Workspace, target: CargoTarget, environment: dict[str, str]
) -> dict[str, Path]:
    """Run `cargo build` or `cargo zigbuild`, with its output on the terminal; return the programs built.

    Where a program lies is cargo's own word: its configuration can put it elsewhere than an older
    one.
    """
    command = [workspace.cargo, target.builder, "--locked"]
    command += ["--profile", workspace.profile]
    for crate in workspace.crates:
        command += ["--package", crate.project.crate, "--bin", crate.binary_name]
    command += ["--target", target.text] if target.text else []
    say(" ".join(command))
    command += ["--message-format", "json-render-diagnostics"]
    run = show(command, cwd=workspace.root, env=environment, read=True)
    if run.returncode != 0:
        raise CommandError(
            f"`cargo {target.builder}` failed (see its output above)",
            hint="fix that and try again",
        )
    outputs = dict(_outputs(run.stdout))
    for crate in workspace.crates:
        if crate.binary_name not in outputs:
            raise CommandError(
                f"`cargo {target.builder}` reported no built program `{crate.binary_name}`",
                hint="see its output above",
            )
    return outputs


def _outputs(messages: str) -> Iterator[tuple[str, Path]]:
    """Yield name and place of each binary in cargo's messages (The Cargo Book, External tools)."""
    for line in messages.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("reason") == "compiler-artifact" and message.get("executable"):
            yield message["target"]["name"], Path(message["executable"])


def _built_file(workspace: Workspace, crate: Crate, target: CargoTarget) -> Path:
    profile = workspace.profile
    # The output of cargo's profile `dev` is in `debug`, that of another in a folder of its name.
    output = "debug" if profile == "dev" else profile
    folder = Path(target.triple, output)
    name = crate.binary_name + target.platform.suffix
    file = workspace.target_directory / folder / name
    if not file.exists():
        option = f" --target {target.text}" if target.text else ""
        raise CommandError(
            f"`{file}` does not exist",
            hint=f"add `--build`, or run `cargo build --locked --profile {profile}{option}` there first",
        )
    return file

"""Assembling the assets of a GitHub release from the artifacts of a CI run: all, or none."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from minisign import SecretKey

from leanspec_launcher._tables import PLATFORMS, Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.collect.artifacts import PREFIX as BINARIES
from scripts.collect.artifacts import artifact_kinds, collect_artifacts
from scripts.collect.bundles import CHECKSUM, Bundle, read_bundle, verify_checksum
from scripts.collect.staging import Collected, read_collected, staged
from scripts.environment import ROOT
from scripts.gates.binaries import read_binary
from scripts.gates.commit import Commit, commit_of
from scripts.gates.expected_set import expected_set
from scripts.model.families import binary_path, load_families
from scripts.model.files import File, FileKind, read_files
from scripts.model.finding import wrong_facts
from scripts.model.plan import Plan
from scripts.model.versions import binary_version
from scripts.tools.console import step
from scripts.tools.work_folder import PREFIX as IN_PROGRESS
from scripts.tools.work_folder import work_folder
from scripts.wheels.inspection import inspect_file

from .archives import PROGRAM, TEXT, write_tar, write_zip
from .mcp_bundle import write_bundles
from .notes import archive_readme, release_notes
from .provenance import provenance_name
from .signing import SUFFIX, Claim, read_public, sign, verify

DESKTOP, WHEELS = "desktop-", "dist"
SUMS, MANIFEST, NOTES = "SHA256SUMS", "release.json", "RELEASE_NOTES.md"
# Where the backend puts a wheel's bill of materials (PEP 770).
BILL = "sboms/leanspec-build.cdx.json"


class AssetKind(StrEnum):
    """A kind of file in a GitHub release."""

    ARCHIVE = "archive"
    BILL_OF_MATERIALS = "bill of materials"
    BUNDLE = "desktop bundle"
    MCP_BUNDLE = "MCP bundle"


@dataclass(frozen=True)
class Asset:
    """One file of a release, as its manifest describes it."""

    name: str
    kind: AssetKind | FileKind
    platform: str | None
    size: int
    sha256: str
    facts: dict[str, Any] = field(default_factory=dict)


def assemble(
    artifacts: Path, out: Path, plan: Plan, key: SecretKey | None, root: Path = ROOT
) -> list[Path]:
    """Make the folder of a release in `out`; return its files, the manifest and its signatures last.

    Without a key nothing is signed. Raises CommandError, and leaves `out` as it was, if an
    artifact is missing, damaged, of another version or for another platform, and where `out` holds
    anything that is not of such a folder.
    """
    _must_be_artifacts(artifacts)
    if key is not None:
        _must_be_the_stated_key(plan, key)
    _must_be_ours(out)
    commit = commit_of(root)
    plan = plan.built_from(artifact_kinds(artifacts))
    with work_folder(out) as folder:
        new = folder / "new"
        new.mkdir()
        binaries = folder / "binaries"
        with step("binaries"), staged(binaries) as staging:
            collect_artifacts(artifacts, load_families(), tuple(plan.missing), staging)
        with step("standalone archives"):
            assets = [
                _archive(PLATFORMS[key], binaries, new, plan) for key in plan.platforms
            ]
        with step("wheels and MCP bundles"):
            assets += _wheels(artifacts / WHEELS, binaries, new, plan)
        with step("desktop bundles"):
            assets += _bundles(artifacts, new, plan)
        (new / NOTES).write_text(release_notes(root / "CHANGELOG.md", plan), "utf-8")
        _state(new, assets, plan, commit.name)
        if key is not None:
            _sign(new, key, plan, commit)
        _take_the_place(new, out)
    return sorted(path for path in out.iterdir() if path.is_file())


def _must_be_artifacts(artifacts: Path) -> None:
    """Raise CommandError unless a folder contains the artifacts of a release, and nothing else."""
    if not artifacts.is_dir():
        raise CommandError(
            f"`{artifacts}` is not a folder of artifacts",
            hint="`gh run download RUN --dir DIR` makes one",
        )
    of_platforms = [f"{prefix}{key}" for prefix in (BINARIES, DESKTOP) for key in PLATFORMS]
    for path in sorted(artifacts.iterdir()):
        if path.name not in (WHEELS, *of_platforms):
            raise CommandError(
                f"`{path}` is not an artifact of a release",
                hint=f"there are `{WHEELS}`, `{BINARIES}…` and `{DESKTOP}…`",
            )


def _sign(new: Path, key: SecretKey, plan: Plan, commit: Commit) -> None:
    """Sign the checksums and the manifest, and verify both with the key that the plan states."""
    for name in (SUMS, MANIFEST):
        claim = Claim(name, str(plan.version), "any")
        # With the commit's time, the same release has the same signature, and an upload can be
        # continued.
        signature = sign(new / name, key, claim, commit.time).read_text("utf-8")
        verify(new / name, signature, read_public(plan.public_key), claim)


def _must_be_the_stated_key(plan: Plan, key: SecretKey) -> None:
    own = key.get_public_key().to_base64().decode()
    if not plan.public_key:
        raise CommandError(
            "`public-key` in [tool.leanspec-release] of `pyproject.toml` is empty: nobody could check a signature",
            hint=f'state the key: `public-key = "{own}"`',
        )
    if own != plan.public_key:
        raise CommandError(
            f"the secret key is of `{own}`, and `pyproject.toml` states `{plan.public_key}`",
            hint="sign with the key that the users know",
        )


def _must_be_ours(out: Path) -> None:
    """Raise CommandError if a folder contains anything that no earlier run made: it would be deleted."""
    there = (
        {path.name for path in out.iterdir() if not path.name.startswith(IN_PROGRESS)}
        if out.exists()
        else set()
    )
    strange = there - _made_before(out / MANIFEST)
    if strange:
        raise CommandError(
            f"`{out}` holds `{min(strange)}`, which this command did not make",
            hint="name an empty one",
        )


def _made_before(manifest: Path) -> set[str]:
    try:
        said = json.loads(manifest.read_text("utf-8"))
        names = {str(asset["name"]) for asset in said["assets"]} | {
            provenance_name(said["version"])
        }
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return names | {MANIFEST, SUMS, NOTES, MANIFEST + SUFFIX, SUMS + SUFFIX}


def _archive(platform: Platform, binaries: Path, new: Path, plan: Plan) -> Asset:
    """Pack the collected programs of a platform with licence and README."""
    files: dict[str, tuple[bytes, int]] = {
        "LICENSE": ((ROOT / "LICENSE").read_bytes(), TEXT)
    }
    facts: dict[str, Any] = {}
    wanted = binary_version(plan.version)
    for collected in read_collected(binaries):
        if collected.platform != platform.key:
            continue
        (project,) = load_families((collected.family,))
        path = binary_path(binaries, project, platform)
        for found in (collected.version, collected.reported or wanted):
            if found != wanted:
                name = f"`{path.name}` for `{platform.key}`"
                raise CommandError(
                    f"{name} is of version `{found}`, the release is {wanted}",
                    hint="rebuild it, or check which run these artifacts come from",
                )
        files[path.name] = (path.read_bytes(), PROGRAM)
        facts[path.name] = _about(collected, path)
    version = str(plan.version)
    files["README.md"] = (
        archive_readme(version, platform.key, platform.suffix).encode(),
        TEXT,
    )
    root = f"leanspec-{version}-{platform.key}"
    if platform.system == "win32":
        name = f"{root}.zip"
        write_zip(new / name, root, files)
    else:
        name = f"{root}.tar.gz"
        write_tar(new / name, root, files)
    return _asset(new / name, AssetKind.ARCHIVE, platform.key, {"binaries": facts})


def _about(collected: Collected, path: Path) -> dict[str, Any]:
    (program,) = inspect_file(path).executables
    stated = {
        name: asdict(collected)[name]
        for name in ("sha256", "size", "version", "reported", "commit")
    }
    source = {name: value for name, value in collected.source.items() if name != "packages"}
    read = {
        "libc": program.libc,
        "libc_floor": program.libc_floor,
        "needed": program.needed,
    }
    return stated | {"source": source} | read


def _wheels(dist: Path, binaries: Path, new: Path, plan: Plan) -> Iterator[Asset]:
    """Copy the complete set of wheels, each with the collected binary, with what is made from them.

    That is a bill of materials for each binary, and the MCP bundles.
    """
    if not dist.is_dir():
        raise CommandError(
            f"there is no `{WHEELS}/` in `{dist.parent}`: the wheels are missing",
            hint="build them",
        )
    files, strange = read_files(dist)
    lines = wrong_facts(expected_set(plan, files, strange))
    if lines:
        raise CommandError(
            f"`{dist}` is not the release",
            details=lines,
            hint="`python -m scripts check` shows them too",
        )
    for file in files:
        shutil.copyfile(file.path, new / file.path.name)
        yield _asset(new / file.path.name, file.kind, file.platform, {})
        if file.kind == FileKind.PLATFORM:
            yield _bill(file, binaries, new, plan)
    platform_wheels = [file for file in files if file.kind == FileKind.PLATFORM]
    for path, name in write_bundles(platform_wheels, new, plan):
        yield _asset(path, AssetKind.MCP_BUNDLE, name, {})


def _bill(file: File, binaries: Path, new: Path, plan: Plan) -> Asset:
    binary = read_binary(file)
    (project,) = load_families((binary.family.name,))
    collected = digest(str(binary_path(binaries, project, PLATFORMS[str(file.platform)])))
    origin = (
        binary.record["grafted"]["from"]["sha256"]
        if "grafted" in binary.record
        else binary.record["sha256"]
    )
    if origin != collected:
        raise CommandError(
            f"`{file.path.name}` has the binary with the sha256 `{origin}`, the artifact is `{collected}`",
            hint="the wheels are of another run than the binaries",
        )
    target = (
        new / f"leanspec-{plan.version}-{file.platform}-{binary.family.program}.cdx.json"
    )
    with zipfile.ZipFile(file.path) as archive:
        target.write_bytes(
            archive.read(next(name for name in archive.namelist() if name.endswith(BILL)))
        )
    return _asset(
        target, AssetKind.BILL_OF_MATERIALS, file.platform, {"of": file.path.name}
    )


def _bundles(artifacts: Path, new: Path, plan: Plan) -> Iterator[Asset]:
    """Copy one desktop bundle of this version per expected platform; any other file is an error."""
    bundles: dict[str, Bundle] = {}
    for platform in PLATFORMS.values():
        for path in sorted((artifacts / f"{DESKTOP}{platform.key}").rglob("*")):
            if path.is_file() and path.suffix != CHECKSUM:
                _must_be_planned(path, platform, plan)
                bundle = read_bundle(path, platform)
                _must_be_of(bundle, plan)
                other = bundles.setdefault(platform.key, bundle)
                if other is not bundle:
                    raise CommandError(
                        f"`{path}` is a second desktop bundle for `{platform.key}` beside `{other.path}`",
                        hint="leave one of them in its artifact",
                    )
    missing = [f"`{key}`" for key in plan.desktop if key not in bundles]
    if missing:
        raise CommandError(
            f"desktop bundles are missing for {', '.join(missing)}",
            hint="see why their jobs left none; or plan none: [tool.leanspec-release.desktop] in pyproject.toml",
        )
    for key, bundle in bundles.items():
        suffix = bundle.path.suffix
        target = new / f"leanspec-desktop-{plan.version}-{key}{suffix}"
        shutil.copyfile(bundle.path, target)
        stated = {
            "format": bundle.format.title,
            "version": bundle.version,
            "cpu": key.partition("-")[2],
        }
        yield _asset(target, AssetKind.BUNDLE, key, {"stated": stated})


def _must_be_planned(path: Path, platform: Platform, plan: Plan) -> None:
    if platform.key not in plan.desktop:
        reason = plan.no_desktop or f"it expects {', '.join(plan.desktop)}"
        raise CommandError(
            f"`{path}` is a desktop bundle for `{platform.key}`, and the plan has none ({reason})",
            hint="name the platform in [tool.leanspec-release.desktop] of pyproject.toml",
        )


def _must_be_of(bundle: Bundle, plan: Plan) -> None:
    expected = binary_version(plan.version)
    if bundle.version != expected:
        raise CommandError(
            f"`{bundle.path}` is of version `{bundle.version}`, the release is {expected}",
            hint="build it again",
        )
    verify_checksum(bundle.path)


def _asset(
    path: Path, kind: AssetKind | FileKind, platform: str | None, facts: dict[str, Any]
) -> Asset:
    return Asset(path.name, kind, platform, path.stat().st_size, digest(str(path)), facts)


def _state(new: Path, assets: list[Asset], plan: Plan, commit: str) -> None:
    """Write the manifest, then the checksums of everything, as `sha256sum --check` reads them."""
    manifest = {
        "name": "LeanSpec",
        "version": str(plan.version),
        "binaries": binary_version(plan.version),
        "tag": f"v{plan.version}",
        "commit": commit,
        "public_key": plan.public_key or None,
        "missing": plan.missing,
        "exceptions": plan.exceptions,
        "no_desktop": plan.no_desktop or None,
        "assets": [asdict(asset) for asset in sorted(assets, key=lambda asset: asset.name)],
    }
    (new / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    names = [*sorted(asset.name for asset in assets), MANIFEST]
    (new / SUMS).write_text(
        "".join(f"{digest(str(new / name))}  {name}\n" for name in names), "utf-8"
    )


def _take_the_place(new: Path, out: Path) -> None:
    """Move the finished files into `out`, and delete what an earlier run left there."""
    made = {path.name for path in new.iterdir()}
    for path in sorted(new.iterdir(), key=lambda path: path.name == MANIFEST):
        path.replace(out / path.name)
    for path in out.iterdir():
        if path.is_file() and path.name not in made:
            path.unlink()

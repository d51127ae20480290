"""Assembling the assets of a GitHub release, or an addition to it, from the artifacts of a CI run: all, or none."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leanspec_launcher._tables import PLATFORMS, PROGRAMS, Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.tools import digest as tools_digest
from leanspec_launcher.verify.proof import digest
from scripts.collect.artifacts import PREFIX as BINARIES
from scripts.collect.artifacts import artifact_kinds, collect_artifacts
from scripts.collect.staging import Collected, read_collected, staged
from scripts.environment import ROOT
from scripts.gates.binaries import read_binary
from scripts.gates.commit import commit_of
from scripts.gates.expected_set import expected_set
from scripts.model.files import File, FileKind, read_files
from scripts.model.finding import wrong_facts
from scripts.model.plan import Plan
from scripts.model.programs import PROJECTS, binary_path, load_programs
from scripts.model.versions import binary_version
from scripts.tools.console import say, step
from scripts.tools.reasons import quoted
from scripts.wheels.inspection import inspect_file
from scripts.wheels.pins import pinned_tools

from .archives import EXECUTABLE, TEXT, licences, write_tar, write_zip
from .desktop import DESKTOP, copy_bundles, missing_bundles, read_bundles
from .listing import NOTES, Asset, AssetKind, Listing, describe
from .mcp_bundle import write_bundles
from .notes import archive_readme, release_notes

WHEELS = "dist"
# Artifacts that only later jobs of the run take.
OTHERS = ("assembled", "publisher", "release")
# Where the backend puts a wheel's bill of materials (PEP 770).
BILL = "sboms/leanspec-build.cdx.json"
# The facts of a binary's record that the manifest repeats.
RECORD_FACTS = ("sha256", "size", "version", "reported", "commit")


@dataclass(frozen=True)
class Parts:
    """The folders that a release is assembled from."""

    wheels: Path
    binaries: Path
    """What the wheels were built from, with the layout of `platform_wheels/`."""
    artifacts: Path
    """The folder with the desktop bundles, in one folder per platform."""


def assemble(artifacts: Path, out: Path, plan: Plan, root: Path = ROOT) -> list[Path]:
    """Make the folder of a release in `out` from the artifacts of a run; return its files.

    A desktop bundle that the plan expects may be missing, and is named. Raises CommandError, and
    leaves `out` as it was, if another artifact is missing, or if one is damaged, of another version
    or for another platform, and where `out` holds anything that is not of such a folder.
    """
    must_be_artifacts(artifacts)
    if not (artifacts / WHEELS).is_dir():
        raise CommandError(
            f"there is no `{WHEELS}/` in `{artifacts}`: the wheels are missing",
            hint="`gh run download RUN --dir DIR` downloads all artifacts of a run",
        )
    plan = plan.built_from(artifact_kinds(artifacts))
    with tempfile.TemporaryDirectory(prefix="leanspec-assets-") as name:
        binaries = Path(name, "binaries")
        with step("binaries"), staged(binaries) as staging:
            collect_artifacts(artifacts, load_programs(), tuple(plan.missing), staging)
        assemble_parts(Parts(artifacts / WHEELS, binaries, artifacts), out, plan, root)
    return sorted(path for path in out.iterdir() if path.is_file())


def assemble_parts(parts: Parts, out: Path, plan: Plan, root: Path = ROOT) -> list[str]:
    """Make the folder of a release in `out`; return the platforms whose desktop bundle is missing."""
    listing = Listing()
    with listing.new_folder(out) as new:
        with step("standalone archives"):
            platforms = [PLATFORMS[key] for key in plan.platforms]
            assets = [
                _archive(platform, parts.binaries, new, plan) for platform in platforms
            ]
        with step("wheels and MCP bundles"):
            assets += _wheels(parts.wheels, parts.binaries, new, plan)
        with step("desktop bundles"):
            bundles = read_bundles(parts.artifacts, plan, only_planned=True)
            assets += copy_bundles(bundles, new, plan)
        missing = missing_bundles(bundles, plan)
        notes = release_notes(root / "CHANGELOG.md", plan, missing)
        (new / NOTES).write_text(notes, "utf-8")
        facts = {
            "missing": plan.missing,
            "exceptions": plan.exceptions,
            "no_desktop": plan.no_desktop or None,
            "missing_desktop": missing,
            "tools": _tools(parts.wheels),
        }
        listing.write(new, assets, plan, commit_of(root).name, facts)
    if missing:
        names = quoted(missing)
        say(f"warning: the desktop bundles for {names} are missing: the release has none")
        say(
            "hint: add them when they are built: `python3 -m scripts assets DIR --add NAME`"
        )
    return missing


def assemble_addition(
    artifacts: Path, out: Path, plan: Plan, listing: Listing, root: Path = ROOT
) -> list[Path]:
    """Make the folder of what is added to a release, from the desktop bundles of a run; return its files.

    The plan of a release is that of its tag: a bundle may be added that it does not expect. Raises
    CommandError, and leaves `out` as it was, if there is no bundle, or one that is damaged or of
    another version.
    """
    must_be_artifacts(artifacts)
    with listing.new_folder(out) as new:
        with step("desktop bundles"):
            bundles = read_bundles(artifacts, plan, only_planned=False)
            if not bundles:
                raise CommandError(
                    f"`{artifacts}` contains no desktop bundle",
                    hint=f"`collect desktop DIR --build --into {artifacts}/{DESKTOP}PLATFORM` puts one there",
                )
            assets = list(copy_bundles(bundles, new, plan))
        facts = {"addition": listing.addition}
        listing.write(new, assets, plan, commit_of(root).name, facts)
    return sorted(path for path in out.iterdir() if path.is_file())


def _tools(dist: Path) -> dict[str, Any]:
    """Return the digest and the outlines of the MCP server's tools, for each adapter of a project."""
    files, _ = read_files(dist)
    main = next(file.path for file in files if file.kind == FileKind.MAIN)
    return {
        adapter: {"sha256": tools_digest(tools), "tools": tools}
        for adapter, tools in pinned_tools(main).items()
    }


def must_be_artifacts(artifacts: Path) -> None:
    """Raise CommandError unless a folder contains artifacts of a release, and nothing else."""
    if not artifacts.is_dir():
        raise CommandError(
            f"`{artifacts}` is not a folder of artifacts",
            hint="`gh run download RUN --dir DIR` makes one",
        )
    of_platforms = [f"{prefix}{key}" for prefix in (BINARIES, DESKTOP) for key in PLATFORMS]
    for path in sorted(artifacts.iterdir()):
        if path.name not in (WHEELS, *OTHERS, *of_platforms):
            raise CommandError(
                f"`{path}` is not an artifact of a release",
                hint=f"artifacts are called `{WHEELS}`, `{BINARIES}…` and `{DESKTOP}…`",
            )


def _archive(platform: Platform, binaries: Path, new: Path, plan: Plan) -> Asset:
    """Pack the collected programs of a platform with licence and README."""
    files = licences(PROJECTS / "cli")
    facts: dict[str, Any] = {}
    for collected in read_collected(binaries):
        if collected.platform != platform.key:
            continue
        path = binary_path(binaries, PROGRAMS[collected.program], platform)
        _must_be_of_release(collected, path, plan)
        files[path.name] = (path.read_bytes(), EXECUTABLE)
        facts[path.name] = _about(collected, path)
    if len(facts) != len(PROGRAMS):
        raise CommandError(
            f"`{binaries}` lacks a program for `{platform.key}`",
            hint="collect it: `python3 -m scripts collect --help`",
        )
    readme = archive_readme(plan, platform.key, platform.suffix)
    files["README.md"] = (readme.encode(), TEXT)
    root = f"leanspec-{plan.version}-{platform.key}"
    is_zip = platform.system == "win32"
    archive = new / (root + (".zip" if is_zip else ".tar.gz"))
    write = write_zip if is_zip else write_tar
    write(archive, root, files)
    return describe(archive, AssetKind.ARCHIVE, platform.key, {"binaries": facts})


def _must_be_of_release(collected: Collected, path: Path, plan: Plan) -> None:
    """Raise CommandError if a binary is of another version, by its record or its own report."""
    expected = binary_version(plan.version)
    for version in (collected.version, collected.reported or expected):
        if version != expected:
            name = f"`{path.name}` for `{collected.platform}`"
            raise CommandError(
                f"{name} is of version `{version}`, the release is {expected}",
                hint="rebuild it, or check which run these artifacts come from",
            )


def _about(collected: Collected, path: Path) -> dict[str, Any]:
    (executable,) = inspect_file(path).executables
    record = asdict(collected)
    facts = {name: record[name] for name in RECORD_FACTS}
    # The list of packages is long, and the bill of materials has it.
    facts["source"] = {
        name: value for name, value in collected.source.items() if name != "packages"
    }
    return facts | {
        "libc": executable.libc,
        "libc_floor": executable.libc_floor,
        "needed": executable.needed,
    }


def _wheels(dist: Path, binaries: Path, new: Path, plan: Plan) -> Iterator[Asset]:
    """Copy the complete set of wheels, each with the collected binary, with what is made from them.

    That is a bill of materials for each binary, and the MCP bundles.
    """
    files, strange = read_files(dist)
    lines = wrong_facts(expected_set(plan, files, strange))
    if lines:
        raise CommandError(
            f"`{dist}` does not match the release plan",
            details=lines,
            hint="fix these files; `python3 -m scripts check` checks them again",
        )
    for file in files:
        shutil.copyfile(file.path, new / file.path.name)
        yield describe(new / file.path.name, file.kind, file.platform, {})
        if file.kind == FileKind.PLATFORM:
            yield _bill(file, binaries, new, plan)
    platform_wheels = [file for file in files if file.kind == FileKind.PLATFORM]
    for path, name in write_bundles(platform_wheels, new, plan):
        yield describe(path, AssetKind.MCP_BUNDLE, name, {})


def _bill(file: File, binaries: Path, new: Path, plan: Plan) -> Asset:
    binary = read_binary(file)
    path = binary_path(binaries, binary.program, binary.platform)
    collected = digest(str(path))
    record = binary.record
    origin = record["grafted"]["from"] if "grafted" in record else record
    if origin["sha256"] != collected:
        raise CommandError(
            f"`{file.path.name}` has the binary with the sha256 `{origin['sha256']}`, the artifact is `{collected}`",
            hint="download wheels and binaries of the same run: `gh run download RUN --dir DIR`",
        )
    name = f"leanspec-{plan.version}-{file.platform}-{binary.program.command}.cdx.json"
    with zipfile.ZipFile(file.path) as archive:
        (entry,) = [entry for entry in archive.namelist() if entry.endswith(BILL)]
        (new / name).write_bytes(archive.read(entry))
    facts = {"of": file.path.name}
    return describe(new / name, AssetKind.BILL_OF_MATERIALS, file.platform, facts)

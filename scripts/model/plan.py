"""What a release consists of: the expected set, stated in `pyproject.toml`, with a reason for each gap."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from leanspec_launcher._tables import FAMILIES, PLATFORMS
from leanspec_launcher.first_start.proof import digest
from leanspec_launcher.manage.errors import CommandError
from scripts.environment import ROOT

from .finding import Finding, bad, good, same
from .version_places import home_version

MAIN = "lean-spec"
# How platform tags begin, by `sys.platform` (Platform compatibility tags).
SYSTEM_TAGS = {"linux": ("manylinux", "musllinux", "linux"), "darwin": ("macosx",), "win32": ("win",)}
# What is beside a file that has an attestation (PEP 740), by the name that pypi-attestations gives it.
ATTESTATION = ".publish.attestation"
DEV = "linux-x64"
"""The one platform of a dev build, which is to be there soon."""
PLATFORM, STUB, MAIN_WHEEL, SDIST = "platform wheel", "stub", "lean-spec", "sdist"


@dataclass(frozen=True)
class Plan:
    """Hold the release as it is meant to be."""

    version: Version
    platforms: tuple[str, ...]
    missing: dict[str, str]
    exceptions: dict[str, str]
    desktop: tuple[str, ...] = ()
    """The platforms that a desktop bundle is expected for."""
    no_desktop: str = ""
    """Why there is none, where none is expected."""
    public_key: str = ""
    """The second line of the minisign key that the files of a release are signed with."""
    attestations: tuple[str, ...] = ()
    """The indices, as `publish --index` names them, that take no file without its attestation."""


@dataclass(frozen=True)
class File:
    """Hold one file of a release, by what its name says."""

    path: Path
    kind: str
    distribution: str
    version: str
    platform: str | None
    """The key of its platform, for a platform wheel."""

    def sha256(self) -> str:
        """Return the sha256 of its bytes, in hexadecimal."""
        return digest(str(self.path))


def read_plan(root: Path = ROOT) -> Plan:
    """Return the plan of the version that the tree is at.

    Raises CommandError where a platform is neither in the release nor missing for a reason, or a desktop set neither
    expected nor absent for one.
    """
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["leanspec-release"]
    chosen, missing = tuple(table["platforms"]), dict(table.get("missing", {}))
    for key in PLATFORMS:
        if (key in chosen) == (key in missing):
            raise CommandError(
                f"`pyproject.toml`, [tool.leanspec-release]: `{key}` must be either in `platforms` or in `missing`",
                hint=f'add `{key} = "why"` to [tool.leanspec-release.missing], or build it',
            )
    unknown = sorted({*chosen, *missing} - set(PLATFORMS))
    if unknown:
        raise CommandError(
            f"`pyproject.toml`, [tool.leanspec-release]: no platform is called `{unknown[0]}`",
            hint=f"there are {', '.join(f'`{key}`' for key in PLATFORMS)}",
        )
    version, exceptions = home_version(root), dict(table.get("exceptions", {}))
    indices = tuple(table["attestations"])
    if version.is_devrelease:
        others = {key: f"a dev build is for {DEV} alone" for key in PLATFORMS if key != DEV}
        return Plan(version, (DEV,), others, exceptions, no_desktop="a dev build has none", attestations=indices)
    desktop, key = table["desktop"], str(table.get("public-key", ""))
    bundles, reason = tuple(desktop["platforms"]), str(desktop.get("absent", ""))
    if bool(bundles) == bool(reason) or not set(bundles) <= set(PLATFORMS):
        raise CommandError(
            "[tool.leanspec-release.desktop] in `pyproject.toml`: `platforms` names some, or `absent` says why not",
            hint=f"platforms are {', '.join(f'`{key}`' for key in PLATFORMS)}",
        )
    return Plan(version, chosen, missing, exceptions, bundles, reason, key, indices)


def read_files(dist: Path) -> tuple[list[File], list[str]]:
    """Return the files of a folder by what their names say, and what is in it beside them."""
    files, strange = [], []
    for path in sorted(dist.iterdir()):
        file = _read_name(path)
        if path.is_symlink() or (file and not path.is_file()):
            strange.append(f"{path.name} (not a file of its own)")
        elif file:
            files.append(file)
        elif path.name.endswith(ATTESTATION) and path.with_name(path.name.removesuffix(ATTESTATION)).exists():
            continue  # goes with its file
        elif not path.name.startswith("."):
            strange.append(path.name)
    return files, strange


def _read_name(path: Path) -> File | None:
    try:
        if path.suffix != ".whl":
            name, version = parse_sdist_filename(path.name)
            return File(path, SDIST, str(name), str(version), None)
        name, version, _, tags = parse_wheel_filename(path.name)
    except (InvalidWheelFilename, ValueError):
        return None
    kind = MAIN_WHEEL if name == MAIN else STUB if {tag.platform for tag in tags} == {"any"} else PLATFORM
    platform = _platform({tag.platform for tag in tags}) if kind == PLATFORM else None
    return File(path, kind, str(name), str(version), platform)


def _platform(tags: set[str]) -> str | None:
    """Return the platform that tags are for; None where that is none, or several."""
    found = {
        key
        for tag in tags
        for key, platform in PLATFORMS.items()
        if tag.startswith(SYSTEM_TAGS[platform.system]) and tag.endswith(platform.machines)
    }
    return found.pop() if len(found) == 1 else None


def expected(plan: Plan) -> set[tuple[str, str, str | None]]:
    """Return every (kind, distribution, platform) that a release holds."""
    result: set[tuple[str, str, str | None]] = {(MAIN_WHEEL, MAIN, None), (SDIST, MAIN, None)}
    for family in FAMILIES.values():
        result.add((STUB, family.distribution, None))
        result |= {(PLATFORM, family.distribution, key) for key in plan.platforms}
    return result


def expected_set(plan: Plan, files: list[File], strange: list[str]) -> Iterator[Finding]:
    """Compare what is there with what the release consists of: nothing missing, nothing extra, one version."""
    wanted = expected(plan)
    seen: dict[tuple[str, str, str | None], File] = {}
    for name in strange:
        yield bad("set", name, "no such file in a release", "there")
    for file in files:
        key = (file.kind, file.distribution, file.platform)
        if key not in wanted:
            yield bad(
                "set",
                file.path.name,
                "no such file in this release",
                f"a {file.kind} for {file.platform or 'any platform'}",
            )
        elif key in seen:
            yield bad("set", file.path.name, "one file", f"a second one beside {seen[key].path.name}")
        else:
            yield same("set", file.path.name, str(plan.version), file.version)
            seen[key] = file
    for kind, distribution, platform in sorted(wanted - set(seen), key=str):
        yield bad("set", f"{distribution} ({platform or kind})", f"a {kind}", "missing")
    for absent, reason in plan.missing.items():
        yield good("set", absent, f"not in this release: {reason}")

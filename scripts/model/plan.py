"""What a release is meant to be, as `pyproject.toml` states it, with a reason for each gap."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT

from .version_places import home_version

DEV = "linux-x64"
"""The one platform of a dev build, which is to be there soon."""


@dataclass(frozen=True)
class Plan:
    """The release as it is meant to be."""

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
    is_draft: bool = False
    """Whether it is not committed yet: there is no tag, and files differ from their commit."""


def read_plan(root: Path = ROOT) -> Plan:
    """Return the plan of the version that the tree is at.

    Raises CommandError if a platform is neither in the release nor missing for a reason, or a
    desktop set neither expected nor absent for one.
    """
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))[
        "tool"
    ]["leanspec-release"]
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
        return Plan(
            version,
            (DEV,),
            others,
            exceptions,
            no_desktop="a dev build has none",
            attestations=indices,
        )
    desktop, key = table["desktop"], str(table.get("public-key", ""))
    bundles, reason = tuple(desktop["platforms"]), str(desktop.get("absent", ""))
    if bool(bundles) == bool(reason) or not set(bundles) <= set(PLATFORMS):
        raise CommandError(
            "[tool.leanspec-release.desktop] in `pyproject.toml`: `platforms` names some, or `absent` says why not",
            hint=f"platforms are {', '.join(f'`{key}`' for key in PLATFORMS)}",
        )
    return Plan(version, chosen, missing, exceptions, bundles, reason, key, indices)

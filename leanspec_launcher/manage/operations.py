"""What the management commands do. Nothing in here prints."""

from __future__ import annotations

import dataclasses

from leanspec_launcher._families import FAMILIES, Family
from leanspec_launcher._places import TAKEN, Place, places
from leanspec_launcher._platforms import Platform, current, machine

from .errors import CommandError


@dataclasses.dataclass(frozen=True)
class Search:
    """Hold where a family's binary was looked for, and what that led to."""

    family: str
    platform: str
    taken: str | None
    places: list[Place]


def this_platform() -> Platform:
    """Return the platform of this machine; raises CommandError where none is known for it."""
    platform = current()
    if platform is None:
        raise CommandError(f"there is no build for this machine ({machine()})")
    return platform


def search(name: str | None) -> list[Search]:
    """Look for the binary of one family, or of all."""
    families = list(FAMILIES.values()) if name is None else [FAMILIES[name]]
    platform = this_platform()
    return [_search(family, platform) for family in families]


def _search(family: Family, platform: Platform) -> Search:
    found = places(family, platform)
    taken = next((place.path for place in found if place.verdict == TAKEN), None)
    return Search(family.name, platform.key, taken, found)

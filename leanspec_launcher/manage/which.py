"""Search for the binary of each family: where it may be, and which place decides."""

from __future__ import annotations

from dataclasses import dataclass

from leanspec_launcher._tables import FAMILIES, Family, current
from leanspec_launcher.explain import hints
from leanspec_launcher.explain.verdicts import Outcome, PlaceVerdict, deciding, verdicts

from . import link


@dataclass(frozen=True)
class ProgramSearch:
    """A family's binary: every place where it may be, and the one that is taken."""

    family: Family
    platform: str | None
    taken: str | None
    places: list[PlaceVerdict]
    # Commands that start a linked binary, whatever the places say.
    linked: list[str]
    # What to type so that one is taken.
    hint: str

    def as_json(self) -> dict[str, object]:
        """Return what `which --json` prints of it."""
        return {
            "family": self.family.name,
            "platform": self.platform,
            "taken": self.taken,
            "linked": self.linked,
            "hint": self.hint,
            "places": [_as_json(place) for place in self.places],
        }


def _as_json(place: PlaceVerdict) -> dict[str, object]:
    refusal = place.refusal
    return {
        "origin": place.origin,
        "path": place.path,
        "verdict": place.outcome.value,
        "kind": refusal.kind.value if refusal else "",
        "reason": place.reason,
        "expected": list(refusal.expected) if refusal else [],
        "found": place.sha256,
    }


def search_all(name: str | None) -> list[ProgramSearch]:
    """Look for the binary of one family, or of all."""
    return [_search(family) for family in families(name)]


def families(name: str | None) -> list[Family]:
    """Return the family of a name, or all."""
    return [FAMILIES[name]] if name else list(FAMILIES.values())


def _search(family: Family) -> ProgramSearch:
    platform = current()
    places = verdicts(family, platform)
    first = deciding(places)
    linked = [
        str(command.path)
        for command in link.commands_if_recorded(platform)
        if command.family is family and command.state is link.LinkState.LINKED
    ]
    key = platform.key if platform else None
    path = first.path if first and first.outcome is Outcome.TAKEN else None
    return ProgramSearch(
        family=family,
        platform=key,
        taken=path,
        places=places,
        linked=linked,
        hint="" if path else hints.hint_of(family, first),
    )

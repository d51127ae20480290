"""Search for the binary of each program: where it may be, and which place decides."""

from __future__ import annotations

from dataclasses import dataclass

from leanspec_launcher._search import Start
from leanspec_launcher._tables import PROGRAMS, Program
from leanspec_launcher.explain import hints
from leanspec_launcher.explain.verdicts import Outcome, PlaceVerdict, deciding, verdicts

from . import link


@dataclass(frozen=True)
class ProgramSearch:
    """A program's binary: every place where it may be, and the one that is started."""

    program: Program
    platform: str | None
    binary: str | None
    places: list[PlaceVerdict]
    # Commands that start a linked binary, whatever the places say.
    linked: list[str]
    # What to type so that one is started.
    hint: str

    def as_json(self) -> dict[str, object]:
        """Return what `which --json` prints of it."""
        return {
            "program": self.program.name,
            "platform": self.platform,
            "binary": self.binary,
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


def programs(name: str | None) -> list[Program]:
    """Return the program of a name, or all."""
    return [PROGRAMS[name]] if name else list(PROGRAMS.values())


def search(program: Program) -> ProgramSearch:
    """Look for the binary of a program."""
    start = Start(program)
    places = verdicts(start)
    first = deciding(places)
    linked = [
        str(command.path)
        for command in link.commands_if_recorded()
        if command.program is program and command.state is link.LinkState.LINKED
    ]
    path = first.path if first and first.outcome is Outcome.TAKEN else None
    return ProgramSearch(
        program=program,
        platform=start.platform.key if start.platform else None,
        binary=path,
        places=places,
        linked=linked,
        hint="" if path else hints.hint_of(start, first),
    )

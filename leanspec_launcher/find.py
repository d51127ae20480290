"""Paths of LeanSpec's programs, for Python programs that start one themselves."""

from ._tables import FAMILIES, current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._tables import Family


def find_leanspec_bin(family: str = "cli") -> str:
    """Return the absolute path of a program of this release, verified as at a start.

    `family` is `cli`, `mcp` or `http`. Raises FileNotFoundError if there is none, or if it is not the one of this
    release; the message says why.
    """
    if family not in FAMILIES:
        raise ValueError(f"`{family}` is none of {', '.join(FAMILIES)}")
    from .explain.verdicts import Outcome, deciding, verdicts

    verdict = deciding(verdicts(FAMILIES[family], current()))
    if verdict is None:
        raise FileNotFoundError(f"no `{FAMILIES[family].program}` is installed")
    if verdict.outcome is not Outcome.TAKEN:
        raise FileNotFoundError(f"`{verdict.path}` is not to be run: {verdict.reason}")
    return verdict.path


def admitted(family: "Family") -> str:
    """Return the path of a family's program, verified as at a start: once for each of its states.

    Raises FileNotFoundError if there is none, Refusal if it is not the one of this release, OSError
    if that cannot be known.
    """
    from ._search import first_place, needs_proof
    from .verify.proof import admit

    platform = current()
    place = first_place(family, platform)
    if place is None:
        raise FileNotFoundError(f"no `{family.program}` is installed")
    if needs_proof(place, family, platform):
        admit(place, family, platform)
    return place.path

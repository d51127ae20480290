"""Paths of LeanSpec's programs, for Python programs that start one themselves."""

from ._tables import PROGRAMS, current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._tables import Program


def find_leanspec_bin(program: str = "cli") -> str:
    """Return the absolute path of a program of this release, verified as at a start.

    `program` is `cli`, `mcp` or `http`. Raises FileNotFoundError if there is none, or if it is not the one of this
    release; the message says why.
    """
    if program not in PROGRAMS:
        raise ValueError(f"`{program}` is none of {', '.join(PROGRAMS)}")
    from .explain.verdicts import Outcome, deciding, verdicts

    verdict = deciding(verdicts(PROGRAMS[program], current()))
    if verdict is None:
        raise FileNotFoundError(f"no `{PROGRAMS[program].command}` is installed")
    if verdict.outcome is not Outcome.TAKEN:
        raise FileNotFoundError(f"`{verdict.path}` is not to be run: {verdict.reason}")
    return verdict.path


def admitted(program: "Program") -> str:
    """Return the path of a program's binary, verified as at a start: once for each of its states.

    Raises FileNotFoundError if there is none, Refusal if it is not the one of this release, OSError
    if that cannot be known.
    """
    from ._search import first_place, needs_proof
    from .verify.proof import admit

    platform = current()
    place = first_place(program, platform)
    if place is None:
        raise FileNotFoundError(f"no `{program.command}` is installed")
    if needs_proof(place, program, platform):
        admit(place, program, platform)
    return place.path

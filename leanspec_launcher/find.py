"""Paths of LeanSpec's programs, for Python programs that start one themselves."""

from ._search import Start
from ._tables import PROGRAMS


def find_leanspec_bin(program: str = "cli") -> str:
    """Return the absolute path of a program of this release, verified as at a start.

    `program` is `cli`, `mcp` or `http`. Raises FileNotFoundError if there is none, or if it is not the one of this
    release; the message says why.
    """
    if program not in PROGRAMS:
        raise ValueError(
            f"unknown program `{program}`: choose one of {', '.join(PROGRAMS)}"
        )
    from .explain.verdicts import Outcome, deciding, verdicts

    verdict = deciding(verdicts(Start(PROGRAMS[program])))
    if verdict is None:
        raise FileNotFoundError(f"no `{PROGRAMS[program].command}` is installed")
    if verdict.outcome is not Outcome.TAKEN:
        raise FileNotFoundError(f"refusing to run `{verdict.path}`: {verdict.reason}")
    return verdict.path

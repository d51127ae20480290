"""What a gate says: which fact it looked at, what it should be, what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from leanspec_launcher.manage.errors import CommandError


@dataclass(frozen=True)
class Finding:
    """One fact that a gate looked at."""

    gate: str
    subject: str
    good: bool
    expected: str
    found: str


def same(gate: str, subject: str, expected: object, found: object) -> Finding:
    """Compare a fact with what it should be."""
    return Finding(gate, subject, expected == found, str(expected), str(found))


def bad(gate: str, subject: str, expected: object, found: object) -> Finding:
    """State a fact that is not as it should be."""
    return Finding(gate, subject, good=False, expected=str(expected), found=str(found))


def good(gate: str, subject: str, found: object) -> Finding:
    """State a fact that is as it should be."""
    return Finding(gate, subject, good=True, expected=str(found), found=str(found))


def all_good(gate: str, subject: str, problems: Iterator[Finding], found: str) -> Iterator[Finding]:
    """Yield the problems of a subject, or one line where there is none."""
    any_problem = False
    for problem in problems:
        any_problem = True
        yield problem
    if not any_problem:
        yield good(gate, subject, found)


Gate = Callable[[], Iterator[Finding]]


def to_its_end(title: str, gate: Gate) -> Iterator[Finding]:
    """Yield what a gate finds. Whatever ends it before its end is a failure of the release."""
    try:
        yield from gate()
    except CommandError as error:
        yield bad(title, "the gate itself", "to come to an end", error.message)
    except Exception as error:  # noqa: BLE001 - a file that breaks a gate must not pass it
        yield bad(title, "the gate itself", "to come to an end", f"{type(error).__name__}: {error}")

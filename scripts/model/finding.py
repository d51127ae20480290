"""What a gate reports: a fact, its expected value, and the value found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from leanspec_launcher.commands import CommandError
from scripts.tools.reasons import reason

# How many characters of another program's words are shown.
LONGEST_REASON = 400


@dataclass(frozen=True)
class Finding:
    """One fact that a gate looked at."""

    gate: str
    subject: str
    passed: bool
    expected: str
    found: str
    is_gap: bool = False
    """Whether something is left out or could not be looked at, which is always shown."""
    hint: str = ""
    """What to type, where the fact is not as it should be."""


def compare(
    gate: str, subject: str, expected: object, found: object, *, hint: str = ""
) -> Finding:
    """Compare a fact with what it should be."""
    return Finding(
        gate=gate,
        subject=subject,
        passed=expected == found,
        expected=str(expected),
        found=str(found),
        hint=hint,
    )


def problem(
    gate: str, subject: str, expected: object, found: object, *, hint: str = ""
) -> Finding:
    """State a fact that is not as it should be."""
    return Finding(
        gate=gate,
        subject=subject,
        passed=False,
        expected=str(expected),
        found=str(found),
        hint=hint,
    )


def confirm(gate: str, subject: str, found: object) -> Finding:
    """State a fact that is as it should be."""
    return compare(gate, subject, found, found)


def confirm_unless(
    gate: str, subject: str, problems: Iterator[Finding], found: str
) -> Iterator[Finding]:
    """Yield the problems of a subject; if there are none, one finding that confirms it."""
    any_problem = False
    for each in problems:
        any_problem = True
        yield each
    if not any_problem:
        yield confirm(gate, subject, found)


def wrong_facts(findings: Iterable[Finding]) -> list[str]:
    """Return the facts that are not as they should be, line by line, each with its hint below it."""
    lines = []
    for finding in findings:
        if not finding.passed:
            fact = f"{finding.gate}: {finding.subject}"
            text = f"{fact}: expected {finding.expected}, found {finding.found}"
            lines += text.splitlines()
            lines += [f"hint: {finding.hint}"] if finding.hint else []
    return lines


def counted(findings: Sequence[Finding]) -> str:
    """Say how many facts are wrong, or that all are right."""
    total, failed = len(findings), sum(not each.passed for each in findings)
    facts = "fact" if total == 1 else "facts"
    if failed:
        return f"{failed} of {total} {facts} {'is' if failed == 1 else 'are'} wrong"
    return f"{total} {facts} {'is' if total == 1 else 'are'} right"


Gate = Callable[[], Iterator[Finding]]


def to_its_end(title: str, gate: Gate) -> Iterator[Finding]:
    """Yield what a gate finds. An error that stops the gate counts as a problem of the release."""
    try:
        yield from gate()
    except CommandError as error:
        yield problem(
            title,
            "gate",
            "completed",
            f"stopped: {error}",
            hint=error.hint or "",
        )
    except Exception as error:  # noqa: BLE001 - a file that breaks a gate must not pass it
        yield problem(
            title,
            "gate",
            "completed",
            f"crashed: {reason(error)}",
            hint="build the files again: `python3 -m scripts wheels`; if that does not help, report it",
        )

"""Findings of gates: a fact, its expected and its actual value."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from leanspec_launcher.commands import CommandError
from scripts.tools.reasons import reason

# How many characters of another program's words are shown.
LONGEST_REASON = 400
BUILD_AGAIN = (
    "build the files again: `python3 -m scripts wheels`; if that does not help, report it"
)


@dataclass(frozen=True)
class Finding:
    """One fact that a gate looked at. Its names are those of `check --json`."""

    gate: str
    subject: str
    passed: bool
    expected: str
    actual: str
    is_gap: bool = False
    """Whether something is left out or could not be looked at, which is always shown."""
    hint: str = ""
    """What to type, where the fact is not as it should be."""


def compare(
    gate: str, subject: str, expected: object, actual: object, *, hint: str = ""
) -> Finding:
    """Compare a fact with what it should be."""
    return Finding(
        gate=gate,
        subject=subject,
        passed=expected == actual,
        expected=str(expected),
        actual=str(actual),
        hint=hint,
    )


def problem(
    gate: str, subject: str, expected: object, actual: object, *, hint: str = ""
) -> Finding:
    """State a fact that is not as it should be."""
    return replace(compare(gate, subject, expected, actual, hint=hint), passed=False)


def confirm(gate: str, subject: str, actual: object) -> Finding:
    """State a fact that is as it should be."""
    return compare(gate, subject, actual, actual)


def gap(gate: str, subject: str, text: str) -> Finding:
    """State that something is left out, or could not be compared: this passes, and is always shown."""
    return replace(confirm(gate, subject, text), is_gap=True)


def confirm_unless(
    gate: str, subject: str, problems: Iterator[Finding], actual: str
) -> Iterator[Finding]:
    """Yield the problems of a subject; if there are none, one finding that confirms it."""
    # A generator has no length: whether there are problems is known when the first one is taken.
    first = next(problems, None)
    if first is None:
        yield confirm(gate, subject, actual)
    else:
        yield first
        yield from problems


def wrong_facts(findings: Iterable[Finding]) -> list[str]:
    """Return the facts that are not as they should be, line by line, each with its hint below it."""
    lines = []
    for finding in findings:
        if not finding.passed:
            fact = f"{finding.gate}: {finding.subject}"
            text = f"{fact}: expected {finding.expected}, found {finding.actual}"
            lines += text.splitlines()
            lines += [f"hint: {finding.hint}"] if finding.hint else []
    return lines


def counted(findings: Sequence[Finding]) -> str:
    """Say how many facts are wrong, or that all are right."""
    total = len(findings)
    wrong = sum(not finding.passed for finding in findings)
    facts = "1 fact" if total == 1 else f"{total} facts"
    verb = "is" if (wrong or total) == 1 else "are"
    return f"{wrong} of {facts} {verb} wrong" if wrong else f"{facts} {verb} right"


Gate = Callable[[], Iterator[Finding]]


def to_its_end(title: str, gate: Gate) -> Iterator[Finding]:
    """Yield what a gate finds. An error that stops the gate counts as a problem of the release."""
    try:
        yield from gate()
    except CommandError as error:
        end, hint = f"stopped: {error}", error.hint or ""
        yield problem(title, "gate", "completed", end, hint=hint)
    except Exception as error:  # noqa: BLE001 - a file that breaks a gate must not pass it
        end = f"crashed: {reason(error)}"
        yield problem(title, "gate", "completed", end, hint=BUILD_AGAIN)

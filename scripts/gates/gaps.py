"""Gaps of a release: findings that pass, and are always shown."""

from dataclasses import replace

from scripts.model.finding import Finding, confirm


def gap(gate: str, subject: str, text: str) -> Finding:
    """State that something is left out, or could not be compared."""
    return replace(confirm(gate, subject, text), is_gap=True)

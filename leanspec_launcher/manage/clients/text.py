"""A file's text, changed in place: what both formats have in common."""

from __future__ import annotations

from typing import Any, Protocol

Keys = tuple[str, ...]
"""The keys that lead to a value."""


class BrokenError(Exception):
    """Invalid or unsupported file content."""


class Format(Protocol):
    """A format: every function takes a file's whole text, and the keys that lead to an entry."""

    def read(self, text: str, path: Keys) -> Any:  # noqa: ANN401 - whatever stands there
        """Return an entry; None if there is none."""

    def span(self, text: str, path: Keys) -> tuple[int, int]:
        """Return from where to where an entry goes, with its name; an empty span if there is none."""

    def put(self, text: str, path: Keys, entry: dict[str, Any]) -> str:
        """Return the text with an entry, and everything else as it is."""

    def drop(self, text: str, path: Keys) -> str:
        """Return the text without an entry."""


def newline_of(text: str) -> str:
    """Return how the lines of a text end."""
    first = text.partition("\n")[0]
    return "\r\n" if first.endswith("\r") else "\n"

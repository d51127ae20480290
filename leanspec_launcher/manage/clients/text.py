"""A file's text, changed in place: what both formats have in common."""

import copy
from collections.abc import Callable
from typing import Any, Protocol

Keys = tuple[str, ...]
"""The keys that lead to a value."""


class BrokenError(Exception):
    """Invalid or unsupported file content."""


class Format(Protocol):
    """A format: every function takes a file's whole text, and the keys that lead to an entry."""

    def read(self, text: str, path: Keys) -> Any:  # noqa: ANN401 - whatever stands there
        """Return an entry; None if there is none."""

    def has(self, text: str, path: Keys) -> bool:
        """Tell whether an entry is there, were it empty."""

    def document(self, text: str) -> dict[str, Any]:
        """Return everything that a text says."""

    def span(self, text: str, path: Keys) -> tuple[int, int]:
        """Return from where to where an entry goes, with its name; an empty span if there is none."""

    def put(self, text: str, path: Keys, entry: dict[str, Any]) -> str:
        """Return the text in which an entry is exactly this one, and everything else as it is."""

    def drop(self, text: str, path: Keys) -> str:
        """Return the text without an entry."""


def newline_of(text: str) -> str:
    """Return how the lines of a text end."""
    first = text.partition("\n")[0]
    return "\r\n" if first.endswith("\r") else "\n"


def read_back(
    read: Callable[[str], dict[str, Any]], text: str, expected: dict[str, Any]
) -> str:
    """Return a text; raises BrokenError unless a reader finds in it exactly what is expected."""
    try:
        is_right = read(text) == expected
    except BrokenError:
        is_right = False
    if not is_right:
        raise BrokenError("the entry has a form that cannot be changed safely")
    return text


def with_entry(
    document: dict[str, Any], path: Keys, entry: dict[str, Any]
) -> dict[str, Any]:
    """Return a document in which an entry is exactly this one; raises BrokenError if something is in the way."""
    changed = with_table(document, path[:-1])
    table = changed
    for key in path[:-1]:
        table = table[key]
        if not isinstance(table, dict):
            raise BrokenError(f"`{key}` is not a table of servers")
    table[path[-1]] = copy.deepcopy(entry)
    return changed


def with_table(document: dict[str, Any], path: Keys) -> dict[str, Any]:
    """Return a document that has a table at least, were it empty."""
    changed = copy.deepcopy(document)
    table = changed
    for key in path:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            break
    return changed


def without_entry(document: dict[str, Any], path: Keys) -> dict[str, Any]:
    """Return a document without an entry that is there."""
    changed = copy.deepcopy(document)
    table = changed
    for key in path[:-1]:
        table = table[key]
    del table[path[-1]]
    return changed

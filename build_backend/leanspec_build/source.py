"""Bytes for a wheel, which stay where they are until it is written.

A release has programs for a dozen machines, of a hundred megabytes each: what is kept of each is where it
is, its digest and its facts, and one at a time is in memory.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from .errors import BuildError
from .formats.view import Bytes, pieces


@dataclass(frozen=True)
class Source:
    """Bytes that can be loaded, again and again."""

    name: str
    """For messages."""
    read: Callable[[], Bytes]
    size: int = 0
    """How many bytes are loaded at once."""
    sha256: str = ""
    """The digest of the first time; empty if nothing was concluded from these bytes."""

    def load(self) -> Bytes:
        """Return the bytes; raises BuildError if they are not those of the first time."""
        data = self.read()
        if self.sha256 and sha256_of(data) != self.sha256:
            raise BuildError(
                f"{self.name} changed while its wheel was made",
                hint="run this again when nothing writes to it",
            )
        return data


def source_of(name: str, data: Bytes, read: Callable[[], Bytes]) -> Source:
    """Return the source of bytes that were loaded; `read` loads them again."""
    return Source(name, read, len(data), sha256_of(data))


def sha256_of(data: Bytes) -> str:
    """Return the digest of bytes."""
    digest = hashlib.sha256()
    for piece in pieces(data):
        digest.update(piece)
    return digest.hexdigest()

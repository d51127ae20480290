"""What can go wrong while a wheel is made."""

from __future__ import annotations


class BuildError(Exception):
    """Say what is wrong with the input, and what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message, with the hint on a line of its own."""
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class NotAProgramError(BuildError):
    """Say that a file is a sound one of another kind: a script, a library, debug information."""

"""Errors of a build, and notes for whoever builds."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterable, Iterator

# How a frontend takes what the command `all` takes as an option. Hints are written for the command.
SETTINGS = {
    "--from PLACE": "-C from=PLACE",
    "--version 1.2.3": "-C version=1.2.3",
    # What is installed next to a frontend does not reach an isolated build.
    "`pip install backports.zstd`": '`requires = ["leanspec-build", "backports.zstd"]`',
}

NO_SPACE = (
    "free space there, and in the folder for temporary files (`TMPDIR`), or write elsewhere"
)


class BuildError(Exception):
    """What is wrong with the input, and what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        # Those of the program that it is about, as far as they are known.
        self.platforms: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Return the message, with the hint on a line of its own."""
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"

    def for_frontend(self) -> str:
        """Return the text with the options of a frontend in the hint."""
        hint = self.hint
        for option, setting in SETTINGS.items():
            hint = hint and hint.replace(option, setting)
        return str(BuildError(self.message, hint=hint))


class UsageError(BuildError):
    """An option that no project and no build could make valid."""


class NoTagError(BuildError):
    """A sound program for a machine that no installer of wheels has a name for."""


class NotAProgramError(BuildError):
    """A sound file of another kind: a script, a library, debug information."""


class NoFileError(BuildError):
    """A file that does not exist."""


class NotAWheelError(BuildError):
    """A file that is not a whole wheel, or has not the name of one."""


class NoSpaceError(BuildError):
    """A full disk, which says nothing about the input."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}: {os.strerror(errno.ENOSPC)}", hint=NO_SPACE)


def is_full_disk(error: BaseException) -> bool:
    """Tell whether the system has no space left."""
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


@contextlib.contextmanager
def adding_reason(error: BuildError) -> Iterator[None]:
    """Raise the error with the system's reason for what the system refuses."""
    try:
        yield
    except (OSError, EOFError) as cause:
        if is_full_disk(cause):
            raise NoSpaceError(error.message) from None
        reason = getattr(cause, "strerror", None) or cause
        raise BuildError(f"{error.message}: {reason}", hint=error.hint) from None


def note(text: str) -> None:
    """Print a line on standard error: a hook has no other way, and a frontend shows it."""
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201


def printable(text: str) -> str:
    """Return lines that a terminal shows as they are: names in archives may move its cursor."""
    return "".join(
        char if char.isprintable() or char == "\n" else escaped(char) for char in text
    )


def listed(names: Iterable[object], separator: str = ", ") -> str:
    """Return names as a message has them."""
    return separator.join(f"`{name}`" for name in names)


def one_line(text: str) -> str:
    """Return a text as one line: names of files may have several."""
    return printable(text).replace("\n", "\\n")


def escaped(text: str) -> str:
    """Return a text in ASCII, which shows what looks like another one, or like nothing."""
    return text.encode("unicode_escape").decode()

"""Errors of the commands, what they print, and how they end.

Imports click only where something has a colour: it takes twice as long as the interpreter's own start.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from ._pins import VERSION
from ._say import HINT, hanging, printable

FAILURE = 1
ISSUES = "https://github.com/codervisor/leanspec/issues"
INTERRUPTED = 130
CHECKOUT = "(source checkout)"
REINSTALL = "reinstall lean-spec with its dependencies"


class CommandError(Exception):
    """A message for people, in lower case, with a hint, and lines of others between the two."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        details: Sequence[str] = (),
        exit_code: int = FAILURE,
    ) -> None:
        super().__init__("\n  ".join([message, *details]))
        self.message = message
        self.hint = hint
        self.details = details
        self.exit_code = exit_code


def colour() -> bool | None:
    """Return False if the user wants no colours, else None: click then asks the terminal."""
    unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return False if unwanted else None


def run(action: Callable[[], object]) -> NoReturn:
    """Run a command and end the process with its exit code: what it returns, or 1, 2 (usage) or 130 (interrupted)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may contain any bytes
    try:
        code = action()
    except CommandError as error:
        sys.exit(report(error, error.exit_code))
    except KeyboardInterrupt:
        sys.exit(report(CommandError("interrupted"), INTERRUPTED))
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user, whatever failed
        _discard_output()
        sys.exit(report(explained(error)))
    # click returns what the command returned: an exit code, or nothing.
    exit_code = code if isinstance(code, int) else 0
    sys.exit(exit_code)


def explained(error: Exception) -> CommandError:
    """Return any exception as a message, which tells this machine's problem from a bug of ours."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, OSError):
        return _of_the_system(error)
    if isinstance(error, (ImportError, SyntaxError)):
        return CommandError(f"a part is missing or damaged: {error}", hint=REINSTALL)
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    return CommandError(
        f"this is a bug in lean-spec {VERSION or CHECKOUT}: {type(error).__name__}: {error}",
        hint=f"report it, with what you typed: {ISSUES}",
        details=[f"in `{frame.filename}`, line {frame.lineno}"],
    )


def _of_the_system(error: OSError) -> CommandError:
    if error.filename is None and isinstance(error, FileNotFoundError):
        # Only the system's call for the working directory names no file.
        return CommandError(
            "the working directory does not exist any more", hint="change to another one"
        )
    reason = str(error.strerror or error)
    if error.filename and not isinstance(error.filename, int):
        path = os.fsdecode(error.filename)
        # Without a working directory, a relative path stays as it is.
        with contextlib.suppress(OSError):
            path = os.path.abspath(path)
        reason = f"`{path}`: {reason[:1].lower()}{reason[1:]}"
    hint = "check this user's permissions, and whether the disk is full"
    return CommandError(reason, hint=hint)


def _discard_output() -> None:
    """Drop what standard output does not take: the interpreter would try again, and end with 120."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class Styled(str):
    """A printable text with the terminal's sequences for its colour."""

    __slots__ = ()


def styled(text: str, *, fg: str | None = None, bold: bool | None = None) -> Styled:
    """Return a text in a colour."""
    import click

    return Styled(click.style(printable(text), fg=fg, bold=bold))  # noqa: TID251 - printable


class Output:
    """Standard output of this process: for people, or with `--json` for programs."""

    is_for_programs = False


def echo(*parts: str, err: bool = False) -> None:
    """Print one line for people, with what is not styled made printable; standard output may be for programs."""
    if err or not Output.is_for_programs:
        _print_line(*parts, err=err)


def echo_json(value: Mapping[str, object]) -> None:
    """Print an object for programs."""
    import json

    for line in json.dumps(value, indent=2).split("\n"):
        _print_line(line)


def _print_line(*parts: str, err: bool = False) -> None:
    line = "".join(part if isinstance(part, Styled) else printable(part) for part in parts)
    if any(isinstance(part, Styled) for part in parts):
        import click

        click.echo(line, err=err, color=colour())  # noqa: TID251 - printable
    else:
        print(line, file=sys.stderr if err else sys.stdout, flush=True)


def echo_text(text: str, *, err: bool = False) -> None:
    """Print several lines, each made printable."""
    for line in text.rstrip("\n").split("\n"):
        echo(line, err=err)


def report(error: CommandError, code: int = FAILURE) -> int:
    """Print an error and what to do about it; return the exit code."""
    text = error.message[:1].lower() + error.message[1:].rstrip(".")
    tell("error: ", text, fg="red")
    for line in error.details:
        echo(f"  {line}", err=True)
    if error.hint:
        say_hint(error.hint)
    return code


def say_hint(hint: str) -> None:
    """Print on standard error what to type."""
    tell(HINT, hint, fg="cyan")


def tell(word: str, text: str, *, fg: str) -> None:
    """Print a message on standard error, behind a word in a colour, such as `note: `."""
    first, *others = hanging(f"{word}{printable(text)}", sys.stderr)
    name = word.rstrip(": ")
    echo(styled(name, fg=fg, bold=True), first[len(name) :], err=True)
    for line in others:
        echo(line, err=True)


def echo_sentence(text: str, *, err: bool = False) -> None:
    """Print a text for people, broken at spaces on a terminal."""
    for line in hanging(printable(text), sys.stderr if err else sys.stdout):
        echo(line, err=err)

"""What a command says when it cannot go on, and the one door through which that reaches a user."""

from __future__ import annotations

import io
import sys
from typing import NoReturn

import click

FAILURE = 1
USAGE = 2
INTERRUPTED = 130
# From click 8.2 on, a group without arguments raises its help; 8.1, the last for Python 3.9, prints it itself.
NO_ARGUMENTS: tuple[type[click.UsageError], ...] = tuple(
    getattr(click.exceptions, name) for name in ("NoArgsIsHelpError",) if hasattr(click.exceptions, name)
)


class CommandError(Exception):
    """Say what is wrong, in lower case, and what to type about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def run_command(command: click.Command, program: str) -> NoReturn:
    """Run a click command and end the process with its exit code: 0, 1 (failed), 2 (usage), 130 (interrupted)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may hold any bytes
    try:
        code = command.main(prog_name=program, standalone_mode=False)
    except CommandError as error:
        sys.exit(_report(FAILURE, error.message, error.hint))
    except NO_ARGUMENTS as error:
        click.echo(error.format_message(), err=True)
        sys.exit(USAGE)
    except click.ClickException as error:
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else program
        sys.exit(
            _report(error.exit_code, error.format_message().replace("'", "`"), f"`{path} --help` explains the usage")
        )
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_report(INTERRUPTED, "interrupted", None))
    except OSError as error:
        where = f" `{error.filename}`" if error.filename else ""
        sys.exit(_report(FAILURE, f"the system refused{where}: {error.strerror or error}", None))
    sys.exit(code if isinstance(code, int) else 0)


def _report(code: int, message: str, hint: str | None) -> int:
    text = message[:1].lower() + message[1:].rstrip(".")
    click.echo(f"{click.style('error', fg='red', bold=True)}: {text}", err=True)
    if hint:
        click.echo(f"{click.style('hint', fg='cyan', bold=True)}: {hint}", err=True)
    return code

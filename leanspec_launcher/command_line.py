"""Command lines that click parses: groups of commands, and usage errors in our own words."""

from __future__ import annotations

import re
from typing import NoReturn

import click

from ._say import USAGE
from .commands import CommandError, colour, echo_text, run


class CommandGroup(click.Group):
    """A group of commands that, by itself, is a usage error: help on standard error, exit code 2.

    Click 8.1, the last for Python 3.9, prints it on standard output and exits with 0.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse a group's options and the name of its command."""
        if not args and not ctx.resilient_parsing:
            echo_text(ctx.get_help(), err=True)
            ctx.exit(USAGE)
        return super().parse_args(ctx, args)


def run_command(
    command: click.Command, program: str, arguments: list[str] | None = None
) -> NoReturn:
    """Run a click command and end the process with its exit code, as `run` does."""
    run(lambda: _call(command, program, arguments))


def _call(command: click.Command, program: str, arguments: list[str] | None) -> object:
    """Call a click command. Raises CommandError and KeyboardInterrupt in place of click's own errors."""
    try:
        return command.main(
            arguments, prog_name=program, standalone_mode=False, color=colour()
        )
    except click.ClickException as error:
        path = program
        if isinstance(error, click.UsageError) and error.ctx:
            path = error.ctx.command_path
        text = in_our_words(error.format_message())
        hint = f"`{path} --help` explains the usage"
        raise CommandError(text, hint=hint, exit_code=error.exit_code) from None
    except click.Abort:
        raise KeyboardInterrupt from None


def in_our_words(text: str) -> str:
    """Return a message of click as ours are: literals in backticks, and no capital after a colon."""
    text = re.sub(r"'\[([A-Z]+)\]'", r"'\1'", text)
    text = re.sub(r"(?<=: )[A-Z](?=[a-z]+ ')", lambda letter: letter[0].lower(), text)
    return text.replace("'", "`")

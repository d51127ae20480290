"""Arguments and options that several commands share, and the one form of their reports for programs."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

import click

from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import Output, echo_json
from leanspec_launcher.installers.detect import MAIN

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# What a program is called, too: by its commands.
COMMANDS = {
    MAIN: "cli",
    **{program.command: name for name, program in PROGRAMS.items()},
    "leanspec-ui": "http",
}


def _program(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    return COMMANDS.get(name, name) if name else None


program = click.argument(
    "program",
    type=click.Choice([*PROGRAMS, *COMMANDS]),
    required=False,
    metavar="[PROGRAM]",
    callback=_program,
)
dry_run = click.option(
    "--dry-run", is_flag=True, help="Show what would be done, and change nothing."
)


@dataclass(frozen=True)
class CommandReport:
    """Result of a command: an object for programs, and the exit code."""

    value: Mapping[str, object]
    code: int = 0


def report(*lists: str) -> Decorator:
    """Return the option `--json` of a command that returns a Report whose object has these lists.

    With it, standard output is that object and nothing else: lines for people are left out there.
    Errors, hints and notes stay on standard error.
    """
    names = " and ".join(f"`{name}`" for name in lists)
    option = click.option(
        "--json", "as_json", is_flag=True, help=f"Print a JSON object, with {names}."
    )

    def decorate(function: Callable[..., CommandReport]) -> Callable[..., int]:
        @option
        @functools.wraps(function)
        def command(*arguments: object, as_json: bool, **values: object) -> int:
            Output.is_for_programs = as_json
            try:
                result = function(*arguments, **values)
            finally:
                Output.is_for_programs = False
            if as_json:
                echo_json(result.value)
            return result.code

        return command

    return decorate


def place(text: str) -> Decorator:
    """Return the option `--from`, which names a folder or URL."""
    return click.option("--from", "origin", metavar="PLACE", help=text)

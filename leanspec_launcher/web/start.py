"""How `leanspec-ui` and `lean-spec ui` begin: without click, if the command line is plain."""

from __future__ import annotations

from typing import NoReturn

from leanspec_launcher.commands import run

from .place import UI
from .plain import plain_options
from .serve import show


def start(arguments: list[str], program: str = UI.command) -> NoReturn:
    """Run `leanspec-ui`; end this process with its exit code."""
    options = plain_options(arguments)
    if options is None:
        from leanspec_launcher.command_line import run_command

        from .cli import command

        run_command(command, program, arguments)
    run(lambda: show(**options))

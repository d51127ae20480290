"""The command `leanspec-launcher`: what is asked, and how the answer looks. No logic."""

from __future__ import annotations

import dataclasses
import json
from typing import NoReturn

import click

from leanspec_launcher._families import FAMILIES
from leanspec_launcher._places import REFUSED, TAKEN, described

from . import operations
from .errors import FAILURE, run_command

MARKS = {TAKEN: ("✓", "green"), REFUSED: ("✗", "red")}
OTHER_MARK = ("·", "bright_black")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="lean-spec", message="leanspec-launcher %(version)s")
def root() -> None:
    """Look after an installation of LeanSpec: which binaries it runs, and why those."""


@root.command()
@click.argument("family", type=click.Choice(list(FAMILIES)), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list, an object a family.")
def which(family: str | None, *, as_json: bool) -> int:
    """Show every place where a binary may be, in order, and why it is taken or refused.

    FAMILY is cli, mcp or http; all three where it is left out. Exits with 1 where the binary of the family asked for
    would not be run; of all three, where that of the command line or the MCP server would not.

    \b
    Examples:
      leanspec-launcher which
      leanspec-launcher which mcp --json
    """
    searches = operations.search(family)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(search) for search in searches], indent=2))
    else:
        for search in searches:
            click.secho(f"{search.family} ({FAMILIES[search.family].program}, {search.platform})", bold=True)
            for verdict, line in described(search.places):
                mark, colour = MARKS.get(verdict, OTHER_MARK)
                click.echo(f"  {click.style(mark, fg=colour)} {line}")
    needed = [search for search in searches if family or not FAMILIES[search.family].extra]
    return 0 if all(search.taken for search in needed) else FAILURE


def main() -> NoReturn:
    """Run `leanspec-launcher`."""
    run_command(root, "leanspec-launcher")

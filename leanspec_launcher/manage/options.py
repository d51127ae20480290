"""Arguments and options that several commands share, and how they print JSON."""

from __future__ import annotations

import json
from typing import Any, Callable

import click

from leanspec_launcher._tables import FAMILIES
from leanspec_launcher.commands import echo_text

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

family = click.argument("family", type=click.Choice(list(FAMILIES)), required=False)
dry_run = click.option(
    "--dry-run", is_flag=True, help="Show what would be done, and change nothing."
)


def json_array(member: str) -> Decorator:
    """Return the option `--json` of a command that prints an array."""
    text = f"Print a JSON array, one object per {member}."
    return click.option("--json", "as_json", is_flag=True, help=text)


def place(text: str) -> Decorator:
    """Return the option `--from`, which names a folder or URL."""
    return click.option("--from", "origin", metavar="PLACE", help=text)


def print_json(value: object) -> None:
    """Print a value for programs."""
    echo_text(json.dumps(value, indent=2))

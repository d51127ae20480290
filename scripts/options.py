"""Options shared by several commands, and options whose values are imported only when needed."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leanspec_launcher._tables import FAMILIES, PLATFORMS
from scripts.environment import ROOT
from scripts.model.families import PROJECTS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class LazyChoice(click.ParamType[str]):
    """A choice between the values of a module's attribute.

    `--help` of all commands does not pay for the import: the build backend alone costs 180 ms.
    """

    name = "choice"

    def __init__(self, module: str, attribute: str) -> None:
        self.module = module
        self.attribute = attribute

    @property
    def choice(self) -> click.Choice[str]:
        """The values, imported now."""
        return click.Choice(getattr(importlib.import_module(self.module), self.attribute))

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """Show the values in the help."""
        return self.choice.get_metavar(param, ctx)

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str:
        """Return the value, or fail as `click.Choice` does."""
        return self.choice.convert(value, param, ctx)


class Number(click.ParamType[int]):
    """A whole number in ASCII digits: no sign, space, underscore or leading zero."""

    name = "number"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Return the number, or fail as click's own types do."""
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"0|[1-9][0-9]*", str(value)):
            self.fail(f"'{value}' is not a number in plain digits", param, ctx)
        return int(value)


def json_option(item: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option `--json` of a command that reports a list."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help=f"Print a JSON array, one object per {item}.",
    )


def print_rows(rows: Iterable[DataclassInstance], *properties: str) -> None:
    """Print records as a JSON array, with some of their properties."""
    objects = [
        asdict(row) | {name: getattr(row, name) for name in properties} for row in rows
    ]
    click.echo(json.dumps(objects, indent=2))


def must_be_fingerprint(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> str | None:
    """Return a fingerprint. An empty variable is none: what it guards would be left out."""
    if text is not None and not re.fullmatch(r"[0-9a-f]{64}", text):
        raise click.BadParameter(f"'{text}' is not a fingerprint that `check` printed")
    return text


NUMBER = Number()
# Seconds that an index is waited for: five waves of uploads, within an hour's job.
LONGEST_WAIT = 480
REPAIRS = LazyChoice("leanspec_build.project.keys", "REPAIRS")
BUILDERS = LazyChoice("scripts.collect.cargo", "BUILDERS")
BINARIES_OPTION = click.option(
    "--binaries",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=PROJECTS,
    show_default="platform_wheels",
    help="Binaries directory to read.",
)
FAMILY_OPTION = click.option(
    "--family",
    "families",
    type=click.Choice(list(FAMILIES)),
    multiple=True,
    help="Program to include (repeatable). Default: all.",
)
PLATFORM_OPTION = click.option(
    "--platform",
    "platforms",
    type=click.Choice(list(PLATFORMS)),
    multiple=True,
    help="Platform to include (repeatable). Default: all.",
)
CARGO_OPTION = click.option(
    "--cargo",
    metavar="WORKSPACE",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="LeanSpec's Cargo workspace, which must have the same version.",
)
OPENSSL_OPTION = click.option(
    "--openssl",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="LEANSPEC_OPENSSL_SOURCE",
    metavar="FILE",
    help="Source archive of the pinned OpenSSL. Default: download it.",
)
DIST_OPTION = click.option(
    "--dist",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "dist",
    show_default="dist",
    help="The folder of built files.",
)
OUT_OPTION = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "dist",
    show_default="dist",
    help="Folder to write.",
)

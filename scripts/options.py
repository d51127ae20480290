"""Options shared by several commands, and options whose values are imported only when needed."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.model.programs import PROJECTS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from packaging.version import Version


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


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


def flag(*names: str, **settings: Any) -> Decorator:  # noqa: ANN401 - those of click
    """Return an option that takes no value."""
    return click.option(*names, is_flag=True, **settings)


def json_option(item: str) -> Decorator:
    """Return the option `--json` of a command that reports a list; always of an object."""
    return flag("--json", "as_json", help=f"Print a JSON object with a list of `{item}s`.")


def print_rows(item: str, rows: Iterable[DataclassInstance], *properties: str) -> None:
    """Print records as JSON, with some of their properties."""
    objects = [
        asdict(row) | {name: getattr(row, name) for name in properties} for row in rows
    ]
    print_json(item, objects)


def print_json(item: str, objects: list[dict[str, Any]]) -> None:
    """Print a JSON object with a list of items."""
    click.echo(json.dumps({f"{item}s": objects}, indent=2))


def must_be_fingerprint(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> str | None:
    """Return a fingerprint. An empty variable is none: what it guards would be left out."""
    if text is not None and not re.fullmatch(r"[0-9a-f]{64}", text):
        raise click.BadParameter(f"'{text}' is not a fingerprint that `check` printed")
    return text


class ReleaseVersion(click.ParamType["Version"]):
    """A version of a release, in PEP 440 or SemVer form."""

    name = "version"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Version:
        """Return the version, or fail as click's own types do."""
        from scripts.model.versions import read_version  # noqa: PLC0415 - 60 ms

        try:
            return read_version(str(value))
        except CommandError as error:
            self.fail(f"{error.message}: {error.hint}", param, ctx)


class ExistingPath(click.Path):
    """A path that exists; click's own message begins with a capital letter."""

    def fail(
        self,
        message: str,
        param: click.Parameter | None = None,
        ctx: click.Context | None = None,
    ) -> NoReturn:
        """Fail with the message in lower case, as after `invalid value for`."""
        super().fail(message[:1].lower() + message[1:], param, ctx)


def folder_option(name: str, default: str, text: str) -> Decorator:
    """Return an option for a folder that need not exist; its default is in the project."""
    return click.option(
        name,
        type=click.Path(file_okay=False, path_type=Path),
        default=ROOT / default,
        show_default=default,
        help=text,
    )


NUMBER = Number()
VERSION = ReleaseVersion()
EXISTING_FOLDER = ExistingPath(exists=True, file_okay=False, path_type=Path)
EXISTING_FILE = ExistingPath(exists=True, dir_okay=False, path_type=Path)
# Seconds that an index is waited for: five waves of uploads, within an hour's job.
LONGEST_WAIT = 480
REPAIRS = LazyChoice("leanspec_build.project.keys", "REPAIRS")
BUILDERS = LazyChoice("scripts.collect.cargo", "BUILDERS")
BINARIES_OPTION = click.option(
    "--binaries",
    type=EXISTING_FOLDER,
    default=PROJECTS,
    show_default="platform_wheels",
    help="Binaries directory to read.",
)
PROGRAM_OPTION = click.option(
    "--program",
    "programs",
    type=click.Choice(list(PROGRAMS)),
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
    type=EXISTING_FOLDER,
    help="LeanSpec's Cargo workspace, which must have the same version.",
)
OPENSSL_OPTION = click.option(
    "--openssl",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="LEANSPEC_OPENSSL_SOURCE",
    metavar="FILE",
    help="Source archive of the pinned OpenSSL. Default: download it.",
)
DIST_OPTION = folder_option("--dist", "dist", "The folder of built files.")
OUT_OPTION = folder_option("--out", "dist", "Folder to write.")
INTO_OPTION = folder_option("--into", "platform_wheels", "Binaries directory to write.")

"""Options shared by several commands, and the types of their values."""

from __future__ import annotations

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


def number(text: str) -> int:
    """Read a whole number in ASCII digits: no sign, space, underscore or leading zero."""
    if not re.fullmatch(r"0|[1-9][0-9]*", text):
        raise ValueError(f"'{text}' is not a number in plain digits")
    return int(text)


def release_version(text: str) -> Version:
    """Read the version of a release, in PEP 440 or SemVer form."""
    from scripts.model.versions import read_version  # noqa: PLC0415 - 60 ms

    try:
        return read_version(text)
    except CommandError as error:
        raise ValueError(f"{error.message}: {error.hint}") from None


def checked_fingerprint(text: str) -> str:
    """Read a fingerprint. An empty variable is none: what it guards would be left out."""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError(f"'{text}' is not a fingerprint that `check` printed")
    return text


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


EXISTING_FOLDER = ExistingPath(exists=True, file_okay=False, path_type=Path)
EXISTING_FILE = ExistingPath(exists=True, dir_okay=False, path_type=Path)
# Seconds that an index is waited for: five waves of uploads, within an hour's job.
LONGEST_WAIT = 480
# As the backend and `collect cargo` name them: `--help` does not pay for their import, 180 ms.
REPAIRS = click.Choice(["auditwheel"])
BUILDERS = click.Choice(["build", "zigbuild"])
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

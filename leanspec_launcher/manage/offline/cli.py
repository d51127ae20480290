"""Command line of `bundle`."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leanspec_launcher._pins import FILES, KEYS, VERSION
from leanspec_launcher._tables import PLATFORMS, PROGRAMS, current
from leanspec_launcher.commands import CommandError, echo
from leanspec_launcher.installers.records import installed_extras
from leanspec_launcher.installers.table import COLLECT
from leanspec_launcher.manage import options
from leanspec_launcher.manage.options import CommandReport

if TYPE_CHECKING:
    from .bundle import BundleTarget

EXTRAS = sorted(
    {program.extra for program in PROGRAMS.values() if program.extra} | {"download"}
)
PYTHON = re.compile(r"3\.\d{1,2}", re.ASCII)
OWN_PYTHON = "{}.{}".format(*sys.version_info[:2])


@click.command(name="bundle")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--platform",
    "platforms",
    type=click.Choice(list(PLATFORMS)),
    multiple=True,
    metavar="NAME",
    help=f"Platform to include (repeatable): {', '.join(PLATFORMS)}. Default: this one.",
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="3.X",
    help=f"Version of Python to include (repeatable). Default: {OWN_PYTHON}.",
)
@click.option(
    "--extra",
    "extras",
    type=click.Choice(EXTRAS),
    multiple=True,
    help="Extra to include (repeatable). Default: those installed.",
)
@options.place("Where the signed manifest is, if not on GitHub.")
@options.report("targets", "extras", "files")
def command(
    folder: Path,
    platforms: tuple[str, ...],
    pythons: tuple[str, ...],
    extras: tuple[str, ...],
    origin: str | None,
) -> CommandReport:
    """Make a folder to install from without a network.

    Downloads the wheels of LeanSpec and of what it needs with pip, from its index, verifies them
    against the checksums of this release, and adds a page of links with these checksums, which pip,
    uv and pipx install from. A README.md in it has the commands.

    \b
    Examples:
      leanspec-launcher bundle lean-spec-bundle
      leanspec-launcher bundle out --platform linux-x64 --python 3.12 --extra ui
    """
    from .bundle import INSIDE, PAGE, BundleTarget, install_command, must_have_pip

    _must_be_possible(folder, pythons)
    must_have_pip()
    platform = current()
    keys = platforms or ((platform.key,) if platform else ())
    targets = [
        BundleTarget(PLATFORMS[key], python)
        for key in dict.fromkeys(keys)
        for python in dict.fromkeys(pythons or (OWN_PYTHON,))
    ]
    extras = tuple(sorted(set(extras or installed_extras())))
    _make(folder, targets, extras, origin)
    echo(f"{folder}: for {', '.join(map(str, targets))}")
    echo(f"for pipx and uv, see `{folder / PAGE}`")
    command = install_command(INSIDE, extras)
    echo(f"on the other machine, in the folder `{folder.name}`: {command}")
    return CommandReport(
        {
            "folder": str(folder.absolute()),
            "targets": [
                {"platform": target.platform.key, "python": target.python}
                for target in targets
            ],
            "extras": list(extras),
            "files": sorted(path.name for path in folder.iterdir()),
        }
    )


def _must_be_possible(folder: Path, pythons: tuple[str, ...]) -> None:
    for python in pythons:
        if not PYTHON.fullmatch(python):
            raise click.UsageError(f"`{python}` is not a version like 3.11")
    if not VERSION:
        raise CommandError("a source checkout belongs to no release", hint=COLLECT)
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not is_empty:
        raise CommandError(
            f"`{folder}` already exists", hint="name a new or an empty folder"
        )


def _make(
    folder: Path, targets: list[BundleTarget], extras: tuple[str, ...], origin: str | None
) -> None:
    """Make the bundle next to its place, and move it there when it is whole."""
    from leanspec_launcher.manage.fetch import manifest
    from leanspec_launcher.manage.fetch.transfer import place_of

    from .bundle import download, write

    parent = folder.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=".lean-spec-") as work:
            new = Path(work, "bundle")
            new.mkdir()
            for target in targets:
                echo(f"downloading for {target}", err=True)
                download(target, extras, new, Path(work))
            if KEYS:
                place = place_of(origin or FILES.format(version=VERSION))
                manifest.save_to(new, VERSION, place)
            write(new, extras, targets)
            new.replace(folder)
    except OSError as error:
        reason = error.strerror or error
        raise CommandError(
            f"`{folder}` cannot be written: {reason}", hint="name another folder"
        ) from None

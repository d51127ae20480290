"""Command line of `bundle`."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leanspec_launcher._pins import FILES, KEYS, VERSION
from leanspec_launcher._tables import FAMILIES, PLATFORMS, current
from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.table import COLLECT
from leanspec_launcher.manage import options

if TYPE_CHECKING:
    from .download import Target

EXTRAS = sorted(
    {family.extra for family in FAMILIES.values() if family.extra} | {"download"}
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
    help="A kind of machine; several times for several. Default: this one.",
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="3.X",
    help=f"A version of Python on it; several times for several. Default: {OWN_PYTHON}.",
)
@click.option(
    "--extra",
    "extras",
    type=click.Choice(EXTRAS),
    multiple=True,
    help="What comes with it.",
)
@options.place("Where the signed manifest is, if not on GitHub.")
def command(
    folder: Path,
    platforms: tuple[str, ...],
    pythons: tuple[str, ...],
    extras: tuple[str, ...],
    origin: str | None,
) -> int:
    """Make a folder to install from without a network.

    Downloads the wheels of LeanSpec and of what it needs with pip, from its index, verifies them
    against the checksums of this release, and makes the folder an index of its own, which pip, uv
    and pipx install from. A README.md in it has the commands.

    \b
    Examples:
      leanspec-launcher bundle lean-spec-bundle
      leanspec-launcher bundle out --platform linux-x64 --python 3.11 --python 3.12 --extra ui
    """
    from leanspec_launcher.manage.fetch.entries import pinned_wheel

    from .download import Target, families
    from .write import PAGE

    if not VERSION:
        raise CommandError("a source checkout belongs to no release", hint=COLLECT)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CommandError(f"`{folder}` is there already", hint="name a folder that is not")
    for python in pythons:
        if not PYTHON.fullmatch(python):
            raise click.UsageError(f"`{python}` is not a version like 3.11")
    own = current()
    keys = platforms or ((own.key,) if own else ())
    chosen = [PLATFORMS[key] for key in dict.fromkeys(keys)]
    for platform in chosen:
        for family in families(extras):
            pinned_wheel(family, platform)
    targets = [
        Target(platform, python)
        for platform in chosen
        for python in dict.fromkeys(pythons or (OWN_PYTHON,))
    ]
    _make(folder, targets, tuple(sorted(set(extras))), origin)
    click.echo(f"{folder}: for {_shown(targets)}; see {folder / PAGE}")
    return 0


def _make(
    folder: Path, targets: list[Target], extras: tuple[str, ...], origin: str | None
) -> None:
    """Make the bundle next to its place, and move it there when it is whole."""
    from .download import download, verify
    from .write import write

    parent = folder.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=".lean-spec-") as made:
            new = Path(made, "bundle")
            new.mkdir()
            for target in targets:
                about = f"Python {target.python} on {target.platform.label}"
                click.echo(f"downloading for {about}", err=True)
                download(target, extras, new)
            verify(new, extras, [target.platform for target in targets])
            _add_manifest(new, origin)
            write(new, extras, _shown(targets))
            new.replace(folder)
    except OSError as error:
        reason = error.strerror or error
        raise CommandError(
            f"`{folder}` cannot be written: {reason}", hint="name another folder"
        ) from None


def _add_manifest(folder: Path, origin: str | None) -> None:
    """Add the release's signed manifest, if the release has a key."""
    if not KEYS:
        click.echo(
            "this release has no signing key, so the bundle has no manifest", err=True
        )
        return
    from leanspec_launcher.manage.fetch import manifest
    from leanspec_launcher.manage.fetch.transfer import place_of

    manifest.save_to(folder, VERSION, place_of(origin or FILES.format(version=VERSION)))


def _shown(targets: list[Target]) -> str:
    return ", ".join(f"Python {each.python} on {each.platform.label}" for each in targets)

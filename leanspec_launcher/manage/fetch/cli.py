"""Command line of `fetch`."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import click

from leanspec_launcher._pins import FILES, VERSION
from leanspec_launcher._release import is_version
from leanspec_launcher._search import first_place
from leanspec_launcher._tables import FAMILIES, PLATFORMS, Family, Platform, current
from leanspec_launcher.commands import CommandError, echo
from leanspec_launcher.installers.records import distribution
from leanspec_launcher.installers.table import COLLECT
from leanspec_launcher.manage import options

from .entries import (
    Entry,
    Wanted,
    entries,
    existing_store,
    fetch,
    pinned_wheel,
    prune,
    store_folder,
)
from .transfer import place_of, shown


@click.command(name="fetch")
@options.family
@options.place("A folder or URL that holds the release's files.")
@click.option("--version", metavar="V", help="Another release, by its signed manifest.")
@click.option("--list", "listed", is_flag=True, help="Show what is in the store.")
@click.option(
    "--prune", "pruned", is_flag=True, help="Remove what no release of yours uses."
)
@options.dry_run
@options.json_array("binary")
def command(  # noqa: PLR0913 - one parameter per option
    family: str | None,
    origin: str | None,
    version: str | None,
    *,
    listed: bool,
    pruned: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Download binaries where no installer can.

    Fetches this release's wheels for this machine, verifies them, and unpacks them into a folder
    of yours, where a start looks if no binary is installed. FAMILY is cli, mcp or http. Default:
    those that are installed or should be. Needs the extra `download`, except from a folder.

    With --version, fetches another release for comparison. It is not installed: its path is
    printed, for `LEANSPEC_CLI_BINARY` and its siblings.

    \b
    Examples:
      leanspec-launcher fetch
      leanspec-launcher fetch mcp --from /media/usb/lean-spec
      leanspec-launcher fetch cli --version 0.3.1
      leanspec-launcher fetch --list
      leanspec-launcher fetch --prune
    """
    if (listed and pruned) or ((listed or pruned) and (family or origin or version)):
        raise click.UsageError("`--list` and `--prune` take nothing else but `--json`")
    if listed:
        _print_entries(entries(existing_store()), as_json=as_json)
        return 0
    if not VERSION:
        raise CommandError("a source checkout belongs to no release", hint=COLLECT)
    if pruned:
        _print_removed(prune(dry_run=dry_run), dry_run=dry_run, as_json=as_json)
        return 0
    if version is not None and not is_version(version):
        raise click.UsageError(f"`{version}` is not the version of a release")
    other = version if version != VERSION else None
    families = [FAMILIES[family]] if family else _usual()
    fetched: list[Entry] = []
    for each in families:
        wanted = _wanted(each, origin, other)
        if dry_run:
            place = shown(wanted.place)
            echo(f"{each.name}: `{wanted.wheel.name}` would be fetched from `{place}`")
            continue
        fetched.append(_fetch(wanted))
        if not as_json:
            echo(f"{each.name}: {fetched[-1].program}")
    if as_json:
        options.print_json([entry.as_json() for entry in fetched])
    return 0


def _usual() -> list[Family]:
    """Return the families that this installation has, or should have."""
    return [
        family
        for family in FAMILIES.values()
        if not family.extra or distribution(family.distribution) is not None
    ]


def _wanted(family: Family, origin: str | None, version: str | None) -> Wanted:
    """Return which wheel to fetch, and the place where it is."""
    platform = _platform()
    place = place_of(origin or FILES.format(version=version or VERSION))
    if version is None:
        wheel = pinned_wheel(family, platform)
    else:
        from . import manifest

        wheel = manifest.wheel_of(version, family, platform, place, store_folder())
    return Wanted(wheel, family, platform, place)


def _fetch(wanted: Wanted) -> Entry:
    entry = _with_progress(wanted)
    first = first_place(wanted.family, wanted.platform)
    if first is None or first.path != str(entry.program):
        # An installed binary comes before the store, even a damaged one.
        from leanspec_launcher.installers import words

        assignment = f"{wanted.family.variable}={entry.program}"
        echo(f"hint: {words.shown([['export', assignment]])}", err=True)
    return entry


def _with_progress(wanted: Wanted) -> Entry:
    """Fetch a wheel, with a bar if a person is watching."""
    wheel = wanted.wheel
    say = functools.partial(echo, err=True)
    if not sys.stderr.isatty():
        return fetch(wanted, say)
    with click.progressbar(length=wheel.size, label=wheel.name, file=sys.stderr) as bar:
        # Another attempt begins again, so a step may be backwards.
        return fetch(wanted, say, lambda arrived: bar.update(arrived - bar.pos))


def _platform() -> Platform:
    platform = current()
    if platform is None:
        names = ", ".join(each.label for each in PLATFORMS.values())
        raise CommandError(
            "LeanSpec has no binaries for this machine", hint=f"there are some for {names}"
        )
    return platform


def _print_entries(found: list[Entry], *, as_json: bool) -> None:
    if as_json:
        options.print_json([entry.as_json() for entry in found])
        return
    for entry in found:
        use = "this release" if entry.is_pinned else "another release"
        echo(f"{entry.family.name:4} {entry.name} ({use}): {entry.program}")
    if not found:
        echo("nothing was fetched")


def _print_removed(folders: list[Path], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        options.print_json([str(folder) for folder in folders])
        return
    done = "would be removed" if dry_run else "removed"
    for folder in folders:
        echo(f"{folder}: {done}")
    if not folders:
        echo("nothing to remove")

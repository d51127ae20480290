"""Command line of `fetch`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from leanspec_launcher._pins import FILES, VERSION
from leanspec_launcher._release import is_version
from leanspec_launcher._search import LOCAL, VARIABLE, Start
from leanspec_launcher._tables import (
    DIRECTORY_VARIABLE,
    PLATFORMS,
    PROGRAMS,
    Program,
    current,
)
from leanspec_launcher.commands import CommandError, echo, say_hint, tell
from leanspec_launcher.installers.records import is_left_out
from leanspec_launcher.installers.table import COLLECT
from leanspec_launcher.manage import options
from leanspec_launcher.manage.options import CommandReport

from .entries import (
    StoredWheel,
    WheelRequest,
    entries,
    existing_store,
    fetch,
    pinned_wheel,
    prune,
    store_folder,
)
from .transfer import place_of, shown


@click.command(name="fetch")
@options.program
@options.place("A folder or URL that contains the release's files.")
@click.option(
    "--version", metavar="V", help="Fetch another release, verified by its signed manifest."
)
@click.option("--list", "listed", is_flag=True, help="List the downloaded binaries.")
@click.option(
    "--prune", "pruned", is_flag=True, help="Remove binaries that no installation uses."
)
@options.dry_run
@options.report("binaries", "removed")
def command(
    program: str | None,
    origin: str | None,
    version: str | None,
    *,
    listed: bool,
    pruned: bool,
    dry_run: bool,
) -> CommandReport:
    """Download binaries if no installer can.

    Fetches this release's wheels for this machine, verifies them, and unpacks them into your
    data folder, which each command searches if its binary is not installed. PROGRAM is cli, mcp or
    http, or one of its commands. Default: those that are installed or should be. Needs the extra `download`, except
    from a folder.

    With --version, fetches another release for comparison. It is not installed, and no command
    starts it: its path is printed.

    \b
    Examples:
      leanspec-launcher fetch
      leanspec-launcher fetch mcp --from /media/usb/lean-spec
      leanspec-launcher fetch cli --version 0.3.1
      leanspec-launcher fetch --list
      leanspec-launcher fetch --prune
    """
    if (listed and pruned) or ((listed or pruned) and (program or origin or version)):
        raise click.UsageError(
            "`--list` and `--prune` exclude PROGRAM, `--from`, `--version` and each other"
        )
    if version is not None and not is_version(version):
        raise click.UsageError(f"`{version}` is not the version of a release")
    if listed:
        stored = entries(existing_store())
        _print_entries(stored)
        return _report(stored)
    if not VERSION:
        raise CommandError("a source checkout belongs to no release", hint=COLLECT)
    if pruned:
        folders = prune(dry_run=dry_run)
        _print_removed(folders, "would be removed" if dry_run else "removed")
        return _report(removed=folders)
    programs = [row for row in PROGRAMS.values() if not is_left_out(row)]
    if program:
        programs = [PROGRAMS[program]]
    other = version if version != VERSION else None
    return _report(_fetch_all(programs, origin, other, dry_run=dry_run))


def _fetch_all(
    programs: list[Program], origin: str | None, version: str | None, *, dry_run: bool
) -> list[StoredWheel]:
    """Fetch the wheel of each program; a dry run fetches none."""
    binaries = []
    for program in programs:
        request = _request(program, origin, version)
        if dry_run:
            place = shown(request.place)
            echo(f"{program.name}: `{request.wheel.name}` would be fetched from `{place}`")
            continue
        entry = _with_progress(request)
        binaries.append(entry)
        echo(f"{program.name}: {entry.binary}")
        _warn_if_not_started(request, entry, version)
    return binaries


def _report(
    binaries: Sequence[StoredWheel] = (), removed: Sequence[Path] = ()
) -> CommandReport:
    return CommandReport(
        {
            "binaries": [entry.as_json() for entry in binaries],
            "removed": [str(folder) for folder in removed],
        }
    )


def _request(program: Program, origin: str | None, version: str | None) -> WheelRequest:
    """Return which wheel to fetch, and the place where it is."""
    platform = current()
    if platform is None:
        names = ", ".join(name.label for name in PLATFORMS.values())
        raise CommandError(
            "LeanSpec has no binaries for this machine", hint=f"it has binaries for {names}"
        )
    place = place_of(origin or FILES.format(version=version or VERSION))
    if version is None:
        wheel = pinned_wheel(program, platform)
    else:
        from . import manifest

        wheel = manifest.wheel_of(version, program, platform, place, store_folder())
    return WheelRequest(wheel, program, platform, place)


def _warn_if_not_started(
    request: WheelRequest, entry: StoredWheel, version: str | None
) -> None:
    """Say what is started in place of a fetched binary. What a variable names is not verified: none is advised."""
    if version:
        reason = f"this lean-spec is {VERSION}"
        tell("note: ", f"no command starts it, because {reason}", fg="yellow")
        say_hint(f"leanspec-launcher update --version {version}")
        return
    from leanspec_launcher.explain.verdicts import Outcome, deciding, verdicts

    # Even a damaged one comes before the store.
    first = deciding(verdicts(Start(request.program)))
    if first is None or first.path == str(entry.binary):
        return
    variables = {VARIABLE: request.program.variable, LOCAL: DIRECTORY_VARIABLE}
    tell("note: ", f"`{first.path}` comes first: {first.reason}", fg="yellow")
    if first.origin in variables:
        say_hint(f"unset {variables[first.origin]}")
    elif first.outcome is Outcome.REFUSED:
        say_hint(f"remove `{first.path}`: then the fetched binary is verified and started")


def _with_progress(request: WheelRequest) -> StoredWheel:
    """Fetch a wheel, with a bar if a person is watching."""
    wheel = request.wheel
    say = functools.partial(echo, err=True)
    if not sys.stderr.isatty():
        return fetch(request, say)
    with click.progressbar(length=wheel.size, label=wheel.name, file=sys.stderr) as bar:
        # Another attempt begins again, so a step may be backwards.
        return fetch(request, say, lambda arrived: bar.update(arrived - bar.pos))


def _print_entries(binaries: list[StoredWheel]) -> None:
    for entry in binaries:
        use = "this release" if entry.is_pinned else "another release"
        echo(f"{entry.program.name:4} {entry.name} ({use}): {entry.binary}")
    if not binaries:
        echo("nothing was fetched")


def _print_removed(folders: list[Path], result: str) -> None:
    for folder in folders:
        echo(f"{folder}: {result}")
    if not folders:
        echo("nothing to remove")

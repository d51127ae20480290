"""The command lines of `wheels`, `rebuild-check` and `inspect`. No logic."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from leanspec_launcher.commands import FAILURE
from scripts.options import (
    BINARIES_OPTION,
    FAMILY_OPTION,
    OUT_OPTION,
    PLATFORM_OPTION,
    REPAIRS,
)
from scripts.tools.table import aligned


@click.command()
@FAMILY_OPTION
@PLATFORM_OPTION
@BINARIES_OPTION
@OUT_OPTION
@click.option(
    "--repair", type=REPAIRS, help="Graft foreign libraries into wheels that need it."
)
def wheels(
    families: tuple[str, ...],
    platforms: tuple[str, ...],
    binaries: Path,
    out: Path,
    repair: str | None,
) -> None:
    """Build wheels from the collected binaries.

    Builds one platform wheel per binary, with a tag derived from the binary's own bytes; one stub
    per program, which is installed if no platform wheel matches; and lean-spec with the checksums
    of these binaries. Prints the path of each file.

    \b
    Examples:
      python -m scripts wheels
      python -m scripts wheels --family mcp --platform linux-x64 --out /tmp/dist
      python -m scripts wheels --repair auditwheel
    """
    from .build import build_wheels

    for path in build_wheels(binaries, out, families, platforms, repair):
        click.echo(path)


@click.command(name="rebuild-check")
@click.argument("dist", type=click.Path(exists=True, file_okay=False, path_type=Path))
@BINARIES_OPTION
@click.option(
    "--repair", type=REPAIRS, help="The repair that the wheels in DIST were built with."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON array, one object per file."
)
def rebuild_check(dist: Path, binaries: Path, repair: str | None, *, as_json: bool) -> int:
    """Rebuild the wheels in DIST and compare every byte.

    They are rebuilt in a different environment. Exits with 1 if a file differs or is missing on
    one side.

    \b
    Example:
      python -m scripts rebuild-check dist/
    """
    from .rebuild import rebuild_check as compare

    found = compare(dist, binaries, repair)
    if as_json:
        click.echo(
            json.dumps(
                [dataclasses.asdict(each) | {"same": each.same} for each in found], indent=2
            )
        )
    else:
        table = []
        for each in found:
            mark = click.style("different", fg="red")
            if each.same:
                mark = click.style("same", fg="green")
            table.append([mark, (each.present or "not there")[:16], each.name])
        click.echo("\n".join(aligned(table)))
    return 0 if all(each.same for each in found) else FAILURE


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON array, one object per file."
)
def inspect(files: tuple[Path, ...], *, as_json: bool) -> int:
    """Inspect executables and wheels, and check their tags.

    For a wheel, shows each executable in it, and whether the tags in its name are true, too strict
    or too loose. Exits with 1 if one is too loose: the wheel would be installed on systems on
    which the executable cannot start.

    \b
    Examples:
      python -m scripts inspect dist/*.whl
      python -m scripts inspect /usr/bin/true --json
    """
    from leanspec_build.__main__ import main

    options = ["--json"] if as_json else []
    return main(["inspect", *options, "--", *map(str, files)])


COMMANDS = (wheels, rebuild_check, inspect)

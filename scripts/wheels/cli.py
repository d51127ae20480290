"""The command lines of `wheels` and `inspect`. No logic."""

from pathlib import Path

import click

from leanspec_launcher._say import say
from leanspec_launcher.commands import FAILURE, echo_text
from scripts.options import (
    BINARIES_OPTION,
    OUT_OPTION,
    PLATFORM_OPTION,
    PROGRAM_OPTION,
    REPAIRS,
    json_option,
    print_json,
)
from scripts.tools.reasons import quoted


@click.command()
@PROGRAM_OPTION
@PLATFORM_OPTION
@BINARIES_OPTION
@OUT_OPTION
@click.option(
    "--repair", type=REPAIRS, help="Copy foreign libraries into wheels that need them."
)
def wheels(
    programs: tuple[str, ...],
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
      python3 -m scripts wheels
      python3 -m scripts wheels --program mcp --platform linux-x64 --out /tmp/dist
      python3 -m scripts wheels --repair auditwheel
    """
    from .build import build_wheels

    files = build_wheels(binaries, out, programs, platforms, repair)
    for path in files:
        click.echo(path)
    others = {*out.glob("*.whl"), *out.glob("*.tar.gz")}.difference(files)
    if others:
        names = quoted(path.name for path in sorted(others))
        say(f"note: `{out}` also contains {names}, which this run did not build")


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@json_option("file")
def inspect(files: tuple[Path, ...], *, as_json: bool) -> int:
    """Inspect executables and wheels, and check their tags.

    For a wheel, shows each executable in it, and whether the tags in its name are true, too strict
    or too loose. Exits with 1 if one is too loose: the wheel would be installed on systems on
    which the executable cannot start.

    \b
    Examples:
      python3 -m scripts inspect dist/*.whl
      python3 -m scripts inspect /usr/bin/true --json
    """
    from leanspec_build.inspection import as_objects, lines

    from .inspection import inspect_files

    inspections, error = inspect_files(files)
    if as_json:
        print_json("file", as_objects(inspections))
    else:
        for inspection in inspections:
            echo_text("\n".join(lines(inspection)))
    if error:
        raise error
    is_loose = any(inspection.promises_too_much for inspection in inspections)
    return FAILURE if is_loose else 0


COMMANDS = (wheels, inspect)

"""The command lines of the proofs. No logic."""

from __future__ import annotations

import dataclasses
import json
import time

import click

from leanspec_launcher.commands import FAILURE
from scripts.tools.table import aligned


@click.command()
@click.option("--faults", is_flag=True, help="Simulate every failure of an index instead.")
@click.option(
    "--only",
    metavar="WORDS",
    default="",
    help="With --faults: only those whose name contains WORDS.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON array, one object per scene."
)
def rehearse(only: str, *, faults: bool, as_json: bool) -> int:
    """Rehearse a release on a local index server.

    It runs in a copy of the project: nothing in this tree is changed.

    Builds, publishes, installs with pip, pipx, uv tool and uvx, runs, upgrades and uninstalls. With
    --faults, simulates rejected and dropped uploads, stale listings, wrong bytes and outages, and
    kills the publisher at each step. Exits with 1 if a scene does not end as it should.

    \b
    Examples:
      python -m scripts rehearse
      python -m scripts rehearse --faults --only SIGKILL
    """
    from .rehearsal.rehearse import rehearse as play

    started = time.monotonic()
    rows = play(with_faults=faults, only=only)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
    else:
        table = []
        for row in rows:
            mark = (
                click.style("✓", fg="green") if row.passed else click.style("✗", fg="red")
            )
            table.append(
                [f"{mark} {row.what}", f"{row.seconds:5.1f} s", row.state, row.saw]
            )
        click.echo("\n".join(aligned(table)))
        failed = sum(not row.passed for row in rows)
        total = time.monotonic() - started
        click.echo(
            f"{len(rows) - failed} of {len(rows)} scenes ended as they should, in {total:.0f} s"
        )
    return FAILURE if any(not row.passed for row in rows) else 0


COMMANDS = (rehearse,)

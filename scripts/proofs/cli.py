"""The command lines of the proofs. No logic."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import click

from leanspec_launcher.commands import FAILURE
from scripts.tools.table import aligned


@click.command()
@click.argument("chosen", required=False, metavar="[WORDS]")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON array, one object per case."
)
def contract(chosen: str | None, *, as_json: bool) -> int:
    """Compare launching a program with starting it directly.

    A probe that records its arguments, environment, signals and limits is packaged as a
    release, then run directly, by our launcher, by the project's npm wrapper and by a typical
    `subprocess` shim. Exits with 1 if our launcher shows a difference that could have been
    avoided. WORDS selects the cases whose area or name contains them.

    \b
    Examples:
      python -m scripts contract
      python -m scripts contract signals
    """
    from .contract.release import Start
    from .contract.table import SAME, measure

    rows = measure(chosen)
    if as_json:
        click.echo(
            json.dumps(
                [dataclasses.asdict(row) | {"kept": row.kept} for row in rows], indent=2
            )
        )
    else:
        others = rows[0].others if rows else ()
        table = [["case", "direct", *others]]
        for row in rows:
            remark = f"({row.unknowable})" if row.unknowable else ""
            table.append(
                [f"{row.area}: {row.case}", row.direct, *row.others.values(), remark]
            )
        click.echo("\n".join(aligned(table)))
        same = sum(row.others[Start.OURS] == SAME for row in rows)
        click.echo(f"{same} of {len(rows)} cases are the same through the launcher")
    return 0 if rows and all(row.kept for row in rows) else FAILURE


@click.command()
@click.option(
    "--rounds",
    type=click.IntRange(2, 10_000),
    default=200,
    show_default=True,
    help="Number of starts per row.",
)
@click.option(
    "--json",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every number to FILE.",
)
@click.option("--docs", is_flag=True, help="Write the table and the plot into docs/.")
def bench(rounds: int, file: Path | None, *, docs: bool) -> None:
    """Measure what a start costs, side by side with others.

    The others are the binary itself, `python -c pass`, the project's npm wrapper and a usual shim.
    About 0.4 s per round. Run on an idle machine; background load affects all rows equally.

    \b
    Examples:
      python -m scripts bench
      python -m scripts bench --rounds 500 --json bench.json --docs
    """
    from .bench.measuring import measure
    from .bench.report import as_json, table, write_docs

    report = measure(rounds)
    click.echo(table(report), nl=False)
    if file:
        file.write_text(as_json(report), "utf-8")
    if docs:
        write_docs(report)


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


@click.command()
@click.option("--docs", is_flag=True, help="Write the tables into docs/programs.md.")
def repack(*, docs: bool) -> int:
    """Build other projects' programs, and compare.

    Takes the programs out of fourteen projects' published wheels, for every machine, packs them
    again with the backend, compares the tags, and asks other checkers. Builds twice, installs with
    pip, uv and pipx, and runs. Then lets maturin, hatchling and go-to-wheel make wheels, too. Needs
    the index and cargo; some twenty minutes. Exits with 1 if a tag is not true, a checker objects, a
    build differs, or a program does not run.

    \b
    Examples:
      python -m scripts repack --docs
    """
    from .repack.beside import compare
    from .repack.packing import repack as pack_again
    from .repack.page import page, write_docs

    results = compare(lambda text: click.echo(text, err=True))
    rows = pack_again(lambda text: click.echo(text, err=True))
    click.echo(page(rows, results), nl=False)
    if docs:
        write_docs(rows, results)
    return FAILURE if not all(row.is_good for row in rows) else 0


COMMANDS = (contract, bench, rehearse, repack)

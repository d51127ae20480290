"""The command lines for those who work on this project. No logic."""

from __future__ import annotations

from pathlib import Path

import click

from leanspec_launcher.commands import FAILURE, CommandError
from scripts.environment import extend
from scripts.options import (
    CARGO_OPTION,
    DIST_OPTION,
    OPENSSL_OPTION,
    REPAIRS,
    json_option,
    print_rows,
)
from scripts.tools.table import aligned


@click.command()
def demo() -> None:
    """Build, install and run a real release, step by step.

    Collects the binaries of this version from npm, builds the wheels, installs them with pip and
    runs the CLI and the MCP server. Everything goes to demo/, which is replaced by each run.
    """
    from .demo import show

    show()


@click.command()
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--fast", is_flag=True, help="Run lint, type checks and the fast unit tests.")
@click.option(
    "--coverage", is_flag=True, help="Measure what the unit tests reach; 3 minutes."
)
def test(arguments: tuple[str, ...], *, fast: bool, coverage: bool) -> None:
    """Run lint, type checks and tests.

    With ARGUMENTS, run only pytest, with these arguments.

    \b
    Examples:
      python3 -m scripts test
      python3 -m scripts test --fast
      python3 -m scripts test -- tests/unit/launcher -x
      python3 -m scripts test -- -m slow
    """
    from .suite import run_fast_tests, run_tests

    if not (fast or coverage):
        run_tests(arguments)
    elif arguments:
        raise click.UsageError("`--fast` and `--coverage` take no arguments for pytest")
    elif fast and coverage:
        raise click.UsageError("choose one of `--fast` and `--coverage`")
    else:
        run_fast_tests(measured=coverage)


@click.command()
def lock() -> None:
    """Update the lock files to the newest allowed versions."""
    extend()
    from scripts.tools.lock import write_locks

    for path in write_locks():
        click.echo(path)


@click.command(name="pre-release")
@CARGO_OPTION
@OPENSSL_OPTION
@click.option("--skip-rust", is_flag=True, help="Build no binary; use the collected ones.")
@click.option("--skip-tests", is_flag=True, help="Skip the test suite; the table says so.")
@click.option("--repair", type=REPAIRS, help="Build the wheels with this repair.")
@DIST_OPTION
@json_option("step")
def pre_release(
    cargo: Path | None,
    openssl: Path | None,
    repair: str | None,
    dist: Path,
    *,
    skip_rust: bool,
    skip_tests: bool,
    as_json: bool,
) -> int:
    """Do all that a release does, except tag and upload.

    Builds this machine's programs as a release builds them, into the place of the collected ones
    (platform_wheels), collects the pages of the web UI, runs lint, types, tests and every check that
    needs no tag, and `lean-spec validate` by the installed binary. Nothing has to be committed yet.
    A check that the release plan exempts is shown as an exception, with the reason.

    \b
    Examples:
      python3 -m scripts pre-release --cargo ../leanspec/rust
      python3 -m scripts pre-release --skip-rust --repair auditwheel
    """
    from scripts.model.plan import read_plan

    if cargo is None and not skip_rust:
        raise CommandError(
            "no Cargo workspace is named to build from",
            hint="add `--cargo WORKSPACE`, or `--skip-rust` to take the collected binaries",
        )
    read_plan()
    extend()
    from .pre_release import Sources, StepState
    from .pre_release import pre_release as run_all

    workspace = None if cargo is None else Sources(cargo, openssl)
    steps = run_all(
        workspace, dist, skip_rust=skip_rust, skip_tests=skip_tests, repair=repair
    )
    if as_json:
        print_rows("step", steps)
    else:
        colours = {
            StepState.PASSED: "green",
            StepState.FAILED: "red",
            StepState.EXCEPTION: "yellow",
        }
        table = []
        for each in steps:
            state = click.style(each.state, fg=colours.get(each.state))
            table.append([state, each.name, each.detail])
        click.echo("\n".join(aligned(table)))
    return FAILURE if any(each.state is StepState.FAILED for each in steps) else 0


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
    About 1 s per round, 200 by default. Run on an idle machine; background load affects all rows equally.

    \b
    Examples:
      python3 -m scripts bench
      python3 -m scripts bench --rounds 500 --json bench.json --docs
    """
    extend()
    from .bench.measuring import measure
    from .bench.report import as_json, table, write_docs

    report = measure(rounds)
    click.echo(table(report), nl=False)
    if file:
        file.write_text(as_json(report), "utf-8")
    if docs:
        write_docs(report)


@click.command()
@click.option(
    "--only", metavar="WORDS", default="", help="Only the steps whose name contains WORDS."
)
@json_option("step")
def rehearse(only: str, *, as_json: bool) -> int:
    """Rehearse a release on a local index server.

    Runs the tests in tests/release, in copies of the project: nothing in this tree is changed.

    Builds, publishes, installs with pip, pipx, uv tool and uvx, runs, upgrades and uninstalls, and
    kills the publisher at several steps. Exits with 1 if a step fails.

    \b
    Examples:
      python3 -m scripts rehearse
      python3 -m scripts rehearse --only killed
    """
    from .rehearsal import rehearse as run
    from .rehearsal import step_names

    names = step_names()
    if not any(only in name for name in names):
        steps = ", ".join(f"`{name}`" for name in names)
        raise click.BadParameter(
            f"`{only}` is in no step; the steps are {steps}", param_hint="'--only'"
        )
    extend()
    rows = run(only)
    if as_json:
        print_rows("step", rows)
    else:
        table = [[row.step, row.outcome, f"{row.seconds:5.1f} s"] for row in rows]
        click.echo("\n".join(aligned(table)))
    return FAILURE if any(row.outcome != "passed" for row in rows) else 0


COMMANDS = (demo, test, lock, pre_release, bench, rehearse)

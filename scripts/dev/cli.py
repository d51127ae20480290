"""The command lines for those who work on this project. No logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leanspec_launcher.commands import FAILURE, CommandError
from scripts.environment import extend
from scripts.options import (
    CARGO_OPTION,
    DIST_OPTION,
    OPENSSL_OPTION,
    REPAIRS,
    flag,
    json_option,
    print_rows,
)
from scripts.tools.console import aligned
from scripts.tools.reasons import quoted

if TYPE_CHECKING:
    from .pre_release import Step


@click.command()
def demo() -> None:
    """Build, install and run a real release, step by step.

    Collects the binaries of this version from npm, builds the wheels, installs them with pip and
    runs the CLI and the MCP server. Everything goes to demo/, which is replaced by each run.
    """
    from .demo import show_release

    show_release()


@click.command()
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@flag("--fast", help="Run lint, this system's types, and the fast unit tests.")
@flag("--coverage", help="Measure the coverage of the unit tests; 3 minutes.")
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
@flag("--skip-rust", help="Build no binary; use the collected ones.")
@flag("--skip-tests", help="Skip the test suite; the table says so.")
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
            "no Cargo workspace to build from is given",
            hint="add `--cargo WORKSPACE`, or `--skip-rust` to take the collected binaries",
        )
    read_plan()
    extend()
    from . import pre_release

    workspace = None if cargo is None else pre_release.Sources(cargo, openssl)
    steps = pre_release.pre_release(
        workspace, dist, skip_rust=skip_rust, skip_tests=skip_tests, repair=repair
    )
    if as_json:
        print_rows("step", steps)
    else:
        _print_steps(steps)
    return (
        FAILURE if any(step.state is pre_release.StepState.FAILED for step in steps) else 0
    )


def _print_steps(steps: list[Step]) -> None:
    from .pre_release import StepState

    colours = {
        StepState.PASSED: "green",
        StepState.FAILED: "red",
        StepState.EXCEPTION: "yellow",
    }
    rows = [
        [click.style(step.state, fg=colours.get(step.state)), step.name, step.detail]
        for step in steps
    ]
    click.echo("\n".join(aligned(rows)))


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
@flag("--docs", help="Write the table and the plot into docs/.")
def bench(rounds: int, file: Path | None, *, docs: bool) -> None:
    """Measure what a start costs, side by side with others.

    The others are the binary itself, `python -c pass`, the project's npm wrapper and a usual shim.
    About 1 s per round, 200 by default. Run on an idle machine; background load affects all rows equally.
    Prints aligned columns on a terminal, and Markdown elsewhere.

    \b
    Examples:
      python3 -m scripts bench
      python3 -m scripts bench --rounds 500 --json bench.json --docs
    """
    extend()
    from .bench.measuring import measure
    from .bench.report import as_json, as_text, write_docs

    report = measure(rounds)
    click.echo(as_text(report, in_columns=sys.stdout.isatty()), nl=False)
    if file:
        file.write_text(as_json(report), "utf-8")
    if docs:
        write_docs(report)


@click.command()
@click.option(
    "--only",
    metavar="WORDS",
    default="",
    help="Run only the steps whose name contains WORDS.",
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
    from . import rehearsal

    names = rehearsal.step_names()
    if not any(only in name for name in names):
        text = f"no step contains `{only}`; the steps are {quoted(names)}"
        raise click.BadParameter(text, param_hint="'--only'")
    extend()
    rows = rehearsal.rehearse(only)
    if as_json:
        print_rows("step", rows)
    else:
        table = [[row.step, row.outcome, f"{row.seconds:5.1f} s"] for row in rows]
        click.echo("\n".join(aligned(table)))
    return FAILURE if any(row.outcome != "passed" for row in rows) else 0


COMMANDS = (demo, test, lock, pre_release, bench, rehearse)

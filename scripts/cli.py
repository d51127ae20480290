"""`python -m scripts`: what is asked of the maintainers' commands. No logic."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NoReturn

import click

from leanspec_launcher._tables import FAMILIES, PLATFORMS
from leanspec_launcher.manage.errors import FAILURE, Group, run_command

from .choices import BINARIES_OPTION, BUILDERS, REPAIRS
from .console import say, size
from .environment import ROOT
from .families import PROJECTS, choose_platforms, load_families
from .processes import end_on_signals
from .release.cli import COMMANDS

family_option = click.option(
    "--family",
    "families",
    type=click.Choice(list(FAMILIES)),
    multiple=True,
    help="Program to include (repeatable). Default: all.",
)
platform_option = click.option(
    "--platform",
    "platforms",
    type=click.Choice(list(PLATFORMS)),
    multiple=True,
    help="Platform to include (repeatable). Default: all.",
)
into_option = click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=PROJECTS,
    show_default="platform_wheels",
    help="Binaries directory to write.",
)
keep_option = click.option(
    "--keep",
    is_flag=True,
    help="Keep the binaries of other programs and platforms.",
)


# Where `--help` shows a command; one that is named nowhere is shown last, and a test says so.
SECTIONS = {
    "Try it": ("demo", "test"),
    "Build": ("collect", "wheels", "inspect", "rebuild-check"),
    "Measure": ("contract", "bench", "mutate"),
    "Release": ("bump", "bump-dev", "sync-versions", "pre-release", "check", "publish", "verify-release", "rehearse"),
    "What a release carries": ("attest", "release-assets", "upload-assets", "keygen", "sign", "verify-signature"),
    "Keep in step": ("matrix", "lock", "docs"),
}


class Sections(Group):
    """Show the commands by what they are for, in the order in which they are used."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section a purpose."""
        named = [name for names in SECTIONS.values() for name in names]
        rest = tuple(name for name in self.list_commands(ctx) if name not in named)
        for title, names in (SECTIONS | {"Other": rest}).items():
            width = formatter.width - 6 - max(map(len, self.commands))
            rows = [(name, self.commands[name].get_short_help_str(width)) for name in names]
            if rows:
                with formatter.section(title):
                    formatter.write_dl([(f"{name:{max(map(len, self.commands))}}", text) for name, text in rows])


@click.group(cls=Sections, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def root() -> None:
    """Build, check and release the wheels of LeanSpec.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    \b
    A first look:          python3 -m scripts demo
    The test suite:        python3 -m scripts test
    Your own build:        python -m scripts collect cargo WORKSPACE --build
                           python -m scripts wheels
    """


@root.group(cls=Group)
def collect() -> None:
    """Collect the binaries that wheels are built from.

    They go to platform_wheels/<family>/binaries/<platform>/, each with a binary.json that states
    its SHA-256, size, version and origin. Format, CPU and completeness are checked first. The
    target directory is replaced as a whole; on failure it is left unchanged.
    """


@collect.command()
@click.argument("version")
@family_option
@platform_option
@into_option
@keep_option
def npm(version: str, families: tuple[str, ...], platforms: tuple[str, ...], into: Path, *, keep: bool) -> None:
    """Collect the binaries of VERSION from npm.

    Through your own npm client, so registry, proxy and login are yours. The archive must have the sha512 integrity
    that the registry states. What the registry lacks is listed; it is an error where it was asked for with --platform.

    \b
    Examples:
      python -m scripts collect npm 0.3.0
      python -m scripts collect npm 0.3.0 --family cli --platform linux-x64
    """
    from .collect.npm import collect_npm
    from .collect.staging import staged

    with staged(into, keep=keep) as staging:
        collect_npm(version, load_families(families), choose_platforms(platforms), staging, all_wanted=bool(platforms))
    _tell_collected(into)


@collect.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--target", "targets", multiple=True, metavar="TRIPLE", help="A Rust target; may be repeated.")
@click.option("--profile", default="release", show_default=True, help="The cargo profile.")
@click.option("--build", is_flag=True, help="Run `cargo build --locked` first.")
@click.option("--builder", type=BUILDERS, help="Build the targets with this, whatever pyproject.toml says.")
@family_option
@into_option
@keep_option
def cargo(  # noqa: PLR0913 - each is one option
    workspace: Path,
    targets: tuple[str, ...],
    profile: str,
    families: tuple[str, ...],
    into: Path,
    *,
    build: bool,
    builder: str | None,
    keep: bool,
) -> None:
    """Collect the binaries of a Cargo WORKSPACE.

    From target/<triple>/<profile>/ for a named target, from target/<profile>/ for this machine where none is named.
    A family whose crate the workspace lacks is passed over, and an error where it was asked for with --family.
    A target may pin its glibc; such a one, and those that pyproject.toml says so of, is built by `cargo zigbuild`.

    \b
    Examples:
      python -m scripts collect cargo ../leanspec/rust --target x86_64-unknown-linux-gnu.2.17 --build
      python -m scripts collect cargo ../leanspec/rust --build
      python -m scripts collect cargo ../leanspec/rust --target aarch64-unknown-linux-gnu --build --keep
    """
    from .collect.cargo import collect_cargo
    from .collect.staging import staged

    with staged(into, keep=keep) as staging:
        collect_cargo(
            workspace,
            load_families(families),
            targets,
            profile,
            staging,
            all_wanted=bool(families),
            build=build,
            builder=builder,
        )
    _tell_collected(into)


@collect.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--allow-missing",
    multiple=True,
    type=click.Choice(list(PLATFORMS)),
    help="A platform that this release lacks; may be repeated.",
)
@click.option("--planned", is_flag=True, help="What the release plan says is missing may be missing.")
@family_option
@into_option
@keep_option
def artifacts(
    folder: Path, allow_missing: tuple[str, ...], families: tuple[str, ...], into: Path, *, planned: bool, keep: bool
) -> None:
    """Collect the binaries that a CI run left in DIR.

    DIR has a folder binaries-<platform>/ a platform, each with the layout of platform_wheels/, binary.json included.

    \b
    Example:
      python -m scripts collect artifacts artifacts/ --allow-missing windows-arm64
    """
    from .collect.artifacts import collect_artifacts
    from .collect.staging import staged
    from .release.plan import read_plan

    if planned:
        allow_missing += tuple(read_plan().missing)
    with staged(into, keep=keep) as staging:
        collect_artifacts(folder, load_families(families), allow_missing, staging)
    _tell_collected(into)


@collect.command()
@click.argument("folder", metavar="APPLICATION", type=click.Path(path_type=Path))
@click.option("--build", is_flag=True, help="Run `npm ci` and `npm run tauri build` first.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "artifacts/desktop",
    show_default="artifacts/desktop",
    help="The folder to put it in.",
)
def desktop(folder: Path, into: Path, *, build: bool) -> None:
    """Collect the desktop bundle of a Tauri APPLICATION.

    A Debian package, a disk image or an NSIS installer, known by its content. `release-assets` looks at it again.

    \b
    Example:
      python -m scripts collect desktop ../leanspec/packages/desktop --build
    """
    from .bundles import TITLES
    from .collect.desktop import collect_desktop

    bundle = collect_desktop(folder, into, build=build)
    stated = " ".join(filter(None, (bundle.version, bundle.cpu)))
    say(f"  {TITLES[bundle.format]} {bundle.path.name} {stated} in {into}")


def _tell_collected(into: Path) -> None:
    from .collect.staging import read_collected

    for each in read_collected(into):
        program = FAMILIES[each.family].program
        say(f"  {each.platform:14} {program:14} {each.version:10} {size(each.size):>8}  sha256 {each.sha256[:16]}…")


@root.command()
@family_option
@platform_option
@BINARIES_OPTION
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "dist",
    show_default="dist",
    help="Folder to write.",
)
@click.option("--repair", type=REPAIRS, help="Graft foreign libraries into wheels that need it.")
def wheels(
    families: tuple[str, ...], platforms: tuple[str, ...], binaries: Path, out: Path, repair: str | None
) -> None:
    """Build wheels from the collected binaries.

    A platform wheel each, its tag derived from the binary's own bytes; a stub a family, which an installer takes where
    no platform wheel fits; then lean-spec with the checksums of these binaries. Prints the path of each file built.

    \b
    Examples:
      python -m scripts wheels
      python -m scripts wheels --family mcp --platform linux-x64 --out /tmp/dist
      python -m scripts wheels --repair auditwheel
    """
    from .wheels import build_wheels

    for path in build_wheels(binaries, out, families, platforms, repair):
        click.echo(path)


@root.command(name="rebuild-check")
@click.argument("dist", type=click.Path(exists=True, file_okay=False, path_type=Path))
@BINARIES_OPTION
@click.option("--repair", type=REPAIRS, help="What the wheels in DIST were built with.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list, an object a file.")
def rebuild_check(dist: Path, binaries: Path, repair: str | None, *, as_json: bool) -> int:
    """Rebuild the wheels in DIST and compare every byte.

    They are built twice, in different surroundings.

    Exits with 1 where a file differs or is missing on one side.

    \b
    Example:
      python -m scripts rebuild-check dist/
    """
    from .rebuild import rebuild_check as compare

    found = compare(dist, binaries, repair)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) | {"same": each.same} for each in found], indent=2))
    else:
        for each in found:
            mark = click.style("same     ", fg="green") if each.same else click.style("different", fg="red")
            click.echo(f"{mark}  {(each.present or 'not there')[:16]:16}  {each.name}")
    return 0 if all(each.same for each in found) else FAILURE


@root.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list, an object a file.")
def inspect(files: tuple[Path, ...], *, as_json: bool) -> int:
    """Inspect executables and wheels, and check their tags.

    Of a wheel, it shows each executable in it, and whether the tags in its name are true, too
    strict or too loose. Exits with 1 if one is too loose: the wheel would be installed on systems
    where the executable cannot start.

    \b
    Examples:
      python -m scripts inspect dist/*.whl
      python -m scripts inspect /usr/bin/true --json
    """
    from .inspection import LOOSE, inspect_file

    reports = [inspect_file(file) for file in files]
    if as_json:
        click.echo(json.dumps([report.facts for report in reports], indent=2))
    else:
        for report in reports:
            _show(report.facts, report.notes, "")
    return FAILURE if any(report.facts.get("verdict") == LOOSE for report in reports) else 0


def _show(facts: dict[str, Any], notes: tuple[str, ...], indent: str) -> None:
    click.secho(f"{indent}{facts['file']}", bold=True)
    for key, value in facts.items():
        if key not in ("file", "executables") and value not in (None, [], {}):
            for line in value if key == "reasons" else [value]:
                text = ", ".join(map(str, line)) if isinstance(line, list) else str(line)
                click.echo(f"{indent}  {key.replace('_', ' '):14} {text}")
    for executable in facts.get("executables", []):
        _show(executable, (), f"{indent}  ")
    for note in notes:
        click.echo(f"{indent}  {'':14} {note}")


@root.command()
@click.argument("chosen", required=False, metavar="[WORDS]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list, an object a case.")
def contract(chosen: str | None, *, as_json: bool) -> int:
    """Compare launching a program with starting it directly.

    A probe that records its arguments, environment, signals and limits is packaged as a release,
    then run directly, by our launcher, by the project's npm wrapper and by a usual `subprocess`
    shim. Exits with 1 if our launcher shows a difference that could have been avoided. WORDS
    selects the cases whose area or name contains them.

    \b
    Examples:
      python -m scripts contract
      python -m scripts contract signals
    """
    from .contract.table import SAME, measure

    rows = measure(chosen)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(row) | {"kept": row.kept} for row in rows], indent=2))
    else:
        _print_table(
            ["case", "direct", *(rows[0].others if rows else ())],
            [
                [
                    f"{row.area}: {row.case}",
                    row.direct,
                    *row.others.values(),
                    f"({row.unknowable})" * bool(row.unknowable),
                ]
                for row in rows
            ],
        )
        ours = sum(1 for row in rows if set(row.others.values()) and next(iter(row.others.values())) == SAME)
        click.echo(f"{ours} of {len(rows)} cases are the same through the launcher")
    return 0 if rows and all(row.kept for row in rows) else FAILURE


@root.command()
@click.option(
    "--rounds",
    type=click.IntRange(2, 10_000),
    default=200,
    show_default=True,
    help="Number of starts per row.",
)
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write every number to FILE.")
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


def _print_table(head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, *row[len(head) :]]).rstrip())


@root.command()
def demo() -> None:
    """Build, install and run a real release, step by step.

    Collects the binaries of this version from npm, builds the wheels, installs them with pip and
    runs the CLI and the MCP server. Everything goes to demo/, which is replaced by each run.
    """
    from .demo import show

    show()


@root.command()
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run lint, type checks and tests.

    With ARGUMENTS, run only pytest, with these arguments.

    \b
    Examples:
      python3 -m scripts test
      python3 -m scripts test -- -k launcher -x
      python3 -m scripts test -- -m slow
    """
    from .check_code import run_tests

    run_tests(arguments)


@root.command()
def lock() -> None:
    """Update the lock files to the newest allowed versions."""
    from .lock import write_locks

    for path in write_locks():
        click.echo(path)


@root.command()
def docs() -> None:
    """Update the list of all messages.

    Writes docs/messages.md, with the hint of each message.
    """
    from .docs import write_pages

    for path in write_pages():
        click.echo(path)


for command in COMMANDS:
    root.add_command(command)


@root.command()
@click.argument("module", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--tests", multiple=True, metavar="PATH", help="The tests to run (repeatable). Default: those of its part."
)
@click.option(
    "--sample", type=click.IntRange(1), help="Try so many changes, chosen at random, the same ones each time."
)
@click.option("--lines", nargs=2, type=int, metavar="FIRST LAST", help="Change these lines alone.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, one object per change.")
def mutate(
    module: Path, tests: tuple[str, ...], sample: int | None, lines: tuple[int, int] | None, *, as_json: bool
) -> None:
    """Show which changes of a module no test notices.

    One small change at a time: a comparison turned round, a condition negated, an error not raised,
    a call left out. Each is followed by the module's fast tests, in a copy of the tree. What nobody
    notices is either without effect, or has no test.

    \b
    Examples:
      python -m scripts mutate leanspec_launcher/first_start/proof.py
      python -m scripts mutate scripts/release/publish.py --tests tests/scripts/test_publish.py
    """
    from .mutants import survey

    found = survey(module, tests, sample, lines or None)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=2))
        return
    missed = [each for each in found if not each.noticed]
    for each in missed:
        click.echo(f"{module}:{each.line}: `{each.before}` -> `{each.after}`")
    click.echo(f"{len(found) - len(missed)} of {len(found)} changes were noticed")


def run() -> NoReturn:
    """Run the command line. SIGTERM ends it as Ctrl-C does: children are ended, and what was half done is undone."""
    end_on_signals()
    run_command(root, "python -m scripts")

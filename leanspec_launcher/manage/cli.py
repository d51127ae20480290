"""Command line of `leanspec-launcher`, and how its answers look. No logic."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from leanspec_launcher._pins import VERSION
from leanspec_launcher._say import hanging
from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.command_line import CommandGroup
from leanspec_launcher.commands import (
    FAILURE,
    CommandError,
    echo,
    echo_sentence,
    explained,
    report,
    say_hint,
    styled,
    tell,
)
from leanspec_launcher.explain.verdicts import Outcome, described

from . import options
from .options import CommandReport
from .overview import COMMANDS
from .rows import ABSENT, BAD, GOOD, OTHER, WARNING, print_hint, print_row

if TYPE_CHECKING:
    from .doctor import ReportLine
    from .link import Command
    from .which import ProgramSearch

MARKS = {Outcome.TAKEN: GOOD, Outcome.REFUSED: BAD}
STATUS_MARKS = {
    "ok": GOOD,
    "note": OTHER,
    "absent": ABSENT,
    "warning": WARNING,
    "error": BAD,
}
# The columns in which the texts of `which` begin.
PLACES_COLUMN = 26


# These report missing commands in their own output.
REPORT_MISSING = ("doctor", "repair", "verify")


class Commands(CommandGroup):
    """The commands of this module, and those of the packages next to it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the names of all commands."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the list of commands, without an import of their packages."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        package, _ = COMMANDS.get(cmd_name, ("", ""))
        if not package:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"{__package__}.{package}.cli")
        command: click.Command = module.command
        if cmd_name == "mcp-config" and PROGRAMS["mcp"].ended:
            command.callback = _only_removing(command.callback)
        return command


def _only_removing(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """Return `mcp-config` for a release without a server: it only removes what is configured."""
    from leanspec_launcher.instead import ended

    def call(*, remove: bool, **options: object) -> Any:  # noqa: ANN401 - what click returns
        program = PROGRAMS["mcp"]
        if not remove or callback is None:
            raise CommandError(ended.reason(program), hint=ended.hint(program))
        return callback(remove=remove, **options)

    return call


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    VERSION or "(source checkout)",
    "-V",
    "--version",
    message="leanspec-launcher %(version)s",
)
@click.pass_context
def root(context: click.Context) -> None:
    """Inspect, verify and update a LeanSpec installation."""
    if context.invoked_subcommand in REPORT_MISSING:
        return
    from .missing import missing_commands, missing_hint

    for command in missing_commands():
        tell("warning: ", command.text, fg="yellow")
        say_hint(missing_hint())


@root.command()
@options.program
@options.report("programs")
def which(program: str | None) -> CommandReport:
    """Show which binaries would run, and why.

    Lists every place where a binary may be, in order, and why it is used or refused. PROGRAM is
    cli, mcp or http, or one of its commands. Default: all three. Exits with 1 if the requested
    binary cannot run; without PROGRAM, if the CLI or the MCP server cannot.

    \b
    Examples:
      leanspec-launcher which
      leanspec-launcher which leanspec-mcp --json
    """
    from .which import programs, search

    searches = list(map(search, programs(program)))
    for result in searches:
        _print_search(result)
    needed = [result for result in searches if program or not result.program.extra]
    failed = [result for result in needed if not result.binary]
    _print_hints(result.hint for result in failed)
    value = {"programs": [result.as_json() for result in searches]}
    return CommandReport(value, FAILURE if failed else 0)


def _print_search(search: ProgramSearch) -> None:
    platform = search.platform or "no build for this machine"
    echo(styled(f"{search.program.name} ({search.program.command}, {platform})", bold=True))
    for outcome, line in described(search.places):
        print_row(MARKS.get(outcome, OTHER), line, PLACES_COLUMN)
    for command in search.linked:
        text = f"`{command}` is linked: it starts the installed binary, and ignores the variables"
        print_row(WARNING, text)


def _print_hints(hints: Iterable[str]) -> None:
    """Print what to type about failures, each command once."""
    for hint in dict.fromkeys(filter(None, hints)):
        say_hint(hint)


@root.command()
@options.report("findings")
def doctor() -> CommandReport:
    """Diagnose this installation, for a bug report.

    Recomputes the checksum of every binary, asks each for its version, and performs an MCP
    handshake. Each line is ok (✓), a note (·), a warning (!), an error (✗), or about something that
    is not installed (-). The last line says whether everything works. Exits with 1 if there is an error.

    \b
    Examples:
      leanspec-launcher doctor
      leanspec-launcher doctor --json > report.json
    """
    from .doctor import errors, examine, summary

    findings = examine()
    _print_findings(findings)
    for line in hanging(summary(findings), sys.stdout):
        echo(styled(line, bold=True))
    value = {
        "works": not errors(findings),
        "findings": [finding.as_json() for finding in findings],
    }
    return CommandReport(value, FAILURE if errors(findings) else 0)


def _print_findings(findings: list[ReportLine]) -> None:
    section = ""
    width = max(len(finding.name) for finding in findings)
    column = width + 6
    for finding in findings:
        if finding.section != section:
            section = finding.section
            echo(styled(section, bold=True))
        mark = STATUS_MARKS[finding.status.value]
        print_row(mark, f"{finding.name:{width}}  {finding.value}", column)
        if finding.hint:
            print_hint(finding.hint, column)


@root.command()
@options.program
@options.report("checks")
def verify(program: str | None) -> CommandReport:
    """Recompute the checksum of each installed binary.

    Cached results are ignored. PROGRAM is cli, mcp or http, or one of its commands. Exits with 1 if
    a binary is missing, is not the one of this release, or could not be started, and if a command
    is missing.
    """
    from .repair import check_all, check_missing

    checks = [*check_all(program), *check_missing(program)]
    for check in checks:
        sha256 = f"{check.sha256[:16]:16}"
        text = f"{check.program:4} {sha256} {check.path}: {check.reason}"
        print_row(GOOD if check.good else BAD, text)
    _print_hints(check.hint for check in checks)
    is_good = all(check.good for check in checks)
    value = {"checks": [dataclasses.asdict(check) for check in checks]}
    return CommandReport(value, 0 if is_good else FAILURE)


@root.command()
@options.program
@options.place("A folder or URL to take the wheels from.")
@options.dry_run
@options.report("repaired", "failed")
def repair(program: str | None, origin: str | None, *, dry_run: bool) -> CommandReport:
    """Repair damaged or missing binaries, and missing commands.

    Reinstalls their platform wheels with the installer in use, and gives it the SHA-256 of this
    release's wheel, so that it accepts no other. Each command is shown before it is run. Intact
    binaries are not touched. If no installer can work, `fetch` downloads them.

    A command may be missing because another package had it too (leanspec-mcp, leanspec-ui) and was
    uninstalled. It is restored without an installer and without a network; on Windows, the
    installer's own command is shown.

    \b
    Examples:
      leanspec-launcher repair --dry-run
      leanspec-launcher repair mcp
      leanspec-launcher repair --from /media/usb/lean-spec
    """
    from .missing import missing_commands, restore
    from .repair import check_binaries, must_be_good, place_for_installers, repair_binary

    place = place_for_installers(origin)
    missing = missing_commands(program)
    damaged = [check for check in check_binaries(program) if not check.good]
    if not damaged and not missing:
        echo_sentence(
            "nothing to repair: every installed binary belongs to this release, and"
            " no command is missing"
        )
    repaired: list[str] = []
    failed: list[str] = []
    for command in missing:
        with _attempt(str(command.path), repaired, failed):
            if not dry_run:
                restore(command)
            result = "would be restored" if dry_run else "restored"
            echo(f"{command.path}: {result}")
    for check in damaged:
        echo(f"{check.program}: {check.reason}", err=True)
        with _attempt(check.path, repaired, failed):
            repair_binary(check, place, dry_run=dry_run)
            for good in [] if dry_run else must_be_good(check.program):
                echo(f"repaired: {good.path}")
    value = {"repaired": repaired, "failed": failed}
    return CommandReport(value, FAILURE if failed else 0)


@contextlib.contextmanager
def _attempt(path: str, repaired: list[str], failed: list[str]) -> Iterator[None]:
    """Add a path to one of two lists. One that cannot be repaired keeps no other from it."""
    try:
        yield
    except (CommandError, OSError) as error:
        report(explained(error))
        failed.append(path)
    else:
        repaired.append(path)


@root.command()
@options.dry_run
@options.report("commands")
def link(*, dry_run: bool) -> CommandReport:
    """Make the commands start without Python.

    Replaces this environment's commands with the binaries. Each binary is verified in full, then
    takes the place of the script that starts it, as a hard link or a copy. A binary that needs the
    libraries in its wheel stays there, and its command becomes a shell script that starts it. From
    then on, nothing verifies a binary at its start; `doctor` and `verify` still do. The launcher's
    own features are missing, too: `leanspec-mcp --version` and `--help`, the refusal to start in
    the home folder, and `lean-spec ui` with the installed pages (`leanspec-ui` still has them).

    Undone by `unlink`, and by installing, upgrading or uninstalling lean-spec.
    """
    from .link import link_all

    result = "would be linked" if dry_run else "linked"
    return _report_on(link_all(dry_run=dry_run), result, "nothing to link")


@root.command()
@options.dry_run
@options.report("commands")
def unlink(*, dry_run: bool) -> CommandReport:
    """Restore the commands that `link` replaced.

    The scripts are restored byte for byte as the installer wrote them.
    """
    from .link import unlink_all

    result = "would be a script again" if dry_run else "is a script again"
    return _report_on(unlink_all(dry_run=dry_run), result, "nothing is linked")


def _report_on(commands: list[Command], result: str, nothing: str) -> CommandReport:
    for command in commands:
        echo(f"{command.path}: {result}")
    if not commands:
        echo(nothing)
    objects = [
        {"program": command.program.name, "path": str(command.path)} for command in commands
    ]
    return CommandReport({"commands": objects})

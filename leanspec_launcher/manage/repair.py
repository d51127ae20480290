"""Verification of every installed binary, and repair of those that are missing or damaged."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from leanspec_launcher._search import Start
from leanspec_launcher._tables import DIRECTORY_VARIABLE, PROGRAMS
from leanspec_launcher.commands import CommandError, echo, styled
from leanspec_launcher.explain import hints
from leanspec_launcher.explain.verdicts import Outcome, deciding, verdicts
from leanspec_launcher.installers import reinstall
from leanspec_launcher.installers.detect import program_on_path
from leanspec_launcher.installers.records import is_left_out
from leanspec_launcher.installers.table import in_use
from leanspec_launcher.installers.words import shown
from leanspec_launcher.processes import run_on_terminal

from . import link
from .fetch.transfer import place_of
from .fetch.transfer import shown as shown_url
from .missing import missing_commands, missing_hint
from .which import programs

INSTALL_SECONDS = 1800
NOT_REPAIRED = "`{}` cannot be repaired by reinstalling it"
# The file of requirements that names a hash.
REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True)
class Check:
    """Result of a full verification of one file."""

    program: str
    path: str
    good: bool
    reason: str
    sha256: str = ""
    # What to type about it.
    hint: str = ""


def check_all(name: str | None) -> list[Check]:
    """Verify every installed binary in full, and every command that was linked to one."""
    bad = (link.LinkState.DEAD, link.LinkState.FOREIGN)
    checks = check_binaries(name)
    for command in link.commands_if_recorded():
        if command.state in bad and name in (None, command.program.name):
            check = Check(
                program=command.program.name,
                path=str(command.path),
                good=False,
                reason=f"it is {command.state.value}",
                hint=link.hint_of(command),
            )
            checks.append(check)
    return checks


def check_missing(name: str | None) -> list[Check]:
    """Return the commands that are missing."""
    return [
        Check(
            program=command.program,
            path=str(command.path),
            good=False,
            reason="it is missing",
            hint=missing_hint(),
        )
        for command in missing_commands(name)
    ]


def check_binaries(name: str | None) -> list[Check]:
    """Verify the binary of one program, or every one that is installed or should be."""
    checks = []
    for program in programs(name):
        start = Start(program)
        first = deciding(verdicts(start))
        check = Check(
            program=program.name,
            path=program.command,
            good=False,
            reason="it is not installed",
            hint=hints.hint_of(start, first),
        )
        if first is not None:
            check = replace(
                check,
                path=first.path,
                good=first.outcome is Outcome.TAKEN and first.refusal is None,
                reason=first.reason,
                sha256=first.sha256,
            )
        if first or name or not is_left_out(program):
            checks.append(check)
    return checks


def place_for_installers(origin: str | None) -> str:
    """Return a place of wheels as installers are told it, who start in another folder; empty for none.

    Raises CommandError if it is neither a folder nor a URL, or has a password, which other users of
    this machine would see among the arguments.
    """
    if not origin:
        return ""
    place = place_of(origin)
    if "@" in urlsplit(place).netloc:
        raise CommandError(
            f"`{shown_url(place)}` has a password, which other users would see in a command",
            hint="put user and password into `~/.netrc`, which installers read",
        )
    return place


def repair_binary(check: Check, place: str, *, dry_run: bool) -> None:
    """Reinstall a binary from the installer's own index, or from a place, until it is good.

    By commands that name a hash, or else by those without. Raises CommandError if none would bring
    it back.
    """
    program = PROGRAMS[check.program]
    for variable, use in ((program.variable, "names"), (DIRECTORY_VARIABLE, "leads to")):
        if os.environ.get(variable):
            raise CommandError(
                NOT_REPAIRED.format(check.path), hint=f"`unset {variable}`, which {use} it"
            )
    with tempfile.TemporaryDirectory() as folder:
        # The commands of a dry run name a file that the reader makes.
        file = Path(REQUIREMENTS) if dry_run else Path(folder, REQUIREMENTS)
        steps = reinstall.by_hash(program, place, str(file))
        if not steps:
            steps = commands(check, place)
        else:
            echo(f"# {file}: {reinstall.requirement(program)}", err=True)
        if not dry_run:
            file.write_text(f"{reinstall.requirement(program)}\n", "utf-8")
        _run_until_good(steps, check, dry_run=dry_run)


def commands(check: Check, place: str) -> list[list[str]]:
    """Return the installer's commands that bring a binary back, without a hash: one after the other.

    Raises CommandError if no command of an installer would, or if it would remove this very
    environment.
    """
    program = PROGRAMS[check.program]
    reason, hint = NOT_REPAIRED.format(check.path), reinstall.hint(program)
    steps = reinstall.commands(program)
    if not steps:
        raise CommandError(reason, hint=hint)
    # uvx and its like would remove the folder that this process runs from.
    if in_use().server:
        text = f"{reason} from inside: it runs from a cache of its installer"
        raise CommandError(text, hint=hint)
    if place:
        raise CommandError(
            "this installer cannot be told where to take a wheel from",
            hint=shown([["leanspec-launcher", "fetch", check.program, "--from", place]]),
        )
    return [step for step in (reinstall.refresh(program), *steps) if step]


def _run_until_good(steps: list[list[str]], check: Check, *, dry_run: bool) -> None:
    """Run one command after the other until the binary is good; the last one may not fail."""
    for step in steps:
        echo(styled(f"$ {shown([step])}", bold=True), err=True)
        if dry_run:
            continue
        try:
            run_installer(step)
        except CommandError:
            if step is steps[-1]:
                raise
        if all(result.good for result in check_all(check.program)):
            return


def with_path(command: list[str]) -> list[str]:
    """Return a command with the path of its program. Raises CommandError if there is none."""
    path = program_on_path(command[0])
    if path is None:
        raise CommandError(f"`{command[0]}` is not on the path", hint=shown([command]))
    return [path, *command[1:]]


def run_installer(command: list[str]) -> None:
    """Run one command of an installer, with its own words on the terminal.

    Raises CommandError if there is no such program, or if it fails.
    """
    try:
        exit_code = run_on_terminal(with_path(command), seconds=INSTALL_SECONDS)
    except OSError as error:
        raise CommandError(str(error), hint=shown([command])) from None
    if exit_code != 0:
        text = f"`{shown([command])}` failed (exit code {exit_code})"
        raise CommandError(text, hint="see its output above, fix that and try again")


def must_be_good(name: str) -> list[Check]:
    """Verify a program again. Raises CommandError if it is still bad."""
    checks = check_all(name)
    for check in checks:
        if not check.good:
            raise CommandError(
                f"`{check.path}` is still invalid after reinstalling: {check.reason}",
                hint="see `leanspec-launcher doctor`",
            )
    return checks

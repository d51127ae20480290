"""What the management commands do. Nothing in here prints."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from leanspec_launcher._tables import DIRECTORY_VARIABLE, FAMILIES, Family, current
from leanspec_launcher.commands import CommandError
from leanspec_launcher.explain.verdicts import Outcome, Verdict, deciding, verdicts
from leanspec_launcher.installers import detect, remedy
from leanspec_launcher.installers.detect import Installer
from leanspec_launcher.installers.records import distribution

from . import links

NOT_REPAIRED = "`{}` cannot be repaired by reinstalling it"
# What the requirements that name a hash are written to.
REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True)
class Search:
    """Where a family's binary was looked for, and what that led to."""

    family: Family
    platform: str | None
    taken: str | None
    places: list[Verdict]
    # Commands that start a linked binary, whatever the places say.
    linked: list[str]

    def as_json(self) -> dict[str, object]:
        """Return what `which --json` prints of it."""
        return {
            "family": self.family.name,
            "platform": self.platform,
            "taken": self.taken,
            "linked": self.linked,
            "places": [_as_json(place) for place in self.places],
        }


def _as_json(place: Verdict) -> dict[str, object]:
    refusal = place.refusal
    return {
        "origin": place.origin,
        "path": place.path,
        "verdict": place.outcome.value,
        "kind": refusal.kind.value if refusal else "",
        "reason": place.reason,
        "expected": list(refusal.expected) if refusal else [],
        "found": place.sha256,
    }


def search(name: str | None) -> list[Search]:
    """Look for the binary of one family, or of all."""
    return [_search(family) for family in _families(name)]


def _search(family: Family) -> Search:
    platform = current()
    found = verdicts(family, platform)
    first = deciding(found)
    taken = first.path if first and first.outcome is Outcome.TAKEN else None
    key = platform.key if platform else None
    return Search(family, key, taken, found, linked_commands(family))


def linked_commands(family: Family) -> list[str]:
    """Return the commands of a family that were replaced by its binary."""
    with contextlib.suppress(
        CommandError
    ):  # nothing is recorded here, so nothing was linked
        found = links.commands(current())
        own = [each for each in found if each.family is family]
        return [str(each.path) for each in own if each.state is links.State.LINKED]
    return []


@dataclass(frozen=True)
class Check:
    """What a full verification of one file found."""

    family: str
    path: str
    good: bool
    reason: str
    sha256: str


def verify(name: str | None) -> list[Check]:
    """Verify every installed binary in full, and every command that was linked to one."""
    found = [
        check
        for family in _families(name)
        for check in _verify_binary(family, asked=name is not None)
    ]
    with contextlib.suppress(
        CommandError
    ):  # nothing is recorded here, so nothing was linked
        found += [
            Check(
                command.family.name,
                str(command.path),
                good=False,
                reason=f"it is {command.state.value}",
                sha256="",
            )
            for command in links.commands(current())
            if command.state in (links.State.DEAD, links.State.FOREIGN)
            and name in (None, command.family.name)
        ]
    return found


def damaged(name: str | None) -> list[Check]:
    """Return the binaries that are missing or bad."""
    found = [
        check
        for family in _families(name)
        for check in _verify_binary(family, asked=name is not None)
    ]
    return [check for check in found if not check.good]


def _verify_binary(family: Family, *, asked: bool) -> Iterator[Check]:
    first = deciding(verdicts(family, current()))
    if first is not None:
        good = first.outcome is Outcome.TAKEN and first.refusal is None
        yield Check(
            family.name, first.path, good=good, reason=first.reason, sha256=first.sha256
        )
    elif asked or not family.extra or distribution(family.distribution) is not None:
        yield Check(
            family.name, family.program, good=False, reason="it is in no place", sha256=""
        )


def _families(name: str | None) -> list[Family]:
    return list(FAMILIES.values()) if name is None else [FAMILIES[name]]


def must_be_installed(check: Check) -> None:
    """Raise CommandError if a binary is the user's own choice, which no installer brings back."""
    family = FAMILIES[check.family]
    if os.environ.get(family.variable):
        raise CommandError(
            NOT_REPAIRED.format(check.path),
            hint=f"`unset {family.variable}`, which names it",
        )
    if os.environ.get(DIRECTORY_VARIABLE):
        hint = f"`unset {DIRECTORY_VARIABLE}`, which leads to it"
        raise CommandError(NOT_REPAIRED.format(check.path), hint=hint)


def repair_commands(check: Check) -> list[list[str]]:
    """Return the installer's commands that bring a binary back, without a hash: one after the other.

    Raises CommandError if no command of an installer would, or if it would remove this very
    environment.
    """
    family = FAMILIES[check.family]
    reason = NOT_REPAIRED.format(check.path)
    commands = remedy.commands(family)
    if not commands:
        raise CommandError(reason, hint=remedy.advice(family))
    if detect.installer() in (Installer.UVX, Installer.PIPX_RUN):
        text = f"{reason} from inside: it runs from a cache of its installer"
        raise CommandError(text, hint=remedy.advice(family))
    healing = remedy.healing(family)
    return [healing, *commands] if healing else commands


def is_whole(name: str) -> bool:
    """Tell whether a family's binary is good now."""
    return all(check.good for check in verify(name))


@contextlib.contextmanager
def by_hash(check: Check, place: str, *, dry_run: bool) -> Iterator[list[list[str]]]:
    """Give the commands that bring back this very release's wheel; none if no installer takes a hash.

    The file of requirements that they name is there as long as the block runs.
    """
    family = FAMILIES[check.family]
    commands = remedy.by_hash(family, place)
    if not commands or dry_run:
        yield [[*command, REQUIREMENTS] for command in commands]
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, REQUIREMENTS)
        with open(path, "w", encoding="utf-8") as file:
            file.write(remedy.requirement(family) + "\n")
        yield [[*command, path] for command in commands]


def requirement(check: Check) -> str:
    """Return what the file of requirements says."""
    return remedy.requirement(FAMILIES[check.family])


def try_installer(command: list[str], check: Check) -> bool:
    """Run one command of an installer; tell whether the binary is good now."""
    with contextlib.suppress(CommandError):
        run_installer(command)
    return is_whole(check.family)


def run_installer(command: list[str]) -> None:
    """Run one command of an installer, with its own words on the terminal.

    Raises CommandError if there is no such program, or if it fails.
    """
    program = detect.program(command[0])
    if program is None:
        raise CommandError(
            f"`{command[0]}` is not on the path", hint=remedy.shown([command])
        )
    done = subprocess.run([program, *command[1:]], check=False)
    if done.returncode != 0:
        text = f"`{remedy.shown([command])}` failed (exit code {done.returncode})"
        raise CommandError(text, hint="see its output above, fix that and try again")


def must_be_whole(names: list[str]) -> list[Check]:
    """Verify families again. Raises CommandError if one is still bad."""
    checks = [check for name in names for check in verify(name)]
    for check in checks:
        if not check.good:
            raise CommandError(
                f"`{check.path}` is still invalid after reinstalling: {check.reason}",
                hint="see `leanspec-launcher doctor`",
            )
    return checks

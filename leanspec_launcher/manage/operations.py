"""What the management commands do. Nothing in here prints."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterator

from leanspec_launcher import _installer
from leanspec_launcher._families import FAMILIES, Family
from leanspec_launcher._locate import DIRECTORY_VARIABLE
from leanspec_launcher._places import REFUSED, TAKEN, Place, places
from leanspec_launcher._platforms import Platform, current, machine
from leanspec_launcher._verify import digest

from . import links
from .errors import CommandError


@dataclasses.dataclass(frozen=True)
class Search:
    """Hold where a family's binary was looked for, and what that led to."""

    family: str
    platform: str
    taken: str | None
    places: list[Place]


def this_platform() -> Platform:
    """Return the platform of this machine; raises CommandError where none is known for it."""
    platform = current()
    if platform is None:
        raise CommandError(
            f"there is no build for this machine ({machine()})", hint="`leanspec-launcher doctor` says what would fit"
        )
    return platform


def search(name: str | None) -> list[Search]:
    """Look for the binary of one family, or of all."""
    platform = this_platform()
    return [_search(family, platform) for family in _families(name)]


def _search(family: Family, platform: Platform) -> Search:
    found = places(family, platform)
    taken = next((place.path for place in found if place.verdict == TAKEN), None)
    return Search(family.name, platform.key, taken, found)


@dataclasses.dataclass(frozen=True)
class Check:
    """Hold what a full verification of one file found."""

    family: str
    path: str
    good: bool
    reason: str
    sha256: str


def verify(name: str | None) -> list[Check]:
    """Verify every installed binary in full, and every command that was linked to one."""
    platform = this_platform()
    found = [check for family in _families(name) for check in _verify_binary(family, platform, asked=name is not None)]
    with contextlib.suppress(CommandError):  # nothing is recorded here, so nothing was linked
        found += [
            Check(command.family.name, str(command.path), good=False, reason=links.NEITHER, sha256="")
            for command in links.commands(platform)
            if command.state == links.FOREIGN and name in (None, command.family.name)
        ]
    return found


def damaged(name: str | None) -> list[Check]:
    """Return the binaries that are missing or bad."""
    platform = this_platform()
    return [
        check
        for family in _families(name)
        for check in _verify_binary(family, platform, asked=name is not None)
        if not check.good
    ]


def _verify_binary(family: Family, platform: Platform, *, asked: bool) -> Iterator[Check]:
    for place in places(family, platform):
        if place.verdict == TAKEN:
            yield Check(family.name, place.path, good=True, reason=place.reason, sha256=digest(place.path))
            return
        if place.verdict == REFUSED:
            yield Check(family.name, place.path, good=False, reason=place.reason, sha256=place.found)
            return
    if asked or not family.extra or _installer.distribution(family.distribution) is not None:
        yield Check(family.name, family.program, good=False, reason="it is nowhere", sha256="")


def _families(name: str | None) -> list[Family]:
    return list(FAMILIES.values()) if name is None else [FAMILIES[name]]


def repair_commands(check: Check) -> list[list[str]]:
    """Return the installer's commands that bring a binary back.

    Raises CommandError where no command of an installer would, or where it would remove this very environment.
    """
    family = FAMILIES[check.family]
    reason = f"`{check.path}` cannot be repaired by installing it anew"
    if os.environ.get(family.variable):
        raise CommandError(reason, hint=f"`unset {family.variable}`, which names it")
    if os.environ.get(DIRECTORY_VARIABLE):
        raise CommandError(reason, hint=f"`unset {DIRECTORY_VARIABLE}`, which leads to it")
    commands = _installer.remedy(family)
    if not commands:
        raise CommandError(reason, hint=_installer.advice(family))
    if _installer.installer() == _installer.UVX:
        raise CommandError(f"{reason} from inside: uv's cache is what it runs from", hint=_installer.advice(family))
    return commands


def run_installer(command: list[str]) -> None:
    """Run one command of an installer, with its own words on the terminal.

    Raises CommandError where there is no such program, or where it fails.
    """
    program = shutil.which(command[0])
    if program is None:
        raise CommandError(f"`{command[0]}` is not on the path", hint=_installer.shown([command]))
    done = subprocess.run([program, *command[1:]], check=False)
    if done.returncode != 0:
        raise CommandError(f"`{_installer.shown([command])}` failed (exit code {done.returncode})")


def must_be_whole(names: list[str]) -> list[Check]:
    """Verify families again. Raises CommandError where one is still bad."""
    checks = [check for name in names for check in verify(name)]
    for check in checks:
        if not check.good:
            raise CommandError(
                f"`{check.path}` is still bad after the installer ran: {check.reason}",
                hint="see `leanspec-launcher doctor`",
            )
    return checks

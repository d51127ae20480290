"""A console script replaced by the binary itself: a start in which no Python takes part.

Undone by `unlink`, and by whatever installs, upgrades or uninstalls `lean-spec`: an installer
removes its own paths, whatever is there.
"""

from __future__ import annotations

import contextlib
import enum
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher._search import SITE, WHEEL, Place, expected, is_absolute, libraries
from leanspec_launcher._tables import FAMILIES, Family, Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.explain.verdicts import Outcome, Verdict, deciding, verdicts
from leanspec_launcher.installers.detect import MAIN
from leanspec_launcher.installers.records import Distribution, distribution
from leanspec_launcher.installers.table import in_use
from leanspec_launcher.verify.proof import digest
from leanspec_launcher.verify.refusal import Refusal

LAUNCH, OWN = "leanspec_launcher", "leanspec-launcher"
# The text of our own command's script, with which those of the others begin to differ.
OWN_IMPORT = b"leanspec_launcher.manage import main\n"
# How installers name a Python whose path is too long for a first line, or has a space.
THROUGH_SHELL = b"#!/bin/sh\n'''exec' "
# Far above any installer's script.
MOST_SCRIPT = 100_000
# What takes the place of a script whose binary has to stay where it is.
SHELL = "/bin/sh"
SHELL_SCRIPT = '#!{shell}\nexec {binary} "$@"\n'
REINSTALL = "reinstall lean-spec: that writes its scripts"


class State(enum.Enum):
    """What a command of ours is now."""

    SCRIPT = "the installer's script"
    LINKED = "linked"
    DEAD = "a script whose Python is not there: this environment was moved, or its Python removed"
    FOREIGN = "neither the installer's script nor the binary of this release"
    UNREADABLE = "unreadable"
    ABSENT = "missing"


@dataclass(frozen=True)
class Command:
    """A console script that starts a binary."""

    name: str
    family: Family
    path: Path
    state: State


def commands(platform: Platform | None) -> list[Command]:
    """Return the console scripts of this installation that start a binary.

    Raises CommandError if no record says which files they are: then none of them is provably ours.
    """
    own = distribution(MAIN)
    if own is None:
        text = "lean-spec is not installed here, so there are no console scripts of its own"
        raise CommandError(text, hint=REINSTALL)
    if not own.files or not own.commands:
        text = f"the record of installed files in `{SITE}` does not list lean-spec's console scripts"
        raise CommandError(text, hint=REINSTALL)
    recorded = {Path(name).stem: name for name in own.files if _may_be_script(name)}
    found = []
    for name, family in _families(own):
        if name in recorded:
            path = _place(recorded[name])
            found.append(Command(name, family, path, _state(path, family, platform)))
    return found


def commands_if_recorded(platform: Platform | None) -> list[Command]:
    """Return the console scripts; none if nothing is recorded here, so that nothing was linked."""
    with contextlib.suppress(CommandError):
        return commands(platform)
    return []


def _may_be_script(recorded: str) -> bool:
    path = Path(recorded)
    return path.suffix in ("", ".exe") and path.parent.name.lower() in ("bin", "scripts")


def _families(own: Distribution) -> list[tuple[str, Family]]:
    """Return the commands that start a binary; any other entry point is not ours to judge."""
    found = []
    for name, target in own.commands.items():
        module, _, function = target.partition(":")
        if module == LAUNCH and function in FAMILIES:
            found.append((name, FAMILIES[function]))
    return found


def _place(relative: str) -> Path:
    """Return where a recorded script is. `pip install --target` moves it without telling its record."""
    path = Path(os.path.normpath(os.path.join(SITE, relative)))
    moved = Path(SITE, "bin", path.name)
    return moved if moved.exists() and not path.exists() else path


def _state(path: Path, family: Family, platform: Platform | None) -> State:
    try:
        if not path.is_file():
            return State.ABSENT
        if sys.platform == "win32":
            return State.SCRIPT  # an `.exe` of the installer, which nothing here replaces
        text = _read(path)
        if text and text == _script(path, family):
            return State.SCRIPT if _has_interpreter(text) else State.DEAD
        target = _target(text) or str(path)
        is_binary = digest(target) in expected(Place(WHEEL, target), family, platform)
    except Refusal:
        return State.FOREIGN
    except OSError:
        return State.UNREADABLE
    return State.LINKED if is_binary else State.FOREIGN


def _read(path: Path) -> bytes:
    """Return the text of a script; nothing if it is larger than any."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        text = file.read(MOST_SCRIPT + 1)
    return text if len(text) <= MOST_SCRIPT else b""


def _has_interpreter(script: bytes) -> bool:
    """Tell whether the Python that a script names is there; one that looks next to itself names none."""
    line = (
        script.removeprefix(THROUGH_SHELL)
        .partition(b"\n")[0]
        .decode(errors="surrogateescape")
    )
    named = line[2:].partition(" ")[0] if line.startswith("#!") else _first_word(line)
    return not is_absolute(named) or os.path.exists(named)


def _first_word(line: str) -> str:
    try:
        return shlex.split(line)[0]
    except (ValueError, IndexError):
        return ""


def _script(path: Path, family: Family) -> bytes:
    """Return what the installer writes into a family's script; nothing if that cannot be said.

    It is the text of our own command, which is never linked, for another function. The record of
    installed files is no help: pipx changes the first line afterwards (`python -E`).
    """
    try:
        text = _read(path.with_name(OWN))
    except OSError:
        return b""
    wanted = f"{LAUNCH} import {family.name}\n".encode()
    text = text.replace(OWN_IMPORT, wanted).replace(b"main()", f"{family.name}()".encode())
    return text if text.startswith(b"#!") and wanted in text else b""


def link(platform: Platform | None, *, dry_run: bool = False) -> list[Command]:
    """Put the binary in the place of each script of ours; return those that were replaced, or would be.

    Each binary is proved first. Raises CommandError, and changes nothing, if one is not the pinned
    one, or if a script is not the one that the installer wrote.
    """
    if sys.platform == "win32":
        raise CommandError(
            "a command cannot be linked on Windows: it is an `.exe` of the installer, which nothing but the installer"
            " can bring back",
            hint="start the binary itself: `leanspec-launcher which` says where it is",
        )
    if in_use().is_shared:
        raise CommandError(
            "a command of uvx is not linked: it lies in uv's cache, which is for everybody who uses it",
            hint=f"`uv tool install {MAIN}`, and link there",
        )
    wanted = []
    for command in commands(platform):
        if command.state is State.SCRIPT and (binary := _binary(command.family, platform)):
            wanted.append((command, binary))
        elif command.state in (State.DEAD, State.FOREIGN, State.UNREADABLE):
            raise CommandError(f"`{command.path}` is {command.state.value}", hint=REINSTALL)
    if not dry_run:
        _replace_all(wanted)
    return [command for command, _ in wanted]


def _binary(family: Family, platform: Platform | None) -> Verdict | None:
    """Return the proved binary of a family; None if its extra is not installed."""
    found = deciding(verdicts(family, platform))
    if (
        found
        and found.outcome is Outcome.TAKEN
        and found.origin == WHEEL
        and not found.refusal
    ):
        return found
    if found is None and family.extra and distribution(family.distribution) is None:
        return None
    why = f"`{found.path}` decides ({found.reason})" if found else "none is there"
    raise CommandError(
        f"no verified binary of `{family.name}` is installed: {why}",
        hint="see `leanspec-launcher which`; `leanspec-launcher repair` brings a damaged one back",
    )


def _replace_all(wanted: list[tuple[Command, Verdict]]) -> None:
    """Make everything next to its place first, so that what can fail has failed before the first change."""
    with contextlib.ExitStack() as undo:
        made = []
        for command, binary in wanted:
            new = command.path.with_name(f".{command.name}.{os.getpid()}.new")
            undo.callback(new.unlink, missing_ok=True)
            made_of = _make(new, binary)
            if digest(made_of) != binary.sha256:
                text = f"`{new}` did not become what `{binary.path}` is"
                raise CommandError(text, hint="`leanspec-launcher repair`, and try again")
            made.append((new, command.path))
        for new, path in made:
            os.replace(new, path)


def _make(new: Path, binary: Verdict) -> str:
    """Make what starts a binary; return the path of the program that it is, or leads to."""
    new.unlink(missing_ok=True)
    if libraries(binary.path, binary.sha256):
        # Its libraries are found from the program's own place. A shell that becomes it, and not a
        # symbolic link: installers (pipx) take a link that leads out of their folder for a
        # stranger's, and leave it behind.
        new.write_bytes(_shell_script(binary.path))
        new.chmod(0o755)
        return binary.path
    try:
        os.link(binary.path, new)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(binary.path, new)
    return str(new)


def _shell_script(binary: str) -> bytes:
    return SHELL_SCRIPT.format(shell=SHELL, binary=shlex.quote(binary)).encode()


def _target(text: bytes) -> str:
    """Return the program that a script of ours becomes; nothing for any other text."""
    _, _, line = text.decode(errors="surrogateescape").partition("\nexec ")
    words = shlex.split(line) if line.endswith(' "$@"\n') else []
    return words[0] if words and text == _shell_script(words[0]) else ""


def unlink(platform: Platform | None, *, dry_run: bool = False) -> list[Command]:
    """Bring back the script of each linked command, byte for byte; return those commands.

    Raises CommandError, and changes nothing, if our own script no longer says how the installer
    writes them.
    """
    linked = [command for command in commands(platform) if command.state is State.LINKED]
    scripts = [(command, _script(command.path, command.family)) for command in linked]
    for command, text in scripts:
        if not text or not _has_interpreter(text):
            raise CommandError(
                f"the script `{command.path}` cannot be restored as it was", hint=REINSTALL
            )
    for command, text in [] if dry_run else scripts:
        new = command.path.with_name(f".{command.name}.{os.getpid()}.new")
        try:
            new.write_bytes(text)
            new.chmod(command.path.with_name(OWN).stat().st_mode & 0o777)
            os.replace(new, command.path)
        finally:
            new.unlink(missing_ok=True)
    return linked

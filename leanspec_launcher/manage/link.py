"""Console scripts replaced by the binaries themselves: a start in which no Python takes part.

Undone by `unlink`, and by whatever installs, upgrades or uninstalls `lean-spec`: an installer
removes its own paths, whatever is there.
"""

from __future__ import annotations

import contextlib
import enum
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher._search import SITE, WHEEL, Place, Start, libraries
from leanspec_launcher._tables import PROGRAMS, Program
from leanspec_launcher.commands import CommandError
from leanspec_launcher.explain.verdicts import Outcome, PlaceVerdict, deciding, verdicts
from leanspec_launcher.installers import reinstall
from leanspec_launcher.installers.detect import MAIN
from leanspec_launcher.installers.records import distribution
from leanspec_launcher.installers.table import in_use
from leanspec_launcher.instead.answer import reported_version
from leanspec_launcher.verify.proof import MOST_BYTES, MOST_SCRIPT, digest
from leanspec_launcher.verify.refusal import Refusal

LAUNCH, OWN = "leanspec_launcher", "leanspec-launcher"
ENTRY_POINTS = {f"{LAUNCH}:{name}": program for name, program in PROGRAMS.items()}
SCRIPT = re.compile(r"(?:.*/)?(?:bin|scripts)/([^/.]+)(?:\.exe)?", re.IGNORECASE)
# The text of our own command's script, with which those of the others begin to differ.
OWN_IMPORT = b"leanspec_launcher.manage import main\n"
# The absolute path of the Python that a script names. Through a shell, if that is too long for a
# first line or has a space; a script that looks next to itself names none.
INTERPRETER = re.compile(rb"""#!(?:/bin/sh\n'''exec' )?(["']?)(/.*?)\1[ \n]""")
# What takes the place of a script whose binary has to stay where it is.
SHELL = "/bin/sh"
SHELL_SCRIPT = f'#!{SHELL}\nexec {{}} "$@"\n'
REINSTALL = (
    "reinstall lean-spec, which writes its commands;"
    " `leanspec-launcher repair` restores a missing one"
)


class LinkState(enum.Enum):
    """State of a command of ours."""

    SCRIPT = "the installer's script"
    LINKED = "linked"
    DEAD = "a script whose Python is not there: this environment was moved, or its Python removed"
    FOREIGN = "neither the installer's script nor the binary of this release"
    UNREADABLE = "unreadable"
    ABSENT = "missing"


@dataclass(frozen=True)
class Script:
    """A console script of `lean-spec`, as its record lists it."""

    name: str
    # `module:function`
    target: str
    path: Path


@dataclass(frozen=True)
class Command(Script):
    """A console script that starts a binary."""

    program: Program
    state: LinkState


def commands() -> list[Command]:
    """Return the console scripts of this installation that start a binary.

    Raises CommandError as `scripts` does.
    """
    # Any other entry point is not ours to judge.
    result = []
    for script in scripts():
        program = ENTRY_POINTS.get(script.target)
        if program:
            state = _state(script, program)
            result.append(Command(**vars(script), program=program, state=state))
    return result


def scripts() -> list[Script]:
    """Return the console scripts of this installation, whether they are there or not.

    Raises CommandError if no record says which files they are: then none of them is provably ours.
    """
    record = distribution(MAIN)
    if record is None:
        text = "lean-spec is not installed here, so there are no console scripts of its own"
        raise CommandError(text, hint=REINSTALL)
    if not record.files or not record.commands:
        text = f"the record of installed files in `{SITE}` does not list lean-spec's console scripts"
        raise CommandError(text, hint=REINSTALL)
    matches = filter(None, map(SCRIPT.fullmatch, record.files))
    paths = {match[1]: match[0] for match in matches}
    return [
        Script(name, target, _place(paths[name]))
        for name, target in record.commands.items()
        if name in paths
    ]


def commands_if_recorded() -> list[Command]:
    """Return the console scripts; none if nothing is recorded here, so that nothing was linked."""
    with contextlib.suppress(CommandError):
        return commands()
    return []


def _place(relative: str) -> Path:
    """Return where a recorded script is. `pip install --target` moves it without telling its record."""
    path = Path(os.path.normpath(os.path.join(SITE, relative)))
    moved = Path(SITE, "bin", path.name)
    # `Path.exists` raises PermissionError below a closed folder.
    is_moved = os.path.exists(moved) and not os.path.exists(path)
    return moved if is_moved else path


def _state(script: Script, program: Program) -> LinkState:
    path = script.path
    try:
        if not path.is_file():
            return LinkState.ABSENT
        if sys.platform == "win32":
            return LinkState.SCRIPT  # an installer's `.exe`, which nothing here replaces
        text = _read(path)
        if text and text == script_text(path, script.target):
            return LinkState.SCRIPT if has_interpreter(text) else LinkState.DEAD
        target = _target(text) or str(path)
        expected = Start(program).expected(Place(WHEEL, target))
        is_binary = digest(target, MOST_BYTES) in expected
    except Refusal:
        return LinkState.FOREIGN
    except OSError:
        return LinkState.UNREADABLE
    return LinkState.LINKED if is_binary else LinkState.FOREIGN


def _read(path: Path) -> bytes:
    """Return the text of a script; nothing if it is larger than any, or missing."""
    if not path.is_file() or path.stat().st_size > MOST_SCRIPT:
        return b""
    return path.read_bytes()


def has_interpreter(script: bytes) -> bool:
    """Tell whether the Python that a script names is there."""
    match = INTERPRETER.match(script)
    return match is None or os.path.exists(match[2])


def script_text(path: Path, target: str) -> bytes:
    """Return what the installer writes into the script of an entry point; nothing if that cannot be said.

    It is the text of our own command, which is never linked, for another function. The record of
    installed files is no help: pipx changes the first line afterwards (`python -E`).
    """
    try:
        text = _read(path.with_name(OWN))
    except OSError:
        return b""
    module, _, function = target.partition(":")
    import_line = f"{module} import {function}\n".encode()
    text = text.replace(OWN_IMPORT, import_line)
    text = text.replace(b"main()", f"{function}()".encode())
    return text if text.startswith(b"#!") and import_line in text else b""


def link_all(*, dry_run: bool = False) -> list[Command]:
    """Put the binary in the place of each script of ours; return those that were replaced, or would be.

    Each binary is verified first, and what takes a script's place is started once. Raises
    CommandError, and changes nothing, if a binary is not the pinned one, if a script is not the one
    that the installer wrote, or if one does not start.
    """
    if sys.platform == "win32":
        raise CommandError(
            "a command cannot be linked on Windows: it is an `.exe` that only the installer"
            " can restore",
            hint="start the binary itself: `leanspec-launcher which` says where it is",
        )
    if in_use().is_shared:
        raise CommandError(
            "a command of uvx is not linked: it is in uv's cache, which other environments share",
            hint=f"`uv tool install {MAIN}`, and link there",
        )
    binaries = {}
    for command in commands():
        if command.state in (LinkState.DEAD, LinkState.FOREIGN, LinkState.UNREADABLE):
            raise CommandError(f"`{command.path}` is {command.state.value}", hint=REINSTALL)
        if command.state is LinkState.SCRIPT:
            binary = _binary(command.program)
            if binary is not None:
                binaries[command] = binary
    if not dry_run:
        _replace(
            list(binaries), lambda command, new: _make(command, new, binaries[command])
        )
    return list(binaries)


def _replace(replaced: list[Command], make: Callable[[Command, Path], None]) -> None:
    """Make what replaces each command, all of it before the first takes its place."""
    if not replaced:
        return
    # Next to the scripts, which are in one folder: a rename does not cross file systems.
    folder = replaced[0].path.parent
    with tempfile.TemporaryDirectory(dir=folder, prefix=".lean-spec-") as work:
        for command in replaced:
            make(command, Path(work, command.name))
        for command in replaced:
            Path(work, command.name).replace(command.path)


def _binary(program: Program) -> PlaceVerdict | None:
    """Return the verified binary of a program; None if its extra is not installed."""
    verdict = deciding(verdicts(Start(program)))
    reason = "no binary was found"
    if verdict is not None:
        is_verified = verdict.outcome is Outcome.TAKEN and not verdict.refusal
        if is_verified and verdict.origin == WHEEL:
            return verdict
        reason = f"`{verdict.path}` decides ({verdict.reason})"
    elif program.extra and distribution(program.distribution) is None:
        return None
    raise CommandError(
        f"no verified binary of `{program.name}` is installed: {reason}",
        hint="see `leanspec-launcher which`; `leanspec-launcher repair` reinstalls a damaged one",
    )


def _make(command: Command, new: Path, binary: PlaceVerdict) -> None:
    """Make what starts a binary, and start it. Raises CommandError if it does not answer."""
    if libraries(binary.path, binary.sha256):
        # Its libraries are found from the program's own place. A shell that becomes it, and not a
        # symbolic link: installers (pipx) take a link that leads out of their folder for a
        # stranger's, and leave it behind.
        if not os.access(SHELL, os.X_OK):
            raise CommandError(
                f"`{command.path}` was not replaced: its binary needs the libraries in its wheel, so only"
                f" `{SHELL}` could start it, which is not on this system",
                hint="keep the scripts, which need no shell",
            )
        new.write_bytes(_shell_script(binary.path))
        new.chmod(0o755)
    else:
        try:
            os.link(binary.path, new)
        except OSError:  # another file system, or one without hard links
            shutil.copy2(binary.path, new)
    try:
        if digest(_target(_read(new)) or str(new), MOST_BYTES) != binary.sha256:
            raise OSError("the copy differs")
        reported_version(command.program, str(new))
    except OSError as error:
        raise CommandError(
            f"`{command.path}` was not replaced: its binary does not start there: {error}",
            hint="`leanspec-launcher doctor` starts it where it is installed",
        ) from None


def hint_of(command: Command) -> str:
    """Say what brings a command back: its binary alone, if it only leads there."""
    package = os.path.join(SITE, command.program.package, "")
    is_to_binary = _target(_read(command.path)).startswith(package)
    return reinstall.hint(command.program) if is_to_binary else REINSTALL


def _shell_script(binary: str) -> bytes:
    return os.fsencode(SHELL_SCRIPT.format(shlex.quote(binary)))


def _target(script: bytes) -> str:
    """Return the program that a script of ours becomes; nothing for any other text."""
    _, _, line = os.fsdecode(script).partition("\nexec ")
    words = shlex.split(line) if line.endswith(' "$@"\n') else []
    return words[0] if words and script == _shell_script(words[0]) else ""


def unlink_all(*, dry_run: bool = False) -> list[Command]:
    """Bring back the script of each linked command, byte for byte; return those commands.

    Raises CommandError, and changes nothing, if our own script no longer says how the installer
    writes them.
    """
    linked = [command for command in commands() if command.state is LinkState.LINKED]
    texts = {command: script_text(command.path, command.target) for command in linked}
    for command, text in texts.items():
        if not text or not has_interpreter(text):
            raise CommandError(
                f"the script `{command.path}` cannot be restored as it was", hint=REINSTALL
            )
    if not dry_run:
        _replace(
            linked, lambda command, new: write_script(new, command.path, texts[command])
        )
    return linked


def write_script(new: Path, path: Path, script: bytes) -> None:
    """Write a script that is to take the place `path`, with the mode of our own command."""
    new.write_bytes(script)
    new.chmod(path.with_name(OWN).stat().st_mode & 0o777)

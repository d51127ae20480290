"""A console script replaced by the binary itself: a start in which no Python takes part.

Undone by `unlink`, and by whatever installs, upgrades or uninstalls `lean-spec`: an installer removes its own paths,
whatever is there.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher import _installer
from leanspec_launcher._families import FAMILIES, Family
from leanspec_launcher._locate import HOME, WHEEL
from leanspec_launcher._pins import SHA256
from leanspec_launcher._places import TAKEN, places
from leanspec_launcher._platforms import Platform
from leanspec_launcher._verify import digest

from .errors import CommandError

SCRIPT, LINKED, FOREIGN, ABSENT = "script", "linked", "foreign", "absent"
GROUP, LAUNCH, OWN = "console_scripts", "leanspec_launcher._launch", "leanspec-launcher"
NEITHER = "it is neither the installer's script nor the binary of this release"
REINSTALL = "install lean-spec anew: that writes its scripts"


@dataclass(frozen=True)
class Command:
    """Hold one console script that starts a binary: where it is, and what it is now."""

    name: str
    family: Family
    path: Path
    state: str


def commands(platform: Platform) -> list[Command]:
    """Return the console scripts of this installation that start a binary.

    Raises CommandError where no record says which files they are: then none of them is provably ours.
    """
    own = _installer.distribution(_installer.MAIN)
    if own is None:
        raise CommandError(
            "lean-spec is not installed here, so there are no console scripts of its own", hint=REINSTALL
        )
    recorded = {Path(name).name: name for name in own.files}
    found = []
    for name, family in _entry_points():
        if name in recorded:
            path = _place(recorded[name], name)
            found.append(Command(name, family, path, _state(path, family, platform)))
    return found


def _entry_points() -> Iterator[tuple[str, Family]]:
    for distribution in importlib.metadata.distributions(name=_installer.MAIN, path=[HOME]):
        for point in distribution.entry_points:
            module, _, function = point.value.partition(":")
            if point.group == GROUP and module == LAUNCH:
                yield point.name, FAMILIES[function]


def _place(relative: str, name: str) -> Path:
    """Return where a recorded script is. `pip install --target` moves it without telling its record."""
    path = Path(os.path.normpath(os.path.join(HOME, relative)))
    moved = Path(HOME, "bin", name)
    return moved if moved.exists() and not path.exists() else path


def _state(path: Path, family: Family, platform: Platform) -> str:
    if not path.is_file():
        return ABSENT
    pin = SHA256.get(family.name, {}).get(platform.key)
    if pin and digest(str(path)) == pin:
        return LINKED
    return SCRIPT if path.read_bytes() == _script(path, family) else FOREIGN


def _script(path: Path, family: Family) -> bytes:
    """Return what the installer writes into a family's script; nothing where that cannot be said.

    It is the text of our own command, which is never linked, for another function. The record of installed files is no
    help: pipx changes the first line afterwards (`python -E`).
    """
    try:
        text = path.with_name(OWN).read_bytes()
    except OSError:
        return b""
    wanted = f"{LAUNCH} import {family.name}\n".encode()
    text = text.replace(b"leanspec_launcher.manage.cli import main\n", wanted).replace(
        b"main()", f"{family.name}()".encode()
    )
    return text if text.startswith(b"#!") and wanted in text else b""


def link(platform: Platform, *, dry_run: bool = False) -> list[Command]:
    """Put the binary in the place of each script of ours; return those that were replaced, or would be.

    Each binary is verified in full first. Raises CommandError, and changes nothing, where one is not the pinned one, or
    a script is not the one that the installer wrote.
    """
    if sys.platform == "win32":
        raise CommandError(
            "a command cannot be linked on Windows: it is an `.exe` of the installer, which nothing but the installer"
            " can bring back",
            hint="start the binary itself: `leanspec-launcher which` says where it is",
        )
    wanted = []
    for command in commands(platform):
        if command.state == SCRIPT and (binary := _binary(command.family, platform)):
            wanted.append((command, binary))
        elif command.state == FOREIGN:
            raise CommandError(f"`{command.path}` is not the script that the installer wrote", hint=REINSTALL)
    if not dry_run:
        _replace_all(wanted, platform)
    return [command for command, _ in wanted]


def _binary(family: Family, platform: Platform) -> str | None:
    """Return the verified binary of a family; None where its extra is not installed."""
    found = places(family, platform)
    taken = next((place for place in found if place.verdict == TAKEN), None)
    if taken and taken.origin == WHEEL:
        return taken.path
    if family.extra and _installer.distribution(family.distribution) is None:
        return None
    bad = next((place for place in found if place.path and place.verdict != "absent"), None)
    why = f"`{bad.path}` is the one that is started, {bad.reason}" if bad else "there is none"
    raise CommandError(
        f"no installed and verified binary of `{family.name}` to link: {why}",
        hint="see `leanspec-launcher which`; `leanspec-launcher repair` brings a damaged one back",
    )


def _replace_all(wanted: list[tuple[Command, str]], platform: Platform) -> None:
    """Make everything beside its place first, so that what can fail has failed before the first change."""
    with contextlib.ExitStack() as undo:
        made = []
        for command, binary in wanted:
            new = command.path.with_name(f".{command.name}.{os.getpid()}.new")
            undo.callback(new.unlink, missing_ok=True)
            _make(new, binary)
            if digest(str(new)) != SHA256[command.family.name][platform.key]:
                raise CommandError(f"`{new}` did not become what `{binary}` is")
            made.append((new, command.path))
        for new, path in made:
            os.replace(new, path)


def _make(new: Path, binary: str) -> None:
    new.unlink(missing_ok=True)
    if os.path.isdir(f"{os.path.dirname(os.path.dirname(binary))}.libs"):
        # Grafted libraries are found from the program's own place, which a symbolic link leaves where it is.
        new.symlink_to(os.path.relpath(binary, new.parent))
        return
    try:
        os.link(binary, new)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(binary, new)


def unlink(platform: Platform, *, dry_run: bool = False) -> list[Command]:
    """Bring back the script of each linked command, byte for byte; return those commands.

    Raises CommandError, and changes nothing, where our own script no longer says how the installer writes them.
    """
    linked = [command for command in commands(platform) if command.state == LINKED]
    scripts = [(command, _script(command.path, command.family)) for command in linked]
    for command, text in scripts:
        if not text:
            raise CommandError(f"the script `{command.path}` cannot be restored as it was", hint=REINSTALL)
    for command, text in [] if dry_run else scripts:
        new = command.path.with_name(f".{command.name}.{os.getpid()}.new")
        try:
            new.write_bytes(text)
            new.chmod(command.path.with_name(OWN).stat().st_mode & 0o777)
            os.replace(new, command.path)
        finally:
            new.unlink(missing_ok=True)
    return linked

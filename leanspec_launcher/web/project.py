"""Which project `leanspec-ui` shows: the one that is named, or the nearest one above."""

from __future__ import annotations

import os
from pathlib import Path

from leanspec_launcher.commands import CommandError

# What a project of LeanSpec has: its specs, or its settings.
SPECS, SETTINGS = "specs", ".lean-spec"


def find_project(named: Path | None, specs: Path | None) -> Path:
    """Return the root of a project: one absolute path, however it was named.

    Raises CommandError if there is none.
    """
    if specs is not None:
        folder = _real(specs)
        if folder.name != SPECS:
            raise CommandError(
                f"`{folder}` is not called `specs`, and the web server finds no other folder",
                hint="name the project's folder: `--project DIR`",
            )
        return folder.parent
    if named is not None:
        folder = _real(named)
        if has_specs(folder):
            return folder
        # Only a message needs it: a start has to be fast.
        from leanspec_launcher.installers.words import shown

        begin = shown([["cd", str(folder)], ["lean-spec", "init"]])
        raise CommandError(
            f"there are no specs in `{folder}`", hint=f"begin a project: `{begin}`"
        )
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if has_specs(folder):
            return folder
    raise CommandError(
        f"there are no specs in `{here}` or above it",
        hint="change to a project, name it with `--project DIR`, or begin one: `lean-spec init`",
    )


def has_specs(folder: Path) -> bool:
    """Tell whether a folder is a project of LeanSpec."""
    if (folder / SPECS).is_dir():
        return True
    # The settings in the home folder are the user's, and not those of a project.
    return (folder / SETTINGS).is_dir() and not _is_home(folder)


def _real(path: Path) -> Path:
    if not path.is_dir():
        raise CommandError(
            f"`{path.absolute()}` is not a folder", hint="name the folder of a project"
        )
    return path.resolve()


def _is_home(folder: Path) -> bool:
    try:
        return folder.samefile(os.path.expanduser("~"))
    except OSError:
        return False

"""Names of commands that would replace something of an environment or of a system, or that one of them cannot have."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from leanspec_build.errors import BuildError

# What an environment has beside the commands of its packages.
OF_ENVIRONMENTS = re.compile(
    r"(python|pythonw|pip|pypy|idle|pydoc)[0-9.]*t?(-config)?|(de)?activate(_this)?(\..*)?"
)
# Devices of Windows, with any ending; `$` belongs to two of them.
DEVICES = re.compile(
    r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$)(\..*)?"
)
NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]|[. ]$')
COMMAND_FOLDERS = ("bin", "scripts")


def same_name(name: str) -> str:
    """Return what equals for names that a system takes for one: by case, or by how accents are written."""
    return unicodedata.normalize("NFC", name).casefold()


def must_be_a_command(name: str, path: Path) -> None:
    """Raise BuildError for a name that no command may have."""
    problem = _problem(same_name(name))
    if problem:
        raise BuildError(
            f"`{path}` has the command `{name}`, {problem}",
            hint="give it another name, under `programs` or `[project.scripts]`",
        )


def _problem(name: str) -> str | None:
    if OF_ENVIRONMENTS.fullmatch(name.removesuffix(".exe")):
        return "which would replace a part of each environment"
    if name.startswith("-"):
        return "which shells take for an option"
    if DEVICES.fullmatch(name):
        return "which is a device of Windows"
    if NOT_ON_WINDOWS.search(name):
        return "which Windows cannot have as a file"
    return None

"""Names of commands that would replace something of an environment or of a system, or that one of them cannot have."""

import re
import unicodedata
from pathlib import Path

from leanspec_build.errors import BuildError, escaped

# What an environment has beside the commands of its packages.
OF_ENVIRONMENTS = re.compile(
    r"(python|pythonw|pip|pypy|idle|pydoc)[0-9.]*t?(-config)?|(de)?activate(_this)?(\..*)?"
)
# Devices of Windows, with any ending; `$` belongs to two of them.
DEVICES = re.compile(
    r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$)(\..*)?"
)
NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]|[. ]$')
# What no installer, or not each one, writes as it stands: control characters, a backslash, bytes outside UTF-8.
NOT_IN_WHEELS = re.compile("[\x00-\x1f\x7f\\\\\ud800-\udfff]")
# Where each Python of an environment looks for modules.
OF_PYTHON = re.compile(
    r"(.*/)?(site|dist)-packages(/.*)?|lib(64)?/python[0-9.]+t?/.*|lib/[^/]*\.py"
)
COMMAND_FOLDERS = ("bin", "scripts")
# What Windows starts by the name before it: `PATHEXT`, in an order that users change, and PowerShell's scripts,
# which that shell prefers to programs.
STARTED = re.compile(r"\.(com|exe|bat|cmd|vbs|vbe|js|jse|wsf|wsh|msc|ps1)$")


def without_exe(name: str) -> str:
    """Return a file name without the ending of Windows, in capitals or not."""
    return name[:-4] if name.casefold().endswith(".exe") else name


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


def must_be_installable(name: str, file: str, *, is_windows: bool) -> None:
    """Raise BuildError for a file of a wheel that a system cannot have, or an installer does not write."""
    problem = None
    if NOT_IN_WHEELS.search(name):
        problem = "which not every installer writes"
    for part in map(same_name, name.split("/")):
        if is_windows and DEVICES.fullmatch(part):
            problem = f"and `{part}` is a device of Windows"
        elif is_windows and NOT_ON_WINDOWS.search(part):
            problem = f"and Windows cannot have `{part}` as a file"
    if problem:
        raise BuildError(
            f"the wheel would have the file {file} as `{escaped(name)}`, {problem}",
            hint="rename it, or leave it out under `data-files` or `data`",
        )


def must_be_outside_python(place: str, file: Path) -> None:
    """Raise BuildError for a data file that Pythons of the environment would import, or run at each start."""
    if OF_PYTHON.fullmatch(same_name(place)):
        raise BuildError(
            f"the data file `{file}` would be among the modules of Python, as `{place}`",
            hint='modules go into a `package`; data into a folder of their own, as `data-files."share/example"`',
        )

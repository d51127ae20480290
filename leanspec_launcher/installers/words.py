"""Words of an installer's command: the templates of the table, filled in for this environment."""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
from collections.abc import Callable

from leanspec_launcher._pins import VERSION
from leanspec_launcher._search import SITE
from leanspec_launcher._tables import Program
from leanspec_launcher.processes import interpreter

from . import records
from .detect import MAIN, has_ensurepip, has_pip, has_uv, program_on_path

EXTERNALLY_MANAGED = "EXTERNALLY-MANAGED"
# Where `pipx --global` keeps its environments.
PIPX_GLOBAL = "/opt/pipx"
NAME = re.compile(r"\{(\w+)\}")


def usable(templates: tuple[str, ...]) -> str:
    """Return the first template whose program is there, or else the last one; empty for none."""
    return next(filter(_is_usable, templates), "".join(templates[-1:]))


def _is_usable(template: str) -> bool:
    if template.startswith(("{own_pip} ", "pipx runpip ")):
        return has_pip()
    return has_uv() or not template.startswith(("{uv} ", "uv "))


def words(template: str, program: Program, **more: list[str]) -> list[str]:
    """Return a command for a program, with `more` words by name; empty if one of its words is unknown."""
    values: dict[str, Callable[[], list[str] | None]] = {
        "python": lambda: [sys.executable],
        "pip": pip_install,
        "own_pip": pip_install,
        "uv": lambda: ["uv", "pip", "install", "--python", sys.executable, *_place()],
        "uvx": lambda: [_uvx()],
        "pipx": lambda: [program_on_path("pipx") or "pipx"],
        "prefix": lambda: [sys.prefix],
        "environment": lambda: [os.path.basename(sys.prefix)],
        "project": lambda: [os.path.dirname(sys.prefix)],
        "global": _pipx_global,
        "suffix": _pipx_suffix,
        "tool": lambda: records.tool_of_uv(MAIN, program.extra),
        "command": lambda: [program.command],
        "distribution": lambda: [program.distribution],
        "requirement": lambda: [_with_extras(MAIN, program)],
        "wheel": lambda: [exactly(program.distribution)],
        "pinned": lambda: [exactly(MAIN, program)],
    }
    command: list[str] = []
    for word in template.split():
        match = NAME.fullmatch(word)
        if match is None:
            command.append(word.format(command=program.command, version=VERSION))
        elif match[1] in more:
            command += more[match[1]]
        else:
            texts = values[match[1]]()
            if texts is None:
                return []
            command += texts
    return command


def exactly(name: str, program: Program | None = None) -> str:
    """Return the requirement of a distribution of this release, from where it was installed.

    With the extra of a program, and with the installed ones, if a program is given.
    """
    requirement = _with_extras(name, program) if program else name
    record = records.distribution(name)
    if record and record.url:
        return f"{requirement} @ {record.url}"
    return f"{requirement}=={VERSION}" if VERSION else requirement


def _with_extras(name: str, program: Program) -> str:
    """Return a requirement with all extras: pipx and uvx drop an installed one that is not named."""
    extras = {program.extra, *records.installed_extras()} - {""}
    return records.with_extras(name, sorted(extras))


def shown(commands: list[list[str]]) -> str:
    """Write commands as one types them."""
    if sys.platform == "win32":
        from subprocess import list2cmdline  # noqa: TID251 - starts nothing

        return " && ".join(map(list2cmdline, commands))
    import shlex

    return " && ".join(map(shlex.join, commands))


def pip_install() -> list[str]:
    """Return how pip installs into this environment."""
    if has_pip() or needs_ensurepip():
        return [*interpreter(), "-m", "pip", "install", *_place()]
    # Any other pip can install into this environment.
    return ["pip", "--python", sys.executable, "install", *_place()]


def needs_ensurepip() -> bool:
    """Tell whether this environment has to get a pip first, because there is none anywhere."""
    return not has_pip() and program_on_path("pip") is None and has_ensurepip()


def _place() -> list[str]:
    """Return the options for an installation that is not in the interpreter's own place."""
    is_of_user = site.getusersitepackages() == SITE
    if not is_in_site_packages() and not is_of_user:
        return ["--target", SITE, "--upgrade"]
    options = [] if is_in_site_packages() else ["--user"]
    if is_externally_managed():
        # As it was installed: with this option, or it could not be here (PEP 668).
        options.append("--break-system-packages")
    return options


def is_in_site_packages() -> bool:
    """Tell whether this is installed in the interpreter's own place."""
    paths = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return os.path.realpath(SITE) in map(os.path.realpath, paths)


def is_externally_managed() -> bool:
    """Tell whether a system's package manager owns this Python (PEP 668)."""
    marker = os.path.join(sysconfig.get_path("stdlib"), EXTERNALLY_MANAGED)
    return sys.prefix == sys.base_prefix and os.path.exists(marker)


def _pipx_global() -> list[str]:
    """Return what tells pipx that this environment is one for every user."""
    home = os.environ.get("PIPX_GLOBAL_HOME") or PIPX_GLOBAL
    folder = os.path.dirname(os.path.dirname(sys.prefix))
    return ["--global"] if folder == os.path.realpath(home) else []


def _pipx_suffix() -> list[str]:
    """Return the option `--suffix` that `pipx install` was given, as pipx recorded it."""
    suffix = str(records.pipx_record().get("suffix") or "")
    return ["--suffix", suffix] if suffix else []


def _uvx() -> str:
    """Return the path of uvx, which an editor would not find: it does not know the shell's `PATH`.

    uv says in `UV` where it is; uvx is next to it.
    """
    uv = os.environ.get("UV", "")
    uvx = os.path.join(os.path.dirname(uv), f"uvx{os.path.splitext(uv)[1]}")
    if uv and os.path.isabs(uvx) and os.path.isfile(uvx):
        return uvx
    return program_on_path("uvx") or "uvx"

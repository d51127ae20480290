"""Which installer brought this `lean-spec`, and the commands with which it brings a binary back."""

import enum
import importlib.util
import json
import os
import sys
import sysconfig

from leanspec_launcher._search import SITE
from leanspec_launcher._tables import VERSION, Family

from .installed import distribution

MAIN = "lean-spec"
EXTERNALLY_MANAGED = "EXTERNALLY-MANAGED"
COLLECT = "collect the binaries of this checkout: python3 -m scripts collect --help"
WAITS = "  (waits for every running `uvx` and `uv run`, MCP servers too)"
# Where `pipx --global` keeps its environments.
PIPX_GLOBAL = "/opt/pipx"


class Installer(enum.Enum):
    """What installed this `lean-spec`, by the command that installs again."""

    CHECKOUT = "checkout"
    PIP = "pip"
    PIPX = "pipx"
    UV_PIP = "uv pip"
    UV_TOOL = "uv tool"
    UVX = "uvx"
    CONDA = "conda"
    PDM = "pdm"
    SYSTEM = "system"


def installer() -> Installer:
    """Name the installer in use."""
    if not VERSION:
        return Installer.CHECKOUT
    if os.path.exists(os.path.join(sys.prefix, "pipx_metadata.json")):
        return Installer.PIPX
    if os.path.exists(os.path.join(sys.prefix, "uv-receipt.toml")):
        return Installer.UV_TOOL
    own = distribution(MAIN)
    name = own.installer.partition(" ")[0].lower() if own else ""
    if name == "uv":
        return Installer.UVX if _is_in_uv_cache() else Installer.UV_PIP
    known = {"": Installer.PIP, "pip": Installer.PIP, "conda": Installer.CONDA, "pdm": Installer.PDM}
    if name in known:
        return known[name]
    # No system's package manager installs into a virtual environment; poetry and others do, and
    # what they installed, pip can install again.
    return Installer.PIP if sys.prefix != sys.base_prefix else Installer.SYSTEM


def _is_in_uv_cache() -> bool:
    """Tell whether uvx or `uv run --with` installed: their folders in uv's cache have these names."""
    parts = SITE.split(os.sep)
    return any(part.startswith(("archive-v", "environments-v")) for part in parts)


def remedy(family: Family) -> "list[list[str]]":
    """Return the commands that bring a family's binary (back); none if no command of ours could."""
    kind = installer()
    if kind in (Installer.CHECKOUT, Installer.SYSTEM):
        return []
    if kind is not Installer.CONDA and family.extra and distribution(family.distribution) is None:
        return [_add(kind, f"{family.requirement}=={VERSION}")]
    if kind is Installer.UVX:
        return [["uv", "cache", "prune"], ["uv", "cache", "clean", family.distribution]]
    return [_anew(kind, family, f"{family.distribution}=={VERSION}")]


def _anew(kind: Installer, family: Family, wanted: str) -> "list[str]":
    """Return the command that installs a family's wheel again."""
    if kind is Installer.CONDA:
        return ["conda", "install", "--force-reinstall", MAIN, family.distribution]
    if kind is Installer.PIPX:
        # Either pip or uv is behind pipx; both know these options.
        options = ["install", "--force-reinstall", "--no-deps", "--no-cache-dir"]
        return ["pipx", "runpip", *_pipx_options(), os.path.basename(sys.prefix), *options, wanted]
    if kind in (Installer.UV_TOOL, Installer.UV_PIP):
        # Without the cache: uv links files out of it, so one that was changed in place is changed
        # there too. Cleaning it would wait for every `uv run` and `uvx` that is running now.
        return [*_uv_pip(), "--no-cache", "--reinstall", "--no-deps", wanted]
    if kind is Installer.PDM and importlib.util.find_spec("pip") is None:
        return ["pdm", "sync", "--reinstall"]
    return [*_pip(), "--force-reinstall", "--no-deps", wanted]


def newer_pip() -> str:
    """Return what updates this environment's own pip, to be typed before something else; nothing if pip is not used."""
    if installer() is not Installer.PIP or importlib.util.find_spec("pip") is None:
        return ""
    return f"{shown([[sys.executable, '-m', 'pip', 'install', '--upgrade', 'pip']])} && "


def shown(commands: "list[list[str]]") -> str:
    """Write commands as one types them."""
    if sys.platform == "win32":
        from subprocess import list2cmdline

        return " && ".join(map(list2cmdline, commands))
    import shlex

    return " && ".join(map(shlex.join, commands))


def advice(family: Family) -> str:
    """Say what brings a family's binary (back)."""
    commands = remedy(family)
    if commands and commands[0][:2] == ["uv", "cache"]:
        return f"{shown(commands)}{WAITS}"
    if commands:
        return shown(commands)
    if installer() is Installer.SYSTEM:
        return f"reinstall {MAIN} and {family.distribution} with the system's package manager"
    return COLLECT


def _add(kind: Installer, requirement: str) -> "list[str]":
    """Return the command that installs an extra that was left out."""
    if kind is Installer.PIPX:
        suffix = _pipx_suffix()
        options = [*_pipx_options(), *(["--suffix", suffix] if suffix else [])]
        return ["pipx", "install", *options, "--force", requirement]
    if kind is Installer.UV_TOOL:
        return ["uv", "tool", "install", "--reinstall", requirement]
    if kind is Installer.UVX:
        return ["uvx", "--from", requirement, MAIN]
    if kind is Installer.PDM:
        return ["pdm", "add", requirement]
    return [*(_uv_pip() if kind is Installer.UV_PIP else _pip()), requirement]


def _pipx_options() -> "list[str]":
    home = os.environ.get("PIPX_GLOBAL_HOME") or PIPX_GLOBAL
    is_global = os.path.dirname(os.path.dirname(sys.prefix)) == os.path.realpath(home)
    return ["--global"] if is_global else []


def _pipx_suffix() -> str:
    """Return what `pipx install --suffix` was given, as pipx recorded it."""
    try:
        with open(os.path.join(sys.prefix, "pipx_metadata.json"), encoding="utf-8") as file:
            return str(json.load(file)["main_package"]["suffix"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _pip() -> "list[str]":
    options = ["install", *_place()]
    if importlib.util.find_spec("pip") is None:
        # Any other pip can install into this environment.
        return ["pip", "--python", sys.executable, *options]
    return [sys.executable, "-m", "pip", *options]


def _uv_pip() -> "list[str]":
    return ["uv", "pip", "install", "--python", sys.executable, *_place()]


def _place() -> "list[str]":
    """Return the options for an installation that is not in the interpreter's own place."""
    import site

    own = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    if os.path.realpath(SITE) in map(os.path.realpath, own):
        options = []
    elif site.getusersitepackages() == SITE:
        options = ["--user"]
    else:
        return ["--target", SITE, "--upgrade"]
    marker = os.path.join(sysconfig.get_path("stdlib"), EXTERNALLY_MANAGED)
    if sys.prefix == sys.base_prefix and os.path.exists(marker):
        # As it was installed: with this option, or it could not be here (PEP 668).
        options.append("--break-system-packages")
    return options

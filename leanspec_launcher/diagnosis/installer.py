"""Which installer brought this `lean-spec`, and the commands with which it brings a binary back."""

import enum
import importlib.util
import json
import os
import sys
import sysconfig

from leanspec_launcher._search import DIGEST_LENGTH, SITE
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
    PIPX_RUN = "pipx run"
    UV_PIP = "uv pip"
    UV_PROJECT = "uv, in a project"
    UV_TOOL = "uv tool"
    UVX = "uvx"
    CONDA = "conda"
    PDM = "pdm"
    POETRY = "poetry"
    PEX = "pex"
    SHIV = "shiv"
    SYSTEM = "system"


OF_UV = (Installer.UV_TOOL, Installer.UV_PIP, Installer.UV_PROJECT)
RECORDED = {
    "": Installer.PIP,
    "pip": Installer.PIP,
    "conda": Installer.CONDA,
    "pdm": Installer.PDM,
    "poetry": Installer.POETRY,
}


def installer() -> Installer:
    """Name the installer in use."""
    if not VERSION:
        return Installer.CHECKOUT
    return _archive() or _by_place() or _by_record()


def _by_place() -> "Installer | None":
    """Name the installer by what it leaves beside an environment."""
    if os.path.exists(os.path.join(sys.prefix, "pipx_metadata.json")):
        is_kept = os.path.basename(os.path.dirname(sys.prefix)) == "venvs"
        return Installer.PIPX if is_kept else Installer.PIPX_RUN
    if os.path.exists(os.path.join(sys.prefix, "uv-receipt.toml")):
        return Installer.UV_TOOL
    return None


def _by_record() -> Installer:
    """Name the installer by what it recorded of itself (Recording installed projects, The INSTALLER file)."""
    own = distribution(MAIN)
    name = own.installer.partition(" ")[0].lower() if own else ""
    if name == "uv" and _is_in_uv_cache():
        return Installer.UVX
    if name == "uv":
        has_lock = os.path.exists(os.path.join(os.path.dirname(sys.prefix), "uv.lock"))
        return Installer.UV_PROJECT if has_lock else Installer.UV_PIP
    if name in RECORDED:
        return RECORDED[name]
    # No system's package manager installs into a virtual environment. What others installed there, pip can install
    # again.
    return Installer.PIP if sys.prefix != sys.base_prefix else Installer.SYSTEM


def _archive() -> "Installer | None":
    """Name the kind of archive that this is unpacked from; None if it is from none."""
    if "installed_wheels" in SITE.split(os.sep) or os.path.exists(os.path.join(sys.prefix, "PEX-INFO")):
        return Installer.PEX
    folder, name = os.path.split(SITE)
    digest = os.path.basename(folder).rpartition("_")[2]
    is_shiv = name == "site-packages" and len(digest) == DIGEST_LENGTH and sys.prefix not in SITE
    return Installer.SHIV if is_shiv else None


def unpacked() -> str:
    """Return the folder that an archive unpacks itself into, and again if it is not there."""
    if installer() is Installer.SHIV:
        return os.path.dirname(SITE)
    above, found, _ = SITE.partition(f"{os.sep}installed_wheels{os.sep}")
    return above if found else sys.prefix


def _is_in_uv_cache() -> bool:
    """Tell whether uvx or `uv run --with` installed: their folders in uv's cache have these names."""
    parts = SITE.split(os.sep)
    return any(part.startswith(("archive-v", "environments-v")) for part in parts)


def remedy(family: Family) -> "list[list[str]]":
    """Return the commands that bring a family's binary (back); none if no command of ours could."""
    kind = installer()
    if kind in (Installer.CHECKOUT, Installer.SYSTEM, Installer.PEX, Installer.SHIV):
        return []
    if kind is not Installer.CONDA and family.extra and distribution(family.distribution) is None:
        return [_add(kind, family)]
    if kind is Installer.PIPX_RUN:
        return [["pipx", "run", "--no-cache", "--spec", f"{MAIN}=={VERSION}", family.program]]
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
    if kind in OF_UV:
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


def healing(family: Family) -> "list[str]":
    """Return the command that brings a binary back and mends uv's cache as well; nothing for other installers.

    It works with an index alone: what uv has from a folder, or offline, it does not fetch anew.
    """
    if installer() not in OF_UV:
        return []
    name = family.distribution
    options = ["--refresh-package", name, "--reinstall-package", name, "--no-deps"]
    return [*_uv_pip(), *options, f"{name}=={VERSION}"]


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
    if installer() in (Installer.PEX, Installer.SHIV):
        return (
            f"remove `{unpacked()}`, which the archive unpacks again; if the archive itself is damaged, build it again"
        )
    if installer() is Installer.SYSTEM:
        return f"reinstall {MAIN} and {family.distribution} with the system's package manager"
    return COLLECT


def _add(kind: Installer, family: Family) -> "list[str]":
    """Return the command that installs an extra that was left out."""
    wanted, pinned = family.requirement, f"{family.requirement}=={VERSION}"
    ways = {
        Installer.PIPX: ["pipx", "install", *_pipx_options(), *_pipx_suffix(), "--force", pinned],
        Installer.PIPX_RUN: ["pipx", "run", "--spec", pinned, family.program],
        # As it was asked for: what is pinned here is never upgraded again.
        Installer.UV_TOOL: ["uv", "tool", "install", "--reinstall", f"{wanted}{_uv_specifier()}"],
        Installer.UVX: ["uvx", "--from", pinned, family.program],
        Installer.UV_PROJECT: ["uv", "add", "--project", os.path.dirname(sys.prefix), wanted],
        Installer.UV_PIP: [*_uv_pip(), pinned],
        Installer.PDM: ["pdm", "add", wanted],
        Installer.POETRY: ["poetry", "add", wanted],
    }
    return ways.get(kind) or [*_pip(), pinned]


def _uv_specifier() -> str:
    """Return the version that `uv tool install` was asked for, as uv recorded it; nothing if any will do."""
    import re

    try:
        with open(os.path.join(sys.prefix, "uv-receipt.toml"), encoding="utf-8") as file:
            found = re.search(rf'\{{[^}}]*name = "{MAIN}"[^}}]*specifier = "([^"]*)"', file.read())
    except (OSError, ValueError):
        return ""
    return found[1] if found else ""


def _pipx_options() -> "list[str]":
    home = os.environ.get("PIPX_GLOBAL_HOME") or PIPX_GLOBAL
    is_global = os.path.dirname(os.path.dirname(sys.prefix)) == os.path.realpath(home)
    return ["--global"] if is_global else []


def _pipx_suffix() -> "list[str]":
    """Return the option `--suffix` that `pipx install` was given, as pipx recorded it."""
    try:
        with open(os.path.join(sys.prefix, "pipx_metadata.json"), encoding="utf-8") as file:
            suffix = str(json.load(file)["main_package"]["suffix"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return ["--suffix", suffix] if suffix else []


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

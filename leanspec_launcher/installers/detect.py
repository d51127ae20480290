"""Which installer brought this `lean-spec`, by the traces that each leaves."""

import enum
import os
import sys

from leanspec_launcher._pins import VERSION
from leanspec_launcher._search import DIGEST_LENGTH, SITE, checkout_directory, is_absolute

from . import uv_tool
from .records import distribution

MAIN = "lean-spec"


class Installer(enum.Enum):
    """What installed this `lean-spec`, by the command that installs again."""

    CHECKOUT = "checkout"
    SOURCES = "from sources"
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
    if VERSION:
        return _archive() or _by_place() or _by_record()
    # Only a release has pins, and only a checkout can collect what it runs.
    return Installer.CHECKOUT if checkout_directory() else Installer.SOURCES


def of_sources() -> Installer:
    """Name the installer that built this from sources."""
    return _by_place() or _by_record()


def _by_place() -> "Installer | None":
    """Name the installer by what it leaves next to an environment."""
    if os.path.exists(os.path.join(sys.prefix, "pipx_metadata.json")):
        is_kept = os.path.basename(os.path.dirname(sys.prefix)) == "venvs"
        return Installer.PIPX if is_kept else Installer.PIPX_RUN
    return Installer.UV_TOOL if uv_tool.is_one() else None


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
    # No system's package manager installs into a virtual environment. What others installed there,
    # pip can install again.
    return Installer.PIP if sys.prefix != sys.base_prefix else Installer.SYSTEM


def _archive() -> "Installer | None":
    """Name the kind of archive that this is unpacked from; None if it is from none."""
    if "installed_wheels" in SITE.split(os.sep) or os.path.exists(
        os.path.join(sys.prefix, "PEX-INFO")
    ):
        return Installer.PEX
    folder, name = os.path.split(SITE)
    digest = os.path.basename(folder).rpartition("_")[2]
    is_shiv = (
        name == "site-packages" and len(digest) == DIGEST_LENGTH and sys.prefix not in SITE
    )
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


def program(name: str) -> "str | None":
    """Return an installer's program: its absolute path, or the one in the first folder of `PATH` that has it.

    Not shutil.which, which also looks into the working directory (Windows, relative entries).
    """
    if is_absolute(name):
        return name
    suffixes = (".exe",) if os.name == "nt" else ("",)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for suffix in suffixes:
            path = os.path.join(folder, name + suffix)
            if is_absolute(folder) and os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return None

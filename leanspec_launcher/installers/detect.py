"""Traces that installers leave, and their programs on this machine."""

from __future__ import annotations

import importlib.util
import os
import sys

from leanspec_launcher._pins import VERSION
from leanspec_launcher._search import DIGEST_LENGTH, SITE, checkout_directory, is_absolute

from .records import PIPX_RECORD, UV_RECEIPT, recorded_installer

MAIN = "lean-spec"


def traces() -> set[str]:
    """Return the traces of this installation, as the table of installers calls them."""
    recorder = recorded_installer(MAIN).partition(" ")[0].lower() or "pip"
    above, folders = os.path.dirname(sys.prefix), SITE.split(os.sep)
    signs = {
        f"by {recorder}": True,
        # Only a release has pins, and only a checkout can collect what it runs.
        "no pins": not VERSION,
        "checkout": bool(checkout_directory()),
        "pex": "installed_wheels" in folders or _is_in_prefix("PEX-INFO"),
        "shiv": _is_in_shiv(),
        "pipx record": _is_in_prefix(PIPX_RECORD),
        "kept": os.path.basename(above) == "venvs",
        "uv receipt": _is_in_prefix(UV_RECEIPT),
        # How uv calls the folders of uvx and `uv run --with`.
        "uv cache": any(
            folder.startswith(("archive-v", "environments-v")) for folder in folders
        ),
        "uv lock": os.path.exists(os.path.join(above, "uv.lock")),
        # No system's package manager installs into a virtual environment. What others installed
        # there, pip can install again.
        "for pip": recorder == "pip" or sys.prefix != sys.base_prefix,
    }
    return {name for name, is_there in signs.items() if is_there}


def _is_in_prefix(name: str) -> bool:
    return os.path.exists(os.path.join(sys.prefix, name))


def _is_in_shiv() -> bool:
    """Tell whether this is unpacked from an archive of shiv."""
    folder, name = os.path.split(SITE)
    digest = os.path.basename(folder).rpartition("_")[2]
    is_unpacked = name == "site-packages" and len(digest) == DIGEST_LENGTH
    return is_unpacked and sys.prefix not in SITE


def unpacked() -> str:
    """Return the folder that an archive unpacks itself into, and again if it is not there."""
    above, separator, _ = SITE.partition(f"{os.sep}installed_wheels{os.sep}")
    if separator:
        return above
    return os.path.dirname(SITE) if _is_in_shiv() else sys.prefix


def program_on_path(name: str, suffix: str = ".exe") -> str | None:
    """Return a program: its absolute path, or the one in the first folder of `PATH` that has it.

    Not shutil.which, which also looks into the working directory (Windows, relative entries).
    """
    if is_absolute(name):
        return name
    file = f"{name}{suffix}" if os.name == "nt" else name
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, file)
        if is_absolute(folder) and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def has_pip() -> bool:
    """Tell whether pip is in this environment, which it is not if uv made it."""
    return importlib.util.find_spec("pip") is not None


def has_ensurepip() -> bool:
    """Tell whether this Python can install a pip of its own."""
    return importlib.util.find_spec("ensurepip") is not None


def has_uv() -> bool:
    """Tell whether a shell finds uv. What brought one of its own along (hatch) may have left none on the path."""
    return program_on_path("uv") is not None

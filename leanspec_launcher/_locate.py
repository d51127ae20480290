"""Where may a binary be? One ordered list of places serves the launch, its error text and `which`."""

import os
import sys

from ._families import Family
from ._pins import SHA256
from ._platforms import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECTORY_VARIABLE = "LEANSPEC_BINARIES_DIR"
VARIABLE, LOCAL, WHEEL, STORE = "variable", "local", "wheel", "store"
# The folder that holds the package `leanspec_launcher`: site-packages, or a checkout.
HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def candidates(family: Family, platform: Platform) -> "Iterator[tuple[str, str]]":
    """Yield each place as (origin, path), in the order in which the first one that exists is taken.

    Never a folder of `PATH`, never one found from the working directory: that would run a stranger's file.
    """
    executable = family.program + platform.suffix
    chosen = os.environ.get(family.variable)
    if chosen:
        yield VARIABLE, chosen
        return  # what the user names is taken or refused, never passed over
    directory = local_directory()
    if directory:
        yield LOCAL, local_path(directory, family, platform)
    beside = os.path.join(HOME, family.package, "bin", executable)
    yield WHEEL, beside
    for folder in sys.path:
        # A relative entry means the working directory.
        path = os.path.join(folder, family.package, "bin", executable)
        if path != beside and os.path.isabs(folder):
            yield WHEEL, path
    pin = SHA256.get(family.name, {}).get(platform.key)
    store = store_directory()
    if pin and store:
        yield STORE, os.path.join(store, pin, executable)


def local_directory() -> str:
    """Return the local binaries directory: the user's, or that of the checkout that this file lies in; else nothing."""
    chosen = os.environ.get(DIRECTORY_VARIABLE)
    if chosen:
        return chosen
    checkout = os.path.join(HOME, "platform_wheels")
    return checkout if os.path.isdir(checkout) else ""


def local_path(directory: str, family: Family, platform: Platform) -> str:
    """Return where an executable lies in a binaries directory: `<family>/binaries/<platform>/<executable>`."""
    return os.path.join(directory, family.name, "binaries", platform.key, family.program + platform.suffix)


def store_directory() -> str:
    """Return where fetched and verified binaries are kept, by their sha256; empty where there is no place."""
    if sys.platform == "win32":
        return _under("LOCALAPPDATA", "lean-spec", "binaries")
    if sys.platform == "darwin":
        return _under("HOME", "Library", "Application Support", "lean-spec", "binaries")
    return _under("XDG_DATA_HOME", "lean-spec", "binaries") or _under(
        "HOME", ".local", "share", "lean-spec", "binaries"
    )


def cache_directory() -> str:
    """Return the folder for what can be made anew at any time; empty where there is no place."""
    if sys.platform == "win32":
        return _under("LOCALAPPDATA", "lean-spec", "Cache")
    if sys.platform == "darwin":
        return _under("HOME", "Library", "Caches", "lean-spec")
    return _under("XDG_CACHE_HOME", "lean-spec") or _under("HOME", ".cache", "lean-spec")


def _under(variable: str, *parts: str) -> str:
    folder = os.environ.get(variable, "")
    return os.path.join(folder, *parts) if os.path.isabs(folder) else ""

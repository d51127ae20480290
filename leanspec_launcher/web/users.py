"""Other users of this machine, who reach whatever listens on it."""

from __future__ import annotations

import os
import sys

# Where the home folders of people are, and the profiles of Windows that are nobody's.
HOMES = ("/home", "/Users")
NOBODYS = ("All Users", "Default", "Default User", "Public")
# Accounts below are the system's own.
FIRST_PERSON = 500


def has_others() -> bool:
    """Tell whether other users have a home folder here: people whom loopback keeps from nothing.

    It is a guess, for a note: accounts of a directory server count once they have a folder, and an
    account that nobody uses any more counts too.
    """
    home = os.path.expanduser("~")
    return any(_has_others(folder, home) for folder in {*HOMES, os.path.dirname(home)})


def _has_others(folder: str, home: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.is_dir() and _is_others(entry, home) for entry in entries)
    except OSError:
        return False


def _is_others(entry: os.DirEntry[str], home: str) -> bool:
    if sys.platform == "win32":
        return entry.name not in (*NOBODYS, os.path.basename(home))
    owner = entry.stat().st_uid
    return owner >= FIRST_PERSON and owner != os.geteuid()

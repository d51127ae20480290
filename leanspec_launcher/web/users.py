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
    own = os.path.expanduser("~")
    return any(_has_others(folder, own) for folder in {*HOMES, os.path.dirname(own)})


def _has_others(folder: str, own: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.is_dir() and _is_others(entry, own) for entry in entries)
    except OSError:
        return False


def _is_others(entry: os.DirEntry[str], own: str) -> bool:
    if sys.platform == "win32":
        return entry.name not in (*NOBODYS, os.path.basename(own))
    owner = entry.stat().st_uid
    return owner >= FIRST_PERSON and owner != os.geteuid()

"""Folders of lean-spec itself, as platformdirs names them, for all that is not a start."""

import os
import sys

from ._search import OURS, stamp_directory, store_directory

IS_WINDOWS = sys.platform == "win32"
# The variables that name the folders of a user: the home, and those for data and caches.
HOME = "USERPROFILE" if IS_WINDOWS else "HOME"
DATA = "LOCALAPPDATA" if IS_WINDOWS else "HOME"
CACHE = "LOCALAPPDATA" if IS_WINDOWS else "XDG_CACHE_HOME"


def store() -> str:
    """Return the folder of downloaded programs; empty if there is none."""
    return _folder("user_data_dir", store_directory())


def cache() -> str:
    """Return the folder of the results of verifications; empty if there is none."""
    return _folder("user_cache_dir", stamp_directory())


def _folder(name: str, of_a_start: str) -> str:
    if not of_a_start:
        return ""  # without a home, of which platformdirs asks the system's list of users
    import platformdirs  # 14 ms, which only those who need a folder pay

    above: str = getattr(platformdirs, name)(OURS, appauthor=False)
    folder = os.path.join(above, os.path.basename(of_a_start))
    # What no start looks into is of no use: for Python 3.9 there is only a platformdirs that reads no
    # `XDG_DATA_HOME` on macOS.
    return folder if folder == of_a_start else ""

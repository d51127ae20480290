"""Further attempts to start a verified binary: with its run bit, or when nobody writes it any more."""

import errno
import os
import stat
import time

from leanspec_launcher._search import OFF, VARIABLE, Place, verification

from .loader import is_noexec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BUSY_SECONDS, BUSY_PAUSE = 2.0, 0.05


def retry(place: Place, error: Exception, action: "Callable[[str], int]") -> int:
    """Start a binary again if that may help after an error; return the exit code.

    A verified file that only lacks its run bit gets it; for one that is being written, this waits
    two seconds at most. Raises the error of the last attempt.
    """
    until = time.monotonic() + BUSY_SECONDS
    while (_is_busy(error) and time.monotonic() < until) or _got_run_bit(place, error):
        if _is_busy(error):
            time.sleep(BUSY_PAUSE)
        try:
            return action(place.path)
        except OSError as another:
            error = another
    raise error


def _is_busy(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ETXTBSY


def _got_run_bit(place: Place, error: Exception) -> bool:
    """Give a verified file its run bit, which some installers drop; tell whether that worked."""
    is_verified = place.origin != VARIABLE and verification() != OFF
    if not is_verified or not isinstance(error, PermissionError):
        return False
    try:
        mode = os.stat(place.path).st_mode
        is_well = os.access(place.path, os.X_OK) or is_noexec(place.path)
        if is_well or not stat.S_ISREG(mode):
            return False
        # Whoever may read it may run it.
        os.chmod(place.path, stat.S_IMODE(mode) | (mode & 0o444) >> 2)
    except OSError:
        return False
    return os.access(place.path, os.X_OK)

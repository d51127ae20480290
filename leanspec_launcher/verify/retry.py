"""Further attempts to start a verified binary: with its run bit, or when nobody writes it any more."""

import errno
import os
import stat
import time

from leanspec_launcher._search import OFF, VARIABLE, Place, Start

from .loader import is_noexec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BUSY_SECONDS, BUSY_PAUSE = 2.0, 0.05


def retry(
    start: Start, place: Place, error: OSError, action: "Callable[[str], int]"
) -> int:
    """Start a binary again if that may help after an error; return the exit code.

    A verified file that only lacks its run bit gets it; for one that is being written, this waits
    two seconds at most. Raises the error of the last attempt.
    """
    is_verified = place.origin != VARIABLE and start.verification != OFF
    until = time.monotonic() + BUSY_SECONDS
    while True:
        may_get_run_bit = is_verified and isinstance(error, PermissionError)
        if error.errno == errno.ETXTBSY and time.monotonic() < until:
            time.sleep(BUSY_PAUSE)
        elif not may_get_run_bit or not _gets_run_bit(place.path):
            raise error
        try:
            return action(place.path)
        except OSError as another:
            error = another


def _gets_run_bit(path: str) -> bool:
    """Give a verified file its run bit, which some installers drop; tell whether that worked."""
    try:
        mode = os.stat(path).st_mode
        is_runnable = os.access(path, os.X_OK) or is_noexec(path)
        if is_runnable or not stat.S_ISREG(mode):
            return False
        # Whoever may read it may run it.
        os.chmod(path, stat.S_IMODE(mode) | (mode & 0o444) >> 2)
    except OSError:
        return False
    return os.access(path, os.X_OK)

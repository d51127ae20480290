"""The process that listens on a port: another user's may have it, or another program of this user."""

import contextlib
import os
import sys
from collections.abc import Iterator

# Of proc(5): the tables of sockets, the state of a socket that listens, and three columns.
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTENS = "0A"
ADDRESS, STATE, INODE = 1, 3, 9


def is_listening(process: int, port: int) -> bool:
    """Tell whether a process is this user's and listens on a port.

    Only Linux tells who listens: elsewhere, that the process runs has to do.
    """
    if sys.platform == "win32":
        from .windows import is_running

        return is_running(process)
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if not sockets:
        return _is_running(process)
    try:
        is_ours = os.stat(f"/proc/{process}").st_uid == os.geteuid()
        return is_ours and not sockets.isdisjoint(_open_files(process))
    except OSError:
        return False


def _listening(port: int) -> Iterator[str]:
    """Yield the inode of each socket that listens on a port; nothing if the system does not tell."""
    for table in TABLES:
        with contextlib.suppress(OSError), open(table) as file:
            for line in file:
                columns = line.split()
                is_here = columns[ADDRESS].endswith(f":{port:04X}")
                if is_here and columns[STATE] == LISTENS:
                    yield columns[INODE]


def _open_files(process: int) -> Iterator[str]:
    folder = f"/proc/{process}/fd"
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(os.path.join(folder, name))


def _is_running(process: int) -> bool:
    """Tell whether a process of this user runs: nobody may send a signal to another user's."""
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True

"""Is this the file that it should be? A full hash once a file state, then a stamp.

A stamp is an empty file in the user's cache folder whose name states what was verified: device, inode, size, times and
the digest. To look one up is one system call, many processes may make the same one at once, and none is ever half
written.
"""

import os

from ._families import Family
from ._locate import LOCAL, VARIABLE, cache_directory
from ._pins import SHA256
from ._platforms import Platform

MODE_VARIABLE = "LEANSPEC_VERIFY"
RECORD_NAME = "binary.json"
DIGEST_LENGTH = 64
# A change within one tick of the file system's clock leaves the times as they were. A file that changed so short a
# time ago is hashed again at the next start.
SETTLED_NANOSECONDS = 3_000_000_000
MOST_STAMPS = 200


class Refusal(Exception):  # noqa: N818 - a verdict on a file, which `which` shows as such
    """Say why a file is not to be run, and what was expected of it."""

    def __init__(self, reason: str, expected: str = "", found: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.expected = expected
        self.found = found


def check(origin: str, path: str, family: Family, platform: Platform, *, full: bool = False) -> None:
    """Make sure that the file at `path` is the one that its origin promises.

    `full` hashes it whatever the stamp and the user's setting say. The first start of a file also asks the system's
    loader about it. Raises Refusal where it is another one, where nothing says which one it should be, or where the
    loader would give up on it; OSError where it cannot be read.
    """
    if not os.path.isabs(path):
        raise Refusal("it is a relative path, which depends on the working directory")
    if origin == VARIABLE:
        return  # the user's own choice; nothing else is known of it
    mode = "always" if full else os.environ.get(MODE_VARIABLE) or "once"
    if mode == "off":
        return
    expected = expected_digest(origin, path, family, platform)
    stamp = stamp_path(path, expected)
    # Any other word than these two gets the strictest treatment.
    if mode == "once" and stamp and os.path.exists(stamp):
        return
    found = digest(path)
    if found != expected:
        raise Refusal("its sha256 is not the expected one", expected, found)
    if mode == "once":
        from ._program import objection

        problem = objection(path)
        if problem:
            raise Refusal(problem)
    if stamp and stamp == stamp_path(path, expected):
        _write_stamp(stamp)


def expected_digest(origin: str, path: str, family: Family, platform: Platform) -> str:
    """Return the sha256 that a file should have: pinned, or for a local binary as recorded beside it."""
    if origin == LOCAL:
        return _recorded_digest(os.path.join(os.path.dirname(path), RECORD_NAME))
    pin = SHA256.get(family.name, {}).get(platform.key)
    if not pin:
        raise Refusal("this lean-spec carries no checksum for it")
    return pin


def _recorded_digest(path: str) -> str:
    """Read the one `sha256` of a binary.json without the json module, which costs a launch 9 ms."""
    try:
        with open(path, encoding="utf-8") as file:
            parts = file.read(100_000).split('"sha256": "')
    except (OSError, ValueError):
        raise Refusal(f"nothing says which file it should be: `{path}` cannot be read") from None
    found = parts[-1][: DIGEST_LENGTH + 1]
    if len(parts) != 2 or not found.endswith('"') or found.strip('0123456789abcdef"'):  # noqa: PLR2004 - exactly one
        raise Refusal(f"nothing says which file it should be: `{path}` has no `sha256`")
    return found[:DIGEST_LENGTH]


def digest(path: str) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    import hashlib

    total = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def stamp_path(path: str, expected: str) -> str:
    """Return where the stamp of a file's present state would be; empty where there can be none."""
    folder = cache_directory()
    if not folder:
        return ""
    state = os.stat(path)
    numbers = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    return os.path.join(folder, "verified", ".".join([f"{number:x}" for number in numbers]) + "." + expected)


def _write_stamp(stamp: str) -> None:
    """Leave a stamp, unless the file changed just now; where none can be written, the next start hashes again."""
    import time

    times = os.path.basename(stamp).split(".")[3:5]
    if time.time_ns() - max([int(number, 16) for number in times]) < SETTLED_NANOSECONDS:
        return
    folder = os.path.dirname(stamp)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.close(os.open(stamp, os.O_WRONLY | os.O_CREAT, 0o600))
        names = os.listdir(folder)
        if len(names) > MOST_STAMPS:
            for name in names:
                if name != os.path.basename(stamp):
                    os.unlink(os.path.join(folder, name))
    except OSError:
        return

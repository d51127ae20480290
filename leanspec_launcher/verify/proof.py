"""Verification of a file: a full hash, a question to the system's loader, then a stamp.

A stamp is an empty file in the user's cache folder. Its name says what was proved: device, inode,
size and times of a file, and its digest. To look one up is one system call; many processes may
leave the same one; none is half written.
"""

import os
import stat
import sys

from leanspec_launcher._search import (
    DIGEST_LENGTH,
    LOCAL,
    ONCE,
    OURS,
    RECORD_NAME,
    VARIABLE,
    Place,
    Start,
    is_absolute,
    is_trusted,
    libraries,
    stamp_directory,
    state_of,
)
from leanspec_launcher._tables import SCRIPTS_VARIABLE, Program

from . import refuse
from .loader import must_load

# A change within one tick of the file system's clock leaves the times as they were. A file that
# changed so short a time ago is hashed again at the next start.
SETTLED_NANOSECONDS = 3_000_000_000
MOST_STAMPS = 200
# Far above any program of ours: a larger file would only be read for a long time.
MOST_BYTES = 1 << 30
# Scripts may be nested: one starts the program, which starts this command for another project.
MOST_SCRIPTS = 10
# Far above any installer's script, in bytes.
MOST_SCRIPT = 100_000
BATCH_FILES = (".bat", ".cmd")
HEXADECIMAL = set("0123456789abcdef")
# Five numbers of a state, and a SHA-256.
PARTS_OF_A_STAMP = 6


class VerifiedFile:
    """A file that has the right digest, with the libraries of its wheel, and that the loader accepts.

    Verifies the file on construction; raises Refusal.
    """

    __slots__ = ("sha256", "stamps")

    def __init__(self, path: str, digests: "tuple[str, ...]") -> None:
        before = state_of(path)
        self.sha256 = digest(path, MOST_BYTES)
        if self.sha256 not in digests:
            text = "its SHA-256 is not the expected one"
            refuse("CHANGED", text, expected=digests, actual=self.sha256)
        states, self.stamps = {path: before}, [(before, self.sha256)]
        for library, pin in libraries(path, self.sha256):
            states[library] = _verify_library(library, pin)
            self.stamps.append((states[library], pin))
        must_load(path)
        # A file that has changed since it was read is not the one that was verified.
        for file, state in states.items():
            if not state or state != state_of(file):
                self.stamps = []


def _verify_library(path: str, pin: str) -> str:
    """Return the state of a library that has the right digest. Raises Refusal if it has not."""
    actual, state = "", ""
    if os.path.isfile(path):
        state = state_of(path)
        actual = digest(path, MOST_BYTES)
    if actual != pin:
        problem = "has another SHA-256 than the expected one" if actual else "is missing"
        text = f"its library `{path}` {problem}"
        refuse("CHANGED", text, expected=(pin,), actual=actual)
    return state


def verify(start: Start, place: Place) -> None:
    """Verify the file at a place that is about to be started, and cache that for the next start.

    Raises Refusal if it is not to be started, OSError if it cannot be read.
    """
    file = verified_file(start, place)
    if file is None:
        count_scripts()
    elif start.verification == ONCE:
        leave_stamps(file.stamps)


def count_scripts() -> None:
    """Count the scripts that started this command. Raises Refusal if one does so for ever.

    In a variable, because neither `exec` nor a child leaves anything else behind.
    """
    count = os.environ.get(SCRIPTS_VARIABLE, "")
    # What has more digits was not counted here.
    is_ours = count.isdecimal() and len(count) <= len(str(MOST_SCRIPTS))
    number = int(count) if is_ours else 0
    if number >= MOST_SCRIPTS:
        refuse("OWN_COMMAND", "it is a script that starts this command again, for ever")
    os.environ[SCRIPTS_VARIABLE] = str(number + 1)


def verified_file(start: Start, place: Place) -> "VerifiedFile | None":
    """Verify that the file at a place is the one that it should be; None if the user answers for it.

    Changes nothing. Raises Refusal if it is another one, if nothing says which one it should be, or
    if the system's loader would give up on it; OSError if it cannot be read.
    """
    _must_be_named_well(place)
    if place.origin == VARIABLE:
        return None
    digests = start.expected(place)
    if not digests:
        _refuse_without_digest(place)
    return VerifiedFile(place.path, digests)


def _must_be_named_well(place: Place) -> None:
    # Windows leaves out dots and spaces at a name's end, also when it looks for the extension.
    has_batch_name = place.path.rstrip(". ").lower().endswith(BATCH_FILES)
    if place.origin == VARIABLE and _is_this_command(place.path):
        _refuse_loop()
    if has_batch_name and sys.platform == "win32":
        text = "it is a batch file, which would read the arguments as commands"
        refuse("BATCH_FILE", text)
    if not is_absolute(place.path):
        text = "it is a relative path, which depends on the working directory"
        refuse("RELATIVE", text)


def _refuse_loop() -> None:
    refuse("OWN_COMMAND", "it is this very command, which would start itself for ever")


def must_be_no_script_of(program: Program, path: str) -> None:
    """Raise Refusal if a file that a user names is an installer's script for a program's command.

    That would start the launcher again, which would find the same variable.
    """
    import_line = f"from leanspec_launcher import {program.name}\n".encode()
    if os.path.isfile(path) and os.path.getsize(path) < MOST_SCRIPT:
        with open(path, "rb") as file:
            if import_line in file.read():
                _refuse_loop()


def _is_this_command(path: str) -> bool:
    """Tell whether a path is that of the script that runs now; the second round of a loop is."""
    try:
        return os.path.samefile(path, sys.argv[0])
    except OSError:
        return path == sys.argv[0]


def _refuse_without_digest(place: Place) -> None:
    if place.origin != LOCAL:
        refuse("NO_CHECKSUM", "this lean-spec has no checksum for it")
    record = os.path.join(os.path.dirname(place.path), RECORD_NAME)
    text = f"cannot verify it: `{record}` is missing, unreadable, or has no `sha256`"
    refuse("NO_RECORD", text)


def digest(path: str, limit: "int | None" = None) -> str:
    """Return the SHA-256 of a regular file, in hexadecimal.

    `limit` is in bytes: a program has one, a file of a release has none. Raises Refusal if the file
    is not a regular one, or is larger.
    """
    import hashlib

    total = hashlib.sha256()
    # Opening a FIFO would wait for somebody to write to it; opening a device may do anything.
    _must_be_readable_to_its_end(os.stat(path), limit)
    with open(path, "rb", buffering=0) as file:
        _must_be_readable_to_its_end(os.fstat(file.fileno()), limit)
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def _must_be_readable_to_its_end(state: os.stat_result, limit: "int | None") -> None:
    if stat.S_ISDIR(state.st_mode):
        refuse("NOT_A_FILE", "it is a directory")
    if not stat.S_ISREG(state.st_mode):
        refuse("NOT_A_FILE", "it is not a regular file")
    if limit is not None and state.st_size > limit:
        text = f"it has {state.st_size} bytes, more than any program of LeanSpec"
        refuse("TOO_LARGE", text)


def leave_stamps(stamps: "list[tuple[str, str]]") -> None:
    """Leave a stamp for each state of a verified file, or for none of them.

    None is left if a file changed just now, or if no folder is this user's alone: then the next
    start hashes again.
    """
    folder = stamp_directory()
    settled = [_is_settled(state) for state, _ in stamps]
    if not settled or not all(settled) or not folder or not make_private(folder):
        return
    names = [f"{state}.{pin}" for state, pin in stamps]
    try:
        # The executable's last: it says that the others are there.
        for name in reversed(names):
            _leave(os.path.join(folder, name))
        _prune(folder, names)
    except OSError:
        return


def _leave(stamp: str) -> None:
    # Never through a link, never a file that is there already.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        os.close(os.open(stamp, flags, 0o600))
    except FileExistsError:
        return


def _is_settled(state: str) -> bool:
    import time

    latest = max(int(number, 16) for number in state.split(".")[3:])
    return time.time_ns() - latest > SETTLED_NANOSECONDS


def make_private(folder: str) -> bool:
    """Make a folder of ours for this user alone, if it is missing; tell whether it may be used.

    Nothing is made in a folder of somebody else: as root with a user's `HOME`, it would be root's.
    """
    above, missing = folder, []
    while not os.path.lexists(above):
        missing.append(above)
        above = os.path.dirname(above)
    # A folder above `lean-spec` need not be private: it has to be this user's.
    is_above = OURS in map(os.path.basename, missing)
    if missing and not (_is_this_users(above) if is_above else is_trusted(above)):
        return False
    for path in reversed(missing):
        _make(path)
    return is_trusted(folder)


def _make(folder: str) -> None:
    try:
        os.mkdir(folder, 0o700)
    except OSError:
        return  # another start may have made it at the same time


def _is_this_users(folder: str) -> bool:
    """Tell whether a folder is this user's; it may be reached through a link of this user."""
    if sys.platform == "win32":
        return True
    try:
        owners = {os.lstat(folder).st_uid, os.stat(folder).st_uid}
        return owners == {os.geteuid()}
    except OSError:
        return False


def _prune(folder: str, newest: "list[str]") -> None:
    """Remove all stamps but the newest, if there are many; nothing else is touched."""
    stamps = [name for name in os.listdir(folder) if is_stamp(name)]
    if len(stamps) > MOST_STAMPS:
        for name in stamps:
            if name not in newest:
                os.unlink(os.path.join(folder, name))


def is_stamp(name: str) -> bool:
    """Tell whether a file's name is that of a stamp."""
    parts = name.split(".")
    has_form = len(parts) == PARTS_OF_A_STAMP and len(parts[-1]) == DIGEST_LENGTH
    return has_form and all(part and HEXADECIMAL.issuperset(part) for part in parts)

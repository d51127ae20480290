"""Search order, expected checksums, and the cache of verified files.

On the hot path. A launch, its explanation and every management command ask these same functions.
"""

import os
import stat
import sys

from ._pins import LIBRARIES, SHA256
from ._tables import (
    ANYWHERE_VARIABLE,
    DEBUG_VARIABLE,
    DIRECTORY_VARIABLE,
    VERIFY_VARIABLE,
    Platform,
    Program,
    current,
    is_on,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

VARIABLE, LOCAL, WHEEL, STORE = "variable", "local", "wheel", "store"
# The folder that contains the package `leanspec_launcher`: site-packages, or a checkout.
SITE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The name of every folder of ours in the user's folders for data and caches.
OURS = "lean-spec"
RECORD_NAME = "binary.json"
MOST_RECORD = 100_000
DIGEST_LENGTH = 64
ONCE, OFF = "once", "off"
# What the MCP server looks for in its working directory, to find a project's specs.
# The server reads the first of them that is there.
ADAPTER_FILES = (
    "leanspec.adapter.yaml",
    os.path.join(".lean-spec", "adapter.yaml"),
    "leanspec.provider.yaml",
    os.path.join(".lean-spec", "provider.yaml"),
)
PROJECT_MARKS = ("specs", *ADAPTER_FILES)


class Place:
    """A place where a binary of a program may be, and how the search came to it."""

    __slots__ = ("origin", "path")

    def __init__(self, origin: str, path: str) -> None:
        self.origin = origin
        self.path = path


class Start:
    """One start of a program on this machine, with the settings of the user. Read once, and then frozen."""

    __slots__ = ("chosen", "debug", "local_dir", "platform", "program", "verification")

    def __init__(self, program: Program) -> None:
        self.program: Final = program
        self.platform: Final = current()
        # The executable that the user names in place of all others.
        self.chosen: Final = os.environ.get(program.variable, "")
        self.local_dir: Final = local_directory()
        # `once`, `off`, or another word for always.
        self.verification: Final = os.environ.get(VERIFY_VARIABLE) or ONCE
        self.debug: Final = is_on(DEBUG_VARIABLE)

    def places(self) -> "Iterator[Place]":
        """Yield each place, in the order in which the first one that is there decides.

        Never a folder of `PATH`, never one found from the working directory: a stranger may have put a
        file there. What a user names in a variable works on machines that the table does not know, too.
        """
        program, platform = self.program, self.platform
        if self.chosen:
            yield Place(VARIABLE, self.chosen)
            return  # what the user names is taken or refused, never passed over
        if platform is None:
            return
        if self.local_dir:
            yield Place(LOCAL, local_path(self.local_dir, program, platform))
        inside = os.path.join(program.package, "bin", program.command + platform.suffix)
        beside = os.path.join(SITE, inside)
        yield Place(WHEEL, beside)
        passed = _of_the_working_directory()
        for folder in sys.path:
            path = os.path.join(folder, inside)
            if path != beside and is_absolute(folder) and folder not in passed:
                yield Place(WHEEL, path)
        pin = SHA256.get(program.name, {}).get(platform.key)
        store = store_directory()
        if pin and store:
            # The whole wheel: a program may bring libraries along.
            yield Place(STORE, os.path.join(store, pin, inside))

    def first_place(self) -> Place:
        """Return the place that decides. Raises FileNotFoundError if there is none, OSError as `exists` does."""
        for place in self.places():
            is_there = exists(place)
            if self.debug:
                from ._say import say

                answer = "there" if is_there else "not there"
                say(f"debug: {place.origin} `{place.path}`: {answer}")
            if is_there:
                return place
        raise FileNotFoundError(f"no `{self.program.command}` is installed")

    def must_verify(self, place: Place) -> bool:
        """Tell whether a file has to be verified before it is started. Raises OSError if it is not there.

        It need not be if a stamp says that it was, or if the user says so: with `LEANSPEC_VERIFY=off`,
        or by naming the file. Any other setting than the two known words gets the strictest treatment.
        """
        if not is_absolute(place.path):
            return True
        if place.origin == VARIABLE:
            # On Windows, not every file is a program. A script may start this command again.
            return sys.platform == "win32" or _is_script(place.path)
        if self.verification == OFF:
            return False
        return self.verification != ONCE or not is_cached(place.path, self.expected(place))

    def expected(self, place: Place) -> "tuple[str, ...]":
        """Return the SHA-256 digests that the file at a place may have; none if nothing says them.

        A local binary has the one recorded next to it. Any other is pinned, for each CPU of the
        system: an installer may take the wheel of another CPU, whose programs the system runs as well
        (Rosetta).
        """
        if place.origin == LOCAL:
            return _recorded(os.path.join(os.path.dirname(place.path), RECORD_NAME))
        if place.origin == VARIABLE or self.platform is None:
            return ()
        pins = SHA256.get(self.program.name, {})
        system = self.platform.key.partition("-")[0]
        return tuple([pins[key] for key in pins if key.startswith(f"{system}-")])


def exists(place: Place) -> bool:
    """Tell whether a place decides. Raises OSError if that cannot be known.

    What cannot be looked at is not passed over: the right binary, or a wrong one, may be there.
    """
    if place.origin == VARIABLE:
        return True
    if place.origin == STORE and not is_trusted(os.path.dirname(place.path)):
        return False
    try:
        os.lstat(place.path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def local_directory() -> str:
    """Return the local binaries directory; empty if there is none.

    It is the user's, or that of the checkout that this file is in. A release has pins: what lies
    next to it under this name is not a checkout's.
    """
    chosen = os.environ.get(DIRECTORY_VARIABLE, "")
    if chosen or SHA256:
        return chosen
    return checkout_directory()


def checkout_directory() -> str:
    """Return where the checkout that this file is in keeps its binaries; empty if it is in none."""
    checkout = os.path.join(SITE, "platform_wheels")
    return checkout if os.path.isdir(checkout) else ""


def local_path(directory: str, program: Program, platform: Platform) -> str:
    """Return the path of an executable: `<program>/binaries/<platform>/<executable>`."""
    executable = program.command + platform.suffix
    return os.path.join(directory, program.name, "binaries", platform.key, executable)


def _of_the_working_directory() -> "list[str]":
    """Return the entries of `sys.path` that Python derived from the working directory.

    `python -m` puts it first, and `site` makes the relative entries of `PYTHONPATH` absolute.
    """
    entries = ["", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    try:
        return [os.path.abspath(entry) for entry in entries if not os.path.isabs(entry)]
    except OSError:
        return []  # it was removed, so nothing is in it


def is_absolute(path: str) -> bool:
    r"""Tell whether a path depends on nothing else; on Windows, `\folder` depends on the drive."""
    drive = os.path.splitdrive(path)[0]
    return os.path.isabs(path) and (bool(drive) or sys.platform != "win32")


def store_directory() -> str:
    """Return where downloaded and verified binaries are kept, by SHA-256; empty for nowhere."""
    if sys.platform == "win32":
        return _under("LOCALAPPDATA", OURS, "binaries")
    chosen = _under("XDG_DATA_HOME", OURS, "binaries")
    if sys.platform == "darwin":
        usual = ("Library", "Application Support")
    else:
        usual = (".local", "share")
    return chosen or _under("HOME", *usual, OURS, "binaries")


def stamp_directory() -> str:
    """Return the folder of the stamps; empty for nowhere."""
    if sys.platform == "win32":
        return _under("LOCALAPPDATA", OURS, "Cache", "verified")
    chosen = _under("XDG_CACHE_HOME", OURS, "verified")
    usual = ("Library", "Caches") if sys.platform == "darwin" else (".cache",)
    return chosen or _under("HOME", *usual, OURS, "verified")


def _under(variable: str, *parts: str) -> str:
    folder = os.environ.get(variable, "")
    return os.path.join(folder, *parts) if is_absolute(folder) else ""


def is_trusted(folder: str) -> bool:
    """Tell whether a folder of ours, and each one above it up to `lean-spec`, is this user's alone.

    Stamps and downloads count only there: anyone else could have put them anywhere else.
    """
    while is_private(folder):
        if os.path.basename(folder) == OURS:
            return True
        folder = os.path.dirname(folder)
    return False


def is_private(folder: str) -> bool:
    """Tell whether this is a real folder (no link), this user's, that nobody else may write to."""
    try:
        state = os.lstat(folder)
    except OSError:
        return False
    if not stat.S_ISDIR(state.st_mode):
        return False
    if sys.platform == "win32":
        # A junction is a link too. Owners and modes say nothing here; the profile's ACL does.
        return state.st_reparse_tag == 0
    return state.st_uid == os.geteuid() and not state.st_mode & (
        stat.S_IWGRP | stat.S_IWOTH
    )


def folder_without_project() -> str:
    """Return the working directory if it is `/` or the home folder, and has no specs; else nothing.

    On Windows, the root of the drive or the profile.
    """
    variable = "USERPROFILE" if sys.platform == "win32" else "HOME"
    home = os.environ.get(variable, "")
    try:
        here = os.stat(os.curdir)
        is_root = os.path.samestat(here, os.stat(os.sep))
        # Also through a link: that leads to the same folder.
        if not is_root and not (
            is_absolute(home) and os.path.samestat(here, os.stat(home))
        ):
            return ""
        has_project = any(os.path.exists(mark) for mark in PROJECT_MARKS)
        if has_project or is_on(ANYWHERE_VARIABLE):
            return ""
        return os.getcwd()
    except OSError:
        return ""  # one of the folders is gone, so this is not the other


def _is_script(path: str) -> bool:
    """Tell whether a file is a program for an interpreter."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False  # its start will say why
    try:
        return os.read(handle, 2) == b"#!"
    except OSError:
        return False
    finally:
        os.close(handle)


def _recorded(path: str) -> "tuple[str, ...]":
    """Read the one `sha256` of a binary.json without the json module, which costs a launch 9 ms."""
    try:
        # Opening a FIFO would otherwise wait for somebody to write to it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return ()
    try:
        parts = os.read(handle, MOST_RECORD).split(b'"sha256": "')
    except OSError:
        return ()
    finally:
        os.close(handle)
    digest, quote = parts[-1][:DIGEST_LENGTH], parts[-1][DIGEST_LENGTH : DIGEST_LENGTH + 1]
    if len(parts) != 2 or quote != b'"' or digest.strip(b"0123456789abcdef"):  # noqa: PLR2004 - exactly one
        return ()
    return (digest.decode("ascii"),)


def is_cached(path: str, digests: "tuple[str, ...]") -> bool:
    """Tell whether stamps say that a file, as it is now, was verified to have one of these digests.

    And the libraries that its wheel brings along: they run with it.
    """
    folder = stamp_directory()
    if not folder or not is_trusted(folder):
        return False
    state = state_of(path)
    for digest in digests:
        if state and os.path.lexists(os.path.join(folder, f"{state}.{digest}")):
            files = libraries(path, digest)
            return not files or all(_is_stamped(folder, *file) for file in files)
    return False


def _is_stamped(folder: str, path: str, digest: str) -> bool:
    try:
        state = state_of(path)
    except OSError:
        return False  # its verification says what is wrong with it
    return bool(state) and os.path.lexists(os.path.join(folder, f"{state}.{digest}"))


def libraries(path: str, digest: str) -> "list[tuple[str, str]]":
    """Return the libraries that a wheel brings along with an executable: path and SHA-256 of each."""
    folder = os.path.dirname(path)
    pins = LIBRARIES.get(digest, {})
    paths = [os.path.normpath(os.path.join(folder, name)) for name in pins]
    return list(zip(paths, pins.values()))


def state_of(path: str) -> str:
    """Return what changes with every change of a file; empty if there is no such thing.

    Device, inode, size and times, in hexadecimal. The last one cannot be set by a program.
    """
    state = os.stat(path)
    change = state.st_ctime_ns
    if sys.platform == "win32":
        from .windows.change_time import change_time

        change = change_time(path)
        if not change:
            return ""
    numbers = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, change)
    return ".".join([f"{number:x}" for number in numbers])

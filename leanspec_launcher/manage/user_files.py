"""Replacement of a user's file: it stays what it was, apart from its text, and no other change of it is lost."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from leanspec_launcher.commands import CommandError

# Claude Code keeps a history in its file. The editors are linear: 5 MB of JSON take a few seconds.
LARGEST = 10_000_000
BACKUP = ".before-leanspec"
# Windows has neither of the first two, and translates line ends without the third.
READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
READ |= getattr(os, "O_BINARY", 0)
WRITE = READ | os.O_RDWR
CREATE = WRITE | os.O_CREAT | os.O_EXCL
# Arguments of Linux's renameat2.
WORKING_DIRECTORY, EXCHANGE = -100, 2
EXCHANGES = 20
LEASE_SECONDS = 1.0


class ChangedError(CommandError):
    """A change of somebody else, after the file was read."""


class Snapshot(NamedTuple):
    """Identity and bytes of a file."""

    device: int
    inode: int
    data: bytes


@dataclass(frozen=True)
class UserFile:
    """A user's file as it was read."""

    path: Path
    content: Snapshot | None = None
    """None if it does not exist."""
    link: Path | None = None
    """The link that leads to it."""

    def check(self) -> None:
        """Raise CommandError if the file is another user's, or read-only."""
        with _naming(self.path, "change"):
            if self.link:
                _refuse_others(self.path, self.link, self.link.lstat())
            _must_be_ours(self.path)

    def replace(self, data: bytes, *, keeps_copy: bool = True) -> Path | None:
        """Write the file, and return the copy of what it was; None for a new file, and if none is to be kept.

        Raises CommandError, and leaves everything as it was, if that cannot be done, and ChangedError if
        somebody else has changed the file since it was read.
        """
        self.check()
        with _naming(self.path, "change"), contextlib.ExitStack() as undo:
            if self.content is None:
                _create(self.path, data, undo)
                backup = None
            else:
                backup = _back_up(self.path, self.content, undo) if keeps_copy else None
                if not _exchange(self.path, self.content, data):
                    _overwrite(self.path, self.content, data)
            undo.pop_all()
            return backup

    def remove(self, root: Path) -> None:
        """Remove the file, and the folders below `root` that are empty without it.

        Raises CommandError like `replace`.
        """
        self.check()
        if self.content is None:
            return
        path = self.path
        with _naming(path, "change"):
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            os.close(descriptor)
            sibling = Path(name)
            with _uninterrupted():
                # Moved first: what is in the place then can still be looked at, and comes back.
                path.replace(sibling)
                if _settled(sibling) != self.content:
                    sibling.replace(path)
                    raise _change_of(path)
                sibling.unlink()
            for folder in path.parents:
                if root not in folder.parents:
                    break
                _remove_folder(folder)


def read(file: Path) -> UserFile:
    """Read a user's file, or what a link in its place leads to: the link stays.

    Raises CommandError if it is no file, larger than 10 MB, or cannot be read.
    """
    with _naming(file, "read"):
        link = file if file.is_symlink() else None
        path = Path(os.path.realpath(link)) if link else file
        try:
            # Before it is opened, too: opening a device may start something.
            _must_be_a_file(os.stat(path), path)
            descriptor = os.open(path, READ)
        except FileNotFoundError:
            return UserFile(path, link=link)
        with os.fdopen(descriptor, "rb") as source:
            _must_be_a_file(os.fstat(descriptor), path)
            content = _content(source.fileno())
        if len(content.data) > LARGEST:
            raise CommandError(
                f"`{path}` has more than {LARGEST // 1_000_000} MB",
                hint="add the server by hand: `leanspec-launcher mcp-config` prints it",
            )
        return UserFile(path, content, link)


@contextlib.contextmanager
def _naming(path: Path, verb: str) -> Iterator[None]:
    """Name the user's file in an error of the system, and not the copy next to it."""
    try:
        yield
    except OSError as error:
        hint = "check this user's permissions, and whether the disk is full"
        if error.errno == errno.ELOOP:
            hint = "remove the link that leads to itself"
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f"cannot {verb} `{path}`: {reason}", hint=hint) from None


def _must_be_a_file(state: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise CommandError(f"`{path}` is not a file", hint="move it away, and try again")


def _must_be_ours(path: Path) -> None:
    """Refuse a file of another user, or one that is not to be written."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    state = existing.stat()
    is_new = existing != path
    is_root = sys.platform != "win32" and os.geteuid() == 0
    # Others than root may make files in a folder that they share.
    if is_root or not is_new:
        _refuse_others(path, existing, state)
    if not is_new and not (state.st_mode & stat.S_IWUSR and os.access(path, os.W_OK)):
        raise CommandError(
            f"refusing to change `{path}`: it is read-only",
            hint="make it writable, and try again",
        )


def _refuse_others(path: Path, existing: Path, state: os.stat_result) -> None:
    """Refuse to change what another user owns: root could, and would lock that user out of it."""
    if sys.platform == "win32" or state.st_uid == os.geteuid():
        return
    import pwd

    name = f"user {state.st_uid}"
    with contextlib.suppress(KeyError):
        name = f"`{pwd.getpwuid(state.st_uid).pw_name}`"
    raise CommandError(
        f"refusing to change `{path}`: `{existing}` belongs to {name}",
        hint="type the command as that user, without `sudo`",
    )


def _change_of(path: Path) -> ChangedError:
    return ChangedError(
        f"`{path}` has changed in the meantime",
        hint="close the client, and type the command again",
    )


def _create(path: Path, data: bytes, undo: contextlib.ExitStack) -> None:
    """Make a file, and the folders that it is in."""
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        undo.callback(_remove_folder, folder)
    try:
        descriptor = os.open(path, CREATE, 0o666)
    except FileExistsError:
        raise _change_of(path) from None
    undo.callback(path.unlink, missing_ok=True)
    with os.fdopen(descriptor, "wb") as file:
        _write(file.fileno(), data)


def _remove_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody else has put something into it
        folder.rmdir()


def _back_up(path: Path, content: Snapshot, undo: contextlib.ExitStack) -> Path:
    """Return a copy of a file, under a name that nothing has yet, or that has the same bytes."""
    for backup in _names(path):
        if not os.path.lexists(backup):
            break
        if _data(backup) == content.data:
            return backup
    descriptor = os.open(backup, CREATE, 0o600)
    undo.callback(backup.unlink, missing_ok=True)
    with os.fdopen(descriptor, "wb") as file, path.open("rb") as original:
        _write(file.fileno(), content.data)
        _keep(original.fileno(), file.fileno())
    return backup


def copies_of(path: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield the copies that were kept of a file, newest first, with their bytes."""
    backups = list(itertools.takewhile(os.path.lexists, _names(path)))
    for backup in reversed(backups):
        data = _data(backup)
        if data is not None:
            yield backup, data


def _names(path: Path) -> Iterator[Path]:
    """Yield the names of a file's copies, without an end: the first has no number."""
    yield path.with_name(path.name + BACKUP)
    for number in itertools.count(2):
        yield path.with_name(f"{path.name}{BACKUP}.{number}")


def _data(backup: Path) -> bytes | None:
    """Return the bytes of an older copy; None if something else has its name."""
    with contextlib.suppress(CommandError):
        content = None if backup.is_symlink() else read(backup).content
        return content and content.data
    return None


def _exchange(path: Path, content: Snapshot, data: bytes) -> bool:
    """Let a new file take the place of the old one; return False if it would not be all that one is.

    Exchanges both, so that what was in the place can still be looked at: if it is not what was read,
    it comes back.
    """
    if sys.platform != "linux" or path.stat().st_nlink > 1:
        return False
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    sibling = Path(name)
    with contextlib.ExitStack() as undo, os.fdopen(descriptor, "r+b") as file:
        undo.callback(sibling.unlink, missing_ok=True)
        _write(file.fileno(), data)
        with path.open("rb") as original:
            if not _keep(original.fileno(), file.fileno()):
                return False
        new = _content(file.fileno())
        file.close()  # an open file gets no lease
        with _uninterrupted():
            if not _swap(path, sibling):
                return False
            inside, expected = new, content
            for _ in range(EXCHANGES):
                outside = _settled(sibling)
                if outside == expected:
                    break
                _swap(path, sibling)
                inside, expected = outside or inside, inside
        if inside != new or _settled(path) != new:
            raise _change_of(path)
        return True


def _overwrite(path: Path, content: Snapshot, data: bytes) -> None:
    """Write into a file, which so stays all that it is: for hard links, and what is mounted."""
    with os.fdopen(os.open(path, WRITE), "r+b", buffering=0) as file:
        descriptor = file.fileno()
        with _leased(descriptor, is_ours_alone=True):
            if _content(descriptor) != content:
                raise _change_of(path)
            try:
                _write(descriptor, data)
            except BaseException:
                _write(descriptor, content.data)
                raise
        if not os.path.samestat(path.stat(), os.fstat(descriptor)):
            raise _change_of(path)


def _write(descriptor: int, data: bytes) -> None:
    """Write a whole file. It is cut last: on a full disk, what was there keeps its place."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)


def _content(descriptor: int) -> Snapshot:
    """Read a file, or a little more than the most that is taken."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    blocks, left = [], LARGEST + 1
    while left > 0 and (block := os.read(descriptor, left)):
        blocks.append(block)
        left -= len(block)
    state = os.fstat(descriptor)
    return Snapshot(state.st_dev, state.st_ino, b"".join(blocks))


def _settled(path: Path) -> Snapshot | None:
    """Read a file once nobody writes it any more; None if there is none."""
    try:
        descriptor = os.open(path, READ)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb"), _leased(descriptor, is_ours_alone=False):
        return _content(descriptor)


def _keep(original: int, copy: int) -> bool:
    """Give a file the owner, mode, ACL and attributes of another; return whether it has all of them.

    Until it has all the rest, it is for this user alone: a mode without its ACL or group would open it
    to others.
    """
    if sys.platform != "linux":
        return False  # these keep more than Python can ask for
    try:
        expected = _properties(original)
        os.fchown(copy, expected.user, expected.group)
        for name in _properties(copy).attributes.keys() - expected.attributes:
            os.removexattr(copy, name)
        for name, value in expected.attributes.items():
            if _properties(copy).attributes.get(name) != value:
                os.setxattr(copy, name, value)
        os.fchmod(copy, expected.mode)
        return _properties(copy) == expected
    except OSError:
        return False


class Properties(NamedTuple):
    """Everything about a file that a new one can be given. ACLs and SELinux's labels are attributes."""

    user: int
    group: int
    mode: int
    attributes: dict[str, bytes]


def _properties(descriptor: int) -> Properties:
    attributes: dict[str, bytes] = {}
    if sys.platform == "linux":
        try:
            for name in os.listxattr(descriptor):
                attributes[name] = os.getxattr(descriptor, name)
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise
    state = os.fstat(descriptor)
    mode = stat.S_IMODE(state.st_mode)
    return Properties(state.st_uid, state.st_gid, mode, attributes)


def _swap(one: Path, other: Path) -> bool:
    """Exchange two files in one step; return False if this system or this file does not let that be done."""
    try:
        import ctypes

        rename = ctypes.CDLL(None).renameat2
    except (ImportError, AttributeError):  # a Python or a C library that does not have it
        return False
    paths = os.fsencode(one), os.fsencode(other)
    here = WORKING_DIRECTORY
    result: int = rename(here, paths[0], here, paths[1], EXCHANGE)
    return result == 0


@contextlib.contextmanager
def _leased(descriptor: int, *, is_ours_alone: bool) -> Iterator[None]:
    """Wait until no other program writes a file, or has it open; until the end, one that opens it waits.

    Gives up after a second, and where there are no leases: what is done then is as before, without this.
    """
    if sys.platform != "linux":
        yield
        return
    import fcntl

    lease = fcntl.F_WRLCK if is_ours_alone else fcntl.F_RDLCK
    end = time.monotonic() + LEASE_SECONDS
    while True:
        try:
            # Whoever opens the file sends a signal, and this one is ignored.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, lease)
        except OSError as error:
            if error.errno == errno.EAGAIN and time.monotonic() < end:
                time.sleep(0.005)
                continue
        break
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait: what comes out of an exchange is looked at before it is removed."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

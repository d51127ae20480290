"""Replacement of a user's file: what stays, what is refused, and what is undone."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage import user_files
from leanspec_launcher.manage.clients.change import put_in
from leanspec_launcher.manage.clients.places import ServersFile
from leanspec_launcher.manage.clients.server import ServerCommand
from leanspec_launcher.manage.clients.table import CLIENTS
from leanspec_launcher.manage.user_files import ChangedError, UserFile, read
from tests.support.preconditions import needs, require

OLD, NEW = b"old text\n", b"new\n"
USER, STRANGERS = 12345, 23456
# One entry each for owner, another user, group, mask and others, as Linux stores them.
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in (
        (1, 6, 0xFFFFFFFF),
        (2, 4, USER),
        (4, 0, 0xFFFFFFFF),
        (16, 4, 0xFFFFFFFF),
        (32, 0, 0xFFFFFFFF),
    )
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "folder/mcp.json"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user can reach."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder)
        path.chmod(0o777)
        yield path


@contextlib.contextmanager
def another_user() -> Iterator[None]:
    """Act as a user who is not root."""
    if sys.platform == "win32":
        pytest.fail("there is no root")
    group, user = os.getegid(), os.geteuid()
    os.setegid(USER)
    os.seteuid(USER)
    try:
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)


def state_of(path: Path) -> tuple[object, ...]:
    """Return everything about a file that is to stay."""
    attributes: dict[str, bytes] = {}
    if sys.platform == "linux":
        attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    state = path.stat()
    return state.st_uid, state.st_gid, state.st_mode, attributes


def give(path: Path, attribute: str, value: bytes) -> None:
    if sys.platform == "linux":
        os.setxattr(path, attribute, value)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@needs("file attributes")
def test_a_replaced_file_and_its_backup_keep_mode_acl_and_attributes(file: Path) -> None:
    file.chmod(0o640)
    give(file, "user.note", b"mine")
    give(file, "system.posix_acl_access", ACL)
    before, inode = state_of(file), file.stat().st_ino
    backup = read(file).replace(NEW)
    assert backup == file.with_name("mcp.json.before-leanspec")
    assert (file.read_bytes(), backup.read_bytes()) == (NEW, OLD)
    assert state_of(file) == state_of(backup) == before
    assert file.stat().st_ino != inode, "nobody reads half a file"
    assert names_in(file.parent) == ["mcp.json", backup.name]


@needs("file attributes")
def test_a_replaced_file_inherits_no_acl_of_its_folder(file: Path) -> None:
    give(file.parent, "system.posix_acl_default", ACL)
    before = state_of(file)
    backup = read(file).replace(NEW)
    assert backup
    assert state_of(file) == state_of(backup) == before


@needs("root")
def test_a_replaced_file_keeps_its_group(file: Path) -> None:
    shutil.chown(file, group=STRANGERS)
    file.chmod(0o660)
    before = state_of(file)
    backup = read(file).replace(NEW)
    assert backup
    assert state_of(file) == state_of(backup) == before


@needs("root")
def test_a_group_that_cannot_be_given_stays_and_may_not_read_the_backup(
    open_folder: Path,
) -> None:
    file = open_folder / "mcp.json"
    file.write_bytes(OLD)
    shutil.chown(file, USER, STRANGERS)
    file.chmod(0o660)
    before, inode = state_of(file), file.stat().st_ino
    with another_user():
        backup = read(file).replace(NEW)
    assert backup
    assert file.read_bytes() == NEW
    assert (state_of(file), file.stat().st_ino) == (before, inode)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert names_in(open_folder) == ["mcp.json", backup.name]


@pytest.mark.posix
@pytest.mark.parametrize("data", [NEW, OLD * 3])
def test_a_file_with_two_names_stays_one_file(file: Path, data: bytes) -> None:
    other = file.with_name("dotfile")
    os.link(file, other)
    read(file).replace(data)
    assert file.samefile(other)
    assert other.read_bytes() == data


@pytest.mark.system
@needs("mounts")
def test_a_mounted_file_is_written(file: Path, tmp_path: Path) -> None:
    source = tmp_path / "outside.json"
    source.write_bytes(OLD)
    subprocess.run(["mount", "--bind", source, file], check=True)
    try:
        backup = read(file).replace(NEW)
    finally:
        subprocess.run(["umount", file], check=True)
    assert backup
    assert (source.read_bytes(), backup.read_bytes()) == (NEW, OLD)
    assert names_in(file.parent) == ["mcp.json", backup.name]


@pytest.mark.parametrize(
    "system", [pytest.param("darwin", marks=pytest.mark.posix), "win32"]
)
def test_a_file_is_written_in_place_where_python_cannot_ask_what_it_is(
    system: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inode = file.stat().st_ino
    monkeypatch.setattr(sys, "platform", system)
    backup = read(file).replace(NEW)
    monkeypatch.undo()
    assert backup
    assert (file.read_bytes(), backup.read_bytes()) == (NEW, OLD)
    assert file.stat().st_ino == inode
    assert names_in(file.parent) == ["mcp.json", backup.name]


@pytest.mark.posix
def test_a_read_only_file_is_refused(file: Path) -> None:
    file.chmod(0o444)
    with pytest.raises(CommandError, match="`: it is read-only"):
        read(file).replace(NEW)
    assert file.read_bytes() == OLD
    assert names_in(file.parent) == ["mcp.json"]


@needs("root")
def test_root_refuses_a_users_file_and_a_new_one_in_a_users_folder(file: Path) -> None:
    shutil.chown(file, USER)
    file.chmod(0o600)
    before = state_of(file)
    words = rf"refusing to change `.*mcp\.json` belongs to user {USER}"
    with pytest.raises(CommandError, match=words) as error:
        read(file).replace(NEW)
    assert error.value.hint == "type the command as that user, without `sudo`"
    shutil.chown(file.parent, USER)
    with pytest.raises(CommandError, match=f"folder` belongs to user {USER}"):
        UserFile(file.parent / "new/mcp.json").replace(NEW)
    assert (file.read_bytes(), state_of(file)) == (OLD, before)
    assert names_in(file.parent) == ["mcp.json"]


@needs("root")
def test_root_refuses_its_own_file_behind_a_link_of_a_user(file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    subprocess.run(["chown", "-h", str(USER), link], check=True)
    with pytest.raises(CommandError, match=f"link` belongs to user {USER}"):
        read(link).replace(NEW)
    assert file.read_bytes() == OLD
    link.unlink()
    link.symlink_to(file.name)
    read(link).replace(NEW)
    assert link.is_symlink()
    assert file.read_bytes() == NEW


@needs("root")
def test_a_user_refuses_a_file_of_root_and_makes_one_in_a_shared_folder(
    open_folder: Path,
) -> None:
    file, new = open_folder / "mcp.json", open_folder / "new.json"
    file.write_bytes(OLD)
    file.chmod(0o666)
    with another_user():
        with pytest.raises(CommandError, match="belongs to `root`"):
            read(file).replace(NEW)
        assert read(new).replace(NEW) is None
    assert (file.read_bytes(), new.stat().st_uid) == (OLD, USER)
    assert names_in(open_folder) == ["mcp.json", "new.json"]


def test_a_new_file_has_the_modes_of_other_new_files(tmp_path: Path) -> None:
    file, other = tmp_path / "a/b/mcp.json", tmp_path / "other"
    assert read(file).replace(NEW) is None
    other.touch()
    assert file.read_bytes() == NEW
    assert file.stat().st_mode == other.stat().st_mode
    assert names_in(file.parent) == ["mcp.json"]


def test_a_file_that_cannot_be_made_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_descriptor: int, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(user_files, "_write", fill)
    with pytest.raises(CommandError, match=r"b[/\\]mcp\.json`: no space left"):
        read(tmp_path / "a/b/mcp.json").replace(NEW)
    assert names_in(tmp_path) == []


def test_no_backup_is_overwritten_and_the_same_text_is_kept_once(file: Path) -> None:
    texts = [b"one", b"two", b"three", b"one", b"two"]
    backups = [read(file).replace(text) for text in texts]
    endings = ["", ".2", ".3", ".4", ".2"]
    assert backups == [file.with_name(f"mcp.json.before-leanspec{end}") for end in endings]
    first, *others = dict.fromkeys(backups)
    assert first
    assert first.read_bytes() == OLD
    assert [path.read_bytes() for path in others if path] == texts[:3]


@pytest.mark.system
def test_a_full_disk_leaves_a_file_with_two_names_as_it_was(small_disk: Path) -> None:
    file, ballast = small_disk / "mcp.json", small_disk / "ballast"
    old = b"x" * 400_000
    file.write_bytes(old)
    os.link(file, small_disk / "dotfile")
    free = shutil.disk_usage(small_disk).free
    ballast.write_bytes(b"x" * (free - 500_000))
    with pytest.raises(CommandError, match=r"mcp\.json`: no space left on device"):
        read(file).replace(b"y" * 900_000)
    assert file.read_bytes() == old
    assert names_in(small_disk) == ["ballast", "dotfile", "mcp.json"]


def rewrite(file: Path) -> None:
    file.write_bytes(b"of the client")


def rename(file: Path) -> None:
    new = file.with_name("new")
    rewrite(new)
    new.replace(file)


@pytest.mark.parametrize("is_linked", [False, True])
@pytest.mark.parametrize("write", [rewrite, rename])
def test_a_change_of_somebody_else_stays(
    write: Callable[[Path], None], file: Path, *, is_linked: bool
) -> None:
    if is_linked:
        require("POSIX")
        os.link(file, file.with_name("dotfile"))
    user_file = read(file)
    write(file)
    names = names_in(file.parent)
    with pytest.raises(ChangedError, match=r"mcp\.json` has changed in the meantime"):
        user_file.replace(NEW)
    assert file.read_bytes() == b"of the client"
    assert names_in(file.parent) == names


@needs("Linux")
@pytest.mark.parametrize("is_linked", [False, True])
def test_a_program_that_has_begun_to_write_is_awaited(
    file: Path, *, is_linked: bool
) -> None:
    """It has cut the file, and writes a little later: what it writes is not lost."""
    if is_linked:
        os.link(file, file.with_name("dotfile"))
    call = "import os, sys, time; time.sleep(0.3); os.write(int(sys.argv[1]), b'client')"
    user_file = read(file)
    descriptor = os.open(file, os.O_WRONLY)
    command = [sys.executable, "-c", call, str(descriptor)]
    with subprocess.Popen(command, pass_fds=[descriptor]):
        os.close(descriptor)
        with pytest.raises(ChangedError):
            user_file.replace(NEW)
    assert file.read_bytes() == b"client" + OLD[6:]


# A client that adds a number to its file when it is told to, in one of two ways.
CLIENT = """
import json, os, sys, time
path, kind = sys.argv[1:]
for line in sys.stdin:
    time.sleep(float(line))
    data = json.loads(open(path).read())
    data["number"] += 1
    target = path + ".new" if kind == "rename" else path
    with open(target, "w") as file:
        json.dump(data, file, indent=2)
    if kind == "rename":
        os.replace(target, path)
    print(flush=True)
"""
ROUNDS, LONGEST_PAUSE = 300, 0.02


@pytest.mark.slow
@needs("Linux")
@pytest.mark.parametrize("is_linked", [False, True])
@pytest.mark.parametrize("kind", ["rename", "truncate"])
def test_no_change_of_a_client_that_writes_at_the_same_time_is_lost(
    kind: str, file: Path, *, is_linked: bool
) -> None:
    chance = random.Random(1)  # noqa: S311 - for pauses
    servers = {f"server{number}": {"command": "x"} for number in range(50)}
    text = json.dumps({"number": 0, "mcpServers": servers}, indent=2)
    both = 0
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, file, kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as client:
        assert client.stdin
        assert client.stdout
        for _ in range(ROUNDS):
            for path in file.parent.iterdir():
                path.unlink()
            file.write_text(text)
            if is_linked:
                os.link(file, file.with_name("dotfile"))
            change = put_in(
                ServersFile(CLIENTS["qwen"], file, "user"),
                "leanspec",
                ServerCommand("leanspec-mcp"),
                enable=False,
                force=False,
            )
            client.stdin.write(f"{chance.random() * LONGEST_PAUSE}\n")
            time.sleep(chance.random() * LONGEST_PAUSE / 4)
            change.make()
            client.stdout.readline()
            document = json.loads(file.read_bytes())
            assert document["number"] == 1
            # The client may have read the file before, and written it afterwards.
            both += "leanspec" in document["mcpServers"]
        client.stdin.close()
    assert both > ROUNDS / 2


@pytest.mark.posix
def test_a_pipe_or_folder_is_refused_at_once(file: Path) -> None:
    pipe, loop = file.with_name("pipe"), file.with_name("loop")
    subprocess.run(["mkfifo", pipe], check=True)
    loop.symlink_to(loop)
    for path in (pipe, Path("/dev/zero"), file.parent):
        with pytest.raises(CommandError, match="` is not a file"):
            read(path)
    words = r"cannot read `.*/loop`: too many levels"
    with pytest.raises(CommandError, match=words) as error:
        read(loop)
    assert error.value.hint == "remove the link that leads to itself"


def test_a_file_of_more_than_10_mb_is_not_read(file: Path) -> None:
    file.write_bytes(b"x" * 10_000_000)
    assert read(file).content
    file.write_bytes(b"x" * 10_000_001)
    with pytest.raises(CommandError, match="more than 10 MB"):
        read(file)

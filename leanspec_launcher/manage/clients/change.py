"""Change of a client's file: our server put in, or taken out."""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanspec_launcher.commands import CommandError

from . import json_text, toml_text, yaml_text
from .table import NAME, Client, Form, name_of
from .text import BrokenError, Format

FORMATS: dict[Form, Format] = {
    Form.JSON: json_text,
    Form.TOML: toml_text,
}
LARGEST = 10_000_000
BACKUP = ".before-leanspec"
# What an entry of ours names, whichever of our releases wrote it.
OUR_WORDS = ("leanspec", "lean-spec")


@dataclass(frozen=True)
class Change:
    """A file before and after."""

    path: Path
    before: str | None
    """None if the file does not exist."""
    after: str

    @property
    def is_needed(self) -> bool:
        """Whether writing would change the file."""
        return self.after != (self.before or "")

    @property
    def backup(self) -> Path:
        """The path of the copy of the old file."""
        return self.path.with_name(self.path.name + BACKUP)

    def difference(self) -> str:
        """Return the lines that change, and no others: files like this hold keys and passwords."""
        before, after = (self.before or "").splitlines(), self.after.splitlines()
        lines = difflib.unified_diff(before, after, lineterm="", n=0)
        return "\n".join(list(lines)[2:])

    def make(self) -> None:
        """Write the file, and keep a copy of what it was.

        Raises CommandError, and changes nothing, if the file is no longer what it was.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _beside(self.path) as new, _beside(self.path) as copy:
            new.write_bytes(self.after.encode())
            if read_text(self.path) != self.before:
                raise CommandError(
                    f"`{self.path}` has changed in the meantime",
                    hint="close the client, and type the command again",
                )
            if self.before is None:
                new.chmod(0o666 & ~_mask())
            else:
                shutil.copyfile(self.path, copy)
                shutil.copymode(self.path, copy)
                shutil.copymode(self.path, new)
                # Takes the place of whatever is there, and follows no link that a project may bring.
                copy.replace(self.backup)
            new.replace(self.path)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a new file in the folder of another one, for this user alone; removed if it is left there."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    new = Path(name)
    try:
        yield new
    finally:
        new.unlink(missing_ok=True)


def _mask() -> int:
    """Return which permissions this user's new files do not have."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def changed(
    client: Client, file: Path, entry: dict[str, Any] | None, *, force: bool
) -> Change:
    """Return the change that puts a server into a client's file, or takes it out if there is no entry.

    Raises CommandError if the file cannot be read or changed, or, without `force`, if another
    server has the name.
    """
    path, keys, form = _real(file), (*client.table, NAME), FORMATS[client.form]
    before = read_text(path)
    text = before or ""
    with _naming(path, client):
        _must_be_ours(form.read(text, keys), path, force=force)
        after = form.drop(text, keys) if entry is None else form.put(text, keys, entry)
    return Change(path, before, after)


def entry_in(client: Client, file: Path) -> Any:  # noqa: ANN401 - whatever stands there
    """Return the server that a client's file has under our name; None if it has none.

    Raises CommandError if the file cannot be read.
    """
    path, keys = _real(file), (*client.table, NAME)
    text = read_text(path) or ""
    if client.form is Form.YAML:
        return yaml_text.read(text, keys)
    with _naming(path, client):
        return FORMATS[client.form].read(text, keys)


def written(client: Client, entry: dict[str, Any]) -> str:
    """Return a whole file with nothing but the server."""
    keys = (*client.table, NAME)
    if client.form is Form.YAML:
        return yaml_text.written(keys, entry)
    return FORMATS[client.form].put("", keys, entry)


def read_text(path: Path) -> str | None:
    """Return what a file says; None if it does not exist.

    Raises CommandError if it is no text in UTF-8.
    """
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(state.st_mode):
        raise CommandError(f"`{path}` is not a file", hint="move it away, and try again")
    if state.st_size > LARGEST:
        raise CommandError(
            f"`{path}` has more than {LARGEST // 1_000_000} MB",
            hint="add the server by hand: `leanspec-launcher mcp-config` prints it",
        )
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise CommandError(
            f"`{path}` is not text in UTF-8", hint="save it as UTF-8, and try again"
        ) from None


def _real(file: Path) -> Path:
    """Return what a link leads to: it stays a link, as those who keep such files elsewhere want it."""
    return file.resolve() if file.is_symlink() else file


@contextlib.contextmanager
def _naming(path: Path, client: Client) -> Iterator[None]:
    """Name the file in an error of its format."""
    try:
        yield
    except BrokenError as error:
        raise CommandError(
            f"cannot change `{path}`: {error}",
            hint=f"add it by hand: `leanspec-launcher mcp-config {name_of(client)}` prints what",
        ) from None


def _must_be_ours(entry: Any, path: Path, *, force: bool) -> None:  # noqa: ANN401 - whatever stands there
    if entry is None or force or any(word in str(entry) for word in OUR_WORDS):
        return
    raise CommandError(
        f"`{path}` has another server under the name `{NAME}`",
        hint="rename that one, or add `--force` to replace it",
    )

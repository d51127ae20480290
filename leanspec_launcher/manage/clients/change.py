"""Change of a client's file: our server put in, or taken out."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.user_files import ChangedError, UserFile, read

from . import json_text, toml_text, yaml_text
from .difference import difference
from .table import NAME, Client, Form, name_of
from .text import BrokenError, Format, Keys

FORMATS: dict[Form, Format] = {
    Form.JSON: json_text,
    Form.TOML: toml_text,
}
# What an entry of ours names, whichever of our releases wrote it.
OUR_WORDS = ("leanspec", "lean-spec")
TRIES = 5


@dataclass(frozen=True)
class Change:
    """A file before and after."""

    file: UserFile
    after: str
    difference: str
    """The lines that change, with nothing of them but our entry; empty if none does."""
    again: Callable[[], Change]
    """Return the same change of the file as it is now."""

    def make(self) -> Path | None:
        """Write the file; return the copy of what it was, or None if it is new.

        If a client has written it since, starts over, as long as the lines that change are the same.
        Raises CommandError, and changes nothing, if they are not.
        """
        change = self
        for _ in range(TRIES):
            try:
                return change.file.replace(change.after.encode())
            except ChangedError:  # noqa: PERF203 - a few times
                change = self.again()
                if not change.difference:
                    return None  # the client has taken the server over
                if change.difference != self.difference:
                    raise
        return change.file.replace(change.after.encode())


def changed(
    client: Client, file: Path, entry: dict[str, Any] | None, *, force: bool
) -> Change:
    """Return the change that puts a server into a client's file, or takes it out if there is no entry.

    Raises CommandError if the file cannot be read or changed, or, without `force`, if another
    server has the name.
    """
    keys, form = (*client.table, NAME), FORMATS[client.form]
    user_file = read(file)
    with _naming(user_file.path, client):
        before = _text(user_file)
        _must_be_ours(form.read(before, keys), user_file.path, force=force)
        after = form.drop(before, keys) if entry is None else form.put(before, keys, entry)
        old = form.span(before, _missing(form, after, keys))
        new = form.span(after, _missing(form, before, keys))
    return Change(
        file=user_file,
        after=after,
        difference=difference((before, old), (after, new)),
        again=functools.partial(changed, client, file, entry, force=force),
    )


def entry_in(client: Client, file: Path) -> Any:  # noqa: ANN401 - whatever stands there
    """Return the server that a client's file has under our name; None if it has none.

    Raises CommandError if the file cannot be read.
    """
    keys, user_file = (*client.table, NAME), read(file)
    with _naming(user_file.path, client):
        text = _text(user_file)
        if client.form is Form.YAML:
            return yaml_text.read(text, keys)
        return FORMATS[client.form].read(text, keys)


def written(client: Client, entry: dict[str, Any]) -> str:
    """Return a whole file with nothing but the server."""
    keys = (*client.table, NAME)
    if client.form is Form.YAML:
        return yaml_text.written(keys, entry)
    return FORMATS[client.form].put("", keys, entry)


def _text(file: UserFile) -> str:
    """Return what a file says; nothing if it does not exist."""
    if file.content is None:
        return ""
    try:
        return file.content.data.decode()
    except UnicodeDecodeError:
        raise CommandError(
            f"`{file.path}` is not text in UTF-8", hint="save it as UTF-8, and try again"
        ) from None


def _missing(form: Format, text: str, keys: Keys) -> Keys:
    """Return the way to the outermost part of our entry that a text does not have; else to the entry."""
    for end in range(1, len(keys)):
        if form.read(text, keys[:end]) is None:
            return keys[:end]
    return keys


@contextlib.contextmanager
def _naming(path: Path, client: Client) -> Iterator[None]:
    """Name the file in an error of its format."""
    try:
        yield
    except (BrokenError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise CommandError(
            f"cannot change `{path}`: {reason}",
            hint=f"add it by hand: `leanspec-launcher mcp-config {name_of(client)}` prints what",
        ) from None


def _must_be_ours(entry: Any, path: Path, *, force: bool) -> None:  # noqa: ANN401 - whatever stands there
    if entry is None or force or any(word in str(entry) for word in OUR_WORDS):
        return
    raise CommandError(
        f"`{path}` has another server under the name `{NAME}`",
        hint="rename that one, or add `--force` to replace it",
    )

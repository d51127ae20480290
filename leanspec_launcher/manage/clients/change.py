"""Change of a client's file: our server put in, or taken out."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.user_files import ChangedError, UserFile, copies_of, read

from . import json_text, toml_text, yaml_text
from .difference import difference
from .entry import address_of, describe, is_ours, is_server, is_written, join, server_of
from .places import PROJECT, ServersFile
from .server import ServerCommand
from .table import NAME, Client, Form
from .text import BrokenError, Format, Keys, with_table

FORMATS: dict[Form, Format] = {
    Form.JSON: json_text,
    Form.TOML: toml_text,
}
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
    remarks: tuple[str, ...] = ()
    """What else becomes of the entry that was there."""
    root: Path = Path()
    """The folder of the project, or of the user."""
    is_ours: bool = False
    """Whether the file has nothing but our entry, and goes with it."""
    copy: Path | None = None
    """The copy that says the same as the file will, and is not needed then."""
    keeps_copy: bool = True

    def make(self) -> Path | None:
        """Write the file; return the copy of what it was, or None if none is kept.

        If a client has written it since, starts over, as long as the lines that change are the same.
        Raises CommandError, and changes nothing, if they are not.
        """
        change = self
        for _ in range(TRIES):
            try:
                return change.write()
            except ChangedError:  # noqa: PERF203 - a few times
                change = self.again()
                if not change.difference:
                    return None  # the client has taken the server over
                if change.difference != self.difference:
                    raise
        return change.write()

    def write(self) -> Path | None:
        """Write the file once; see `make`."""
        if self.is_ours:
            self.file.remove(self.root)
            return None
        copy = self.file.replace(self.after.encode(), keeps_copy=self.keeps_copy)
        if self.copy:
            self.copy.unlink()
        return copy


def put_in(
    place: ServersFile, name: str, server: ServerCommand, *, enable: bool, force: bool
) -> Change:
    """Return the change that puts a server into a client's file.

    Raises CommandError if the file cannot be read or changed, or, without `force`, if another
    server has the name.
    """
    form = FORMATS[place.client.form]
    with _opened(place) as (file, before):
        keys = (*_table(place, before), name)
        old = form.read(before, keys)
        ours = _is_ours(old)
        if not ours and not force:
            raise _other(file.path, name)
        present = old if ours else None
        entry, remarks = join(place.client, present, server, enable=enable)
        if not ours:
            remarks = ["the server that had this name is removed"]
        after = form.put(before, keys, entry)
        return Change(
            file=file,
            after=after,
            difference=_difference(form, before, after, keys),
            keeps_copy=not _has_copy(place, file.path, before, keys[:-1]),
            remarks=tuple(remarks),
            again=functools.partial(
                put_in, place, name, server, enable=enable, force=force
            ),
        )


def take_out(place: ServersFile, name: str, root: Path, *, force: bool) -> Change:
    """Return the change that takes a server out of a client's file, and leaves nothing of what put it in.

    Raises CommandError like `put_in`.
    """
    form = FORMATS[place.client.form]
    with _opened(place) as (file, before):
        keys = (*_table(place, before), name)
        if not force and not _is_ours(form.read(before, keys)):
            raise _other(file.path, name)
        left: dict[str, Any] = {"after": before}
        if form.has(before, keys):
            left = _left(place, file.path, before, keys)
        return Change(
            file=file,
            difference=_difference(form, before, left["after"], keys),
            root=root,
            again=functools.partial(take_out, place, name, root, force=force),
            **left,
        )


def _left(place: ServersFile, file: Path, before: str, keys: Keys) -> dict[str, Any]:
    """Return what is left of a file without an entry, and what becomes of its copies."""
    form = FORMATS[place.client.form]
    copies = _readable(form, file)
    entry = form.read(before, keys)
    for copy, text in copies:
        # The bytes of before, if nothing else has changed since.
        if not form.has(text, keys) and form.put(text, keys, entry) == before:
            return {"after": text, "copy": copy, "keeps_copy": False}
    is_ours_alone = _has_only_our_keys(place.client, entry)
    if not copies and is_ours_alone and form.put("", keys, entry) == before:
        return {"after": "", "is_ours": True}
    after = form.drop(before, keys)
    # Without a copy, the table came with the server; a file of nothing but servers has to keep it.
    is_only_ours = not copies and "mcp" not in file.name
    if is_only_ours and form.read(after, keys[:1]) == {} and len(form.document(after)) > 1:
        after = form.drop(after, keys[:1])
    for copy, text in copies:
        for end in range(1, len(keys)):
            if form.read(after, keys[:end]) == {} and not form.has(text, keys[:end]):
                after = form.drop(after, keys[:end])
        if form.document(text) == form.document(after):
            return {"after": after, "copy": copy, "keeps_copy": False}
    return {"after": after, "keeps_copy": not is_ours_alone}


def _has_only_our_keys(client: Client, entry: Any) -> bool:  # noqa: ANN401 - whatever stands there
    """Tell whether an entry has nothing but what `--write` puts into it."""
    server = server_of(entry)
    if server is None or not is_written(server):
        return False
    ours = {**dict(client.new_entry), **describe(client, server)}
    return not entry.keys() - ours.keys()


def _has_copy(place: ServersFile, file: Path, before: str, table: Keys) -> bool:
    """Tell whether what a file says without our servers is kept already, or nothing."""
    if not before.strip():
        return False
    form, rest = FORMATS[place.client.form], before
    servers = form.read(before, table)
    for name, entry in servers.items() if isinstance(servers, dict) else ():
        if _has_only_our_keys(place.client, entry):
            rest = form.drop(rest, (*table, name))
    if rest == before:
        return False
    without = form.document(rest)
    if without in ({}, with_table({}, table)):
        return True
    documents = [form.document(text) for _, text in _readable(form, file)]
    return any(without in (document, with_table(document, table)) for document in documents)


def _readable(form: Format, file: Path) -> list[tuple[Path, str]]:
    """Return the copies of a file that can be read, as texts."""
    texts = []
    for copy, data in copies_of(file):
        with contextlib.suppress(BrokenError, UnicodeDecodeError):
            form.document(text := data.decode())
            texts.append((copy, text))
    return texts


def servers_in(place: ServersFile) -> dict[str, Any]:
    """Return the servers in a client's file by their names; none if it does not exist.

    Raises CommandError if the file cannot be read.
    """
    with _opened(place) as (_, text):
        if place.client.form is Form.YAML:
            entry = yaml_text.read(text, (*place.table, NAME))
            return {NAME: entry} if entry else {}
        table = FORMATS[place.client.form].read(text, _table(place, text))
    return table if isinstance(table, dict) else {}


def value_at(path: Path, keys: Keys) -> Any:  # noqa: ANN401 - whatever stands there
    """Return what a file of settings has at some keys; None if it has nothing, or cannot be read."""
    form = toml_text if path.suffix == ".toml" else json_text
    with contextlib.suppress(CommandError, BrokenError, RecursionError):
        return form.read(_text(read(path)), keys)
    return None


def refusal(place: ServersFile, text: str | None = None) -> str:
    """Return why a client refuses the whole file, as it is or with a text in its place; empty if it does not."""
    client = place.client
    is_strict = place.scope == PROJECT or client.is_strict_for_users
    if client.form is not Form.JSON or not is_strict:
        return ""
    with _opened(place) as (_, present):
        extensions = json_text.extensions(present if text is None else text)
    return " and ".join(
        f"{extension} in line {line}"
        for extension, line in extensions.items()
        if extension in client.refuses
    )


def written(client: Client, name: str, server: ServerCommand) -> str:
    """Return a whole file with nothing but the server."""
    keys = (*client.table, name)
    entry = {**dict(client.new_entry), **describe(client, server)}
    if client.form is Form.YAML:
        return yaml_text.written(keys, entry)
    return FORMATS[client.form].put("", keys, entry)


def _table(place: ServersFile, text: str) -> Keys:
    """Return the keys that lead to the servers of a file, in the form that it has."""
    client = place.client
    if client.takes_bare and place.scope == PROJECT and _is_bare(text, place.table):
        return ()
    if client.nested and not place.local_table:
        nested = (*place.table, client.nested)
        inside = FORMATS[client.form].read(text, nested)
        # Under that name, the older form may have a server.
        if isinstance(inside, dict) and server_of(inside) is None:
            return nested
    return place.table


def _is_bare(text: str, table: Keys) -> bool:
    """Tell whether a text of JSON has servers at its top level, in no table."""
    members = json_text.document(text)
    return (
        bool(members) and table[0] not in members and all(map(is_server, members.values()))
    )


def has_bare_servers(place: ServersFile) -> bool:
    """Tell whether a file of JSON has servers at its top level, in no table."""
    text = _text(read(place.path))
    with contextlib.suppress(BrokenError, RecursionError):
        return _is_bare(text, place.table)
    return False


def _is_ours(entry: Any) -> bool:  # noqa: ANN401 - whatever stands there
    """Tell whether an entry is for our server, or for none."""
    server = server_of(entry)
    if server is None:
        return entry is None or (isinstance(entry, dict) and not address_of(entry))
    return is_ours(server)


def _other(path: Path, name: str) -> CommandError:
    return CommandError(
        f"`{path}` has another server under the name `{name}`",
        hint="rename that one, or add `--force` to replace it",
    )


def _difference(form: Format, before: str, after: str, keys: Keys) -> str:
    old = form.span(before, _missing(form, after, keys))
    new = form.span(after, _missing(form, before, keys))
    return difference((before, old), (after, new))


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
        if not form.has(text, keys[:end]):
            return keys[:end]
    return keys


@contextlib.contextmanager
def _opened(place: ServersFile) -> Iterator[tuple[UserFile, str]]:
    """Read a client's file, and name it in an error of its format."""
    file = read(place.path)
    try:
        yield file, _text(file)
    except (BrokenError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        name = place.client.name
        raise CommandError(
            f"cannot change `{file.path}`: {reason}",
            hint=f"add it by hand: `leanspec-launcher mcp-config {name}` prints the lines",
        ) from None

"""JSON, with or without comments: one entry is changed, and every other byte stays.

The grammar is RFC 8259's, with comments and commas after the last member, as VS Code reads it.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from .text import (
    BrokenError,
    Keys,
    newline_of,
    read_back,
    with_entry,
    without_entry,
)

DEEPEST = 100
DECODER = json.JSONDecoder()
INDENT = "  "
NOT_SPACE = re.compile(r"[^ \t\r\n]")
MISSING = object()


@dataclass
class Value:
    """A value, and where it stands in the text."""

    start: int
    end: int
    data: Any
    members: list[JsonMember] = field(default_factory=list)
    """Of an object."""


@dataclass
class JsonMember:
    """A member of an object: where its key begins, and where the text goes on after its comma."""

    start: int
    key: str
    value: Value
    after_comma: int
    """0 if no comma follows it."""

    @property
    def end(self) -> int:
        """Where it ends, with its comma."""
        return self.after_comma or self.value.end


def read(text: str, path: Keys) -> Any:  # noqa: ANN401 - whatever stands there
    """Return an entry; None if there is none. Raises BrokenError if the text is no JSON."""
    owner, rest = _find(_root(text), path)
    return None if rest else owner.data


def has(text: str, path: Keys) -> bool:
    """Tell whether an entry is there, were it only a `null`."""
    return not _find(_root(text), path)[1]


def document(text: str) -> dict[str, Any]:
    """Return everything that a text says."""
    data = _root(text).data
    if not isinstance(data, dict):
        raise BrokenError("its content is not an object")
    return data


def extensions(text: str) -> dict[str, int]:
    """Return what a text has that RFC 8259 does not, each with the first line of it."""
    if _is_empty(text):
        return {}
    reader = _Reader(text)
    reader.document()
    return {
        name: text.count("\n", 0, place) + 1 for name, place in reader.extensions.items()
    }


def span(text: str, path: Keys) -> tuple[int, int]:
    """Return from where to where an entry goes, with its name; an empty span if there is none."""
    if not has(text, path):
        return 0, 0
    owner, _ = _find(_parse(text), path[:-1])
    member = next(member for member in owner.members if member.key == path[-1])
    return member.start, member.value.end


def put(text: str, path: Keys, entry: dict[str, Any]) -> str:
    """Return the text with an entry; of one that is there, only the members that differ are changed.

    Raises BrokenError if the text is no JSON, or has something else than an object on the way.
    """
    if _is_empty(text):
        text += "{}" + newline_of(text)
    _find(_parse(text), path)  # no key on the way may be there twice
    expected = with_entry(document(text), path, entry)
    return read_back(document, _put(text, path, entry), expected)


def _put(text: str, path: Keys, entry: dict[str, Any]) -> str:
    root = _parse(text)
    owner, rest = _find(root, path)
    # By what the text indents a level.
    unit = _indent_at(text, root.members[0].start) if root.members else ""
    unit = unit or INDENT
    if rest:
        for key in reversed(rest[1:]):
            entry = {key: entry}
        return _insert(text, owner, rest[0], entry, unit)
    if not isinstance(owner.data, dict):
        return _replace(text, owner, entry, unit)
    for key, value in entry.items():
        if owner.data.get(key, MISSING) == value:
            continue
        present, _ = _find(_parse(text), path)
        values = [member.value for member in present.members if member.key == key]
        if not values:
            text = _insert(text, present, key, value, unit)
            continue
        text = _replace(text, values[-1], value, unit)
    for key in owner.data.keys() - entry.keys():
        text = _drop(text, (*path, key))
    return text


def drop(text: str, path: Keys) -> str:
    """Return the text without an entry. Raises BrokenError if the text is no JSON."""
    if not has(text, path):
        return text
    expected = without_entry(document(text), path)
    return read_back(document, _drop(text, path), expected)


def _drop(text: str, path: Keys) -> str:
    owner, _ = _find(_parse(text), path[:-1])
    keys = [member.key for member in owner.members]
    index = keys.index(path[-1])
    member = owner.members[index]
    start, end = _lines_of(text, member)
    is_last = index == len(keys) - 1
    if is_last and index and not member.after_comma:
        # The comma before it would be one after the last.
        before = owner.members[index - 1]
        between = text[before.end : start]
        line_break = between if "\n" in between else ""
        return text[: before.value.end] + line_break + text[end:]
    rest = text[owner.start + 1 : start] + text[end : owner.end - 1]
    if len(keys) == 1 and not rest.strip():
        start, end = owner.start + 1, owner.end - 1
    return text[:start] + text[end:]


def _lines_of(text: str, member: JsonMember) -> tuple[int, int]:
    """Return from where to where a member goes: whole lines if nothing else is in them."""
    start = text.rfind("\n", 0, member.start) + 1
    end = text.find("\n", member.end) + 1
    others = text[start : member.start] + text[member.end : end]
    if end and not others.strip():
        return start, end
    after = text[member.end :]
    return member.start, member.end + len(after) - len(after.lstrip(" \t"))


def _is_empty(text: str) -> bool:
    """Tell whether a text has nothing in it: clients make such files."""
    return not text.strip("\ufeff \t\r\n")


def _replace(text: str, old: Value, new: Any, unit: str) -> str:  # noqa: ANN401 - any JSON
    indent = _indent_at(text, old.start)
    return text[: old.start] + _dump(text, new, indent, unit) + text[old.end :]


def _insert(text: str, owner: Value, key: str, value: Any, unit: str) -> str:  # noqa: ANN401 - any JSON
    """Return the text with a new last member of an object."""
    newline, close = newline_of(text), owner.end - 1
    name, outer = json.dumps(key), _indent_at(text, owner.start)
    indent, begun = outer + unit, owner.start + 1
    comma = tail = ""
    if owner.members:
        first, last = owner.members[0], owner.members[-1]
        if "\n" not in text[owner.start : first.start]:
            # All of it stands in one line.
            end = last.value.end
            line = json.dumps(value, ensure_ascii=False)
            return f"{text[:end]}, {name}: {line}{text[end:]}"
        indent, begun = _indent_at(text, first.start), last.end
        comma, tail = ("", ",") if last.after_comma else (",", "")
    member = f"{name}: {_dump(text, value, indent, unit)}"
    # What stands between the last member and the brace, comments above all, stays there.
    head = text[:begun] + comma + text[begun:close].rstrip()
    return f"{head}{newline}{indent}{member}{tail}{newline}{outer}{text[close:]}"


def _dump(text: str, value: Any, indent: str, unit: str) -> str:  # noqa: ANN401 - any JSON
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return f"{newline_of(text)}{indent}".join(lines)


def _indent_at(text: str, place: int) -> str:
    """Return the space at the beginning of a line."""
    line = text[text.rfind("\n", 0, place) + 1 : place].lstrip("\ufeff")
    return line[: len(line) - len(line.lstrip(" \t"))]


def _find(root: Value, path: Keys) -> tuple[Value, Keys]:
    """Return the last value on the way to an entry, and the keys that are still missing from there."""
    value = root
    for index, key in enumerate(path):
        if not isinstance(value.data, dict):
            name = f"`{'.'.join(path[:index])}`" if index else "its content"
            raise BrokenError(f"{name} is not an object")
        values = [member.value for member in value.members if member.key == key]
        if len(values) > 1:
            raise BrokenError(f"`{key}` occurs {len(values)} times")
        if not values:
            return value, path[index:]
        value = values[0]
    return value, ()


def _root(text: str) -> Value:
    """Return the whole document; an empty one for a text that has nothing in it."""
    return Value(0, 0, {}) if _is_empty(text) else _parse(text)


@functools.lru_cache(maxsize=4)
def _parse(text: str) -> Value:
    return _Reader(text).document()


class _Reader:
    """Reads a text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 1 if text.startswith("\ufeff") else 0
        self.extensions = {"a byte order mark": 0} if self.place else {}
        """What RFC 8259 does not have, and where it is for the first time."""

    def document(self) -> Value:
        value = self.value(0)
        self.skip()
        if self.place < len(self.text):
            raise self.broken("more than one value")
        return value

    def value(self, depth: int) -> Value:
        self.skip()
        if depth > DEEPEST:
            raise self.broken(f"more than {DEEPEST} levels")
        if self.is_at("{"):
            return self.object(depth)
        if self.is_at("["):
            return self.array(depth)
        start = self.place
        try:
            data, self.place = DECODER.raw_decode(self.text, start)
        except (ValueError, RecursionError):
            raise self.broken("no value") from None
        return Value(start, self.place, data)

    def object(self, depth: int) -> Value:
        result = Value(self.place, 0, {})
        self.place += 1
        while not self.ends("}"):
            start = self.place
            if not self.is_at('"'):
                raise self.broken("no name in double quotes")
            key = self.value(depth + 1).data
            self.skip()
            if not self.is_at(":"):
                raise self.broken("no `:`")
            self.place += 1
            value = self.value(depth + 1)
            result.members.append(JsonMember(start, key, value, self.comma("}")))
            result.data[key] = value.data
        self.place += 1
        result.end = self.place
        return result

    def array(self, depth: int) -> Value:
        result = Value(self.place, 0, [])
        self.place += 1
        while not self.ends("]"):
            result.data.append(self.value(depth + 1).data)
            self.comma("]")
        self.place += 1
        result.end = self.place
        return result

    def comma(self, close: str) -> int:
        """Go past a comma and return the place after it; 0 if there is none, and the end comes."""
        self.skip()
        if self.is_at(","):
            self.place += 1
            after = self.place
            if self.ends(close):
                self.extensions.setdefault("a comma after the last member", after - 1)
            return after
        if not self.is_at(close):
            raise self.broken(f"no `,` or `{close}`")
        return 0

    def ends(self, close: str) -> bool:
        self.skip()
        return self.is_at(close)

    def is_at(self, sign: str) -> bool:
        return self.text.startswith(sign, self.place)

    def skip(self) -> None:
        """Go past space and comments."""
        while True:
            match = NOT_SPACE.search(self.text, self.place)
            self.place = match.start() if match else len(self.text)
            if self.is_at("/"):
                self.extensions.setdefault("a comment", self.place)
            if self.is_at("//"):
                end = self.text.find("\n", self.place)
            elif self.is_at("/*"):
                end = self.text.find("*/", self.place)
                if end < 0:
                    raise self.broken("a comment without an end")
                end += 2
            else:
                return
            self.place = end if end >= 0 else len(self.text)

    def broken(self, reason: str) -> BrokenError:
        before = self.text[: self.place]
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        return BrokenError(f"not valid JSON: line {line}, column {column}: {reason}")

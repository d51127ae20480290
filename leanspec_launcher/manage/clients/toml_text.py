"""TOML: the table of one entry is changed, and every other line stays.

What comes out is read by the standard library's parser, and is only taken if it says what was meant.
"""

import json
import re
import sys
from typing import Any

from .text import (
    BrokenError,
    Keys,
    newline_of,
    read_back,
    with_entry,
    without_entry,
)

BOM = "\ufeff"
BLANK = f"{BOM} \t\r\n"
DEEPEST = 100
# Each also matches without its end, which keeps a search through a damaged text from starting over.
STRING = (
    r'''"""(?:\\.|[^\\])*?(?:"""|\Z)|'{3}.*?(?:'{3}|\Z)|"(?:\\.|[^"\\\n])*"?|'[^'\n]*'?'''
)
TOKEN = re.compile(rf"{STRING}|#[^\n]*|[\[\]{{}}\n]", re.DOTALL)
BARE = re.compile(r"[A-Za-z0-9_-]+")
BETWEEN_KEYS = re.compile(r"[,=\[\]{}\n]")


def read(text: str, path: Keys) -> Any:  # noqa: ANN401 - whatever stands there
    """Return an entry; None if there is none. Raises BrokenError if the text is no TOML."""
    value: Any = document(text)
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def has(text: str, path: Keys) -> bool:
    """Tell whether an entry is there."""
    return read(text, path) is not None


def span(text: str, path: Keys) -> tuple[int, int]:
    """Return from where to where an entry's tables go; an empty span if there are none."""
    lines = text.splitlines(keepends=True)
    start, end = _table_lines(lines, path)
    if start < 0:
        return 0, 0
    first = len("".join(lines[:start]))
    return first, first + len("".join(lines[start:end]))


def put(text: str, path: Keys, entry: dict[str, Any]) -> str:
    """Return the text with an entry; of one that is there, only the lines that differ are changed.

    Raises BrokenError if the text is no TOML, or has the entry in another form than a table.
    """
    expected = with_entry(document(text), path, entry)
    old = read(text, path)
    members = old if isinstance(old, dict) else {}
    newline = newline_of(text)
    is_new = not text.strip(BLANK)
    lines = text.splitlines(keepends=True)
    start, end = _table_lines(lines, path)
    if start < 0:
        if text and not text.endswith("\n"):
            lines.append(newline)
        if text.strip():
            lines.append(newline)
        lines += [f"[{'.'.join(map(_key, path))}]{newline}"]
        lines += [_line(key, value) + newline for key, value in entry.items()]
    else:
        for key in members.keys() - entry.keys():
            end = _put_line(lines, start, end, key, [])
        for key, value in entry.items():
            if members.get(key) != value:
                end = _put_line(lines, start, end, key, [_line(key, value) + newline])
    # Nothing else is in a new one, so it is also for a Python that cannot read it.
    return "".join(lines) if is_new else read_back(document, "".join(lines), expected)


def drop(text: str, path: Keys) -> str:
    """Return the text without an entry and its tables.

    Raises BrokenError if the text is no TOML, or has the entry in another form than a table.
    """
    if read(text, path) is None:
        return text
    expected = without_entry(document(text), path)
    lines = text.splitlines(keepends=True)
    start, end = _table_lines(lines, path)
    while start > 0 and end == len(lines) and not lines[start - 1].strip():
        start -= 1  # the empty line that `put` makes
    left = "".join(lines[:start] + lines[end:])
    if not expected[path[0]] and path[0] not in document(left):
        del expected[path[0]]  # it had no line of its own
    return read_back(document, left, expected)


def document(text: str) -> dict[str, Any]:
    """Return everything that a text says."""
    if not text.strip(BLANK):
        return {}
    if sys.version_info < (3, 11):
        raise BrokenError("this Python is older than 3.11, and cannot read TOML")
    import tomllib

    # The parser needs the square of the time for a key of many parts.
    parts = BETWEEN_KEYS.split(TOKEN.sub("\n", text))
    if any(part.count(".") > DEEPEST for part in parts):
        raise BrokenError(f"more than {DEEPEST} levels")
    try:
        return tomllib.loads(text.removeprefix(BOM))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BrokenError(f"not valid TOML: {error}") from None


def _table_lines(lines: list[str], path: Keys) -> tuple[int, int]:
    """Return from which to which line an entry's tables go, without what belongs to the next table."""
    words = [
        f"""(?:{re.escape(key)}|"{re.escape(key)}"|'{re.escape(key)}')""" for key in path
    ]
    name = r"\s*\.\s*".join(words)
    header = re.compile(rf"\s*\[\s*{name}\s*(\.[^\]]+)?\]\s*(#.*)?$")
    starts = {index for index, line in enumerate(lines) if header.match(line)}
    if not starts:
        return -1, -1
    start = min(starts)
    end = start + 1
    while end < len(lines) and (end in starts or not lines[end].lstrip().startswith("[")):
        end += 1
    while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
        end -= 1
    return start, end


def _put_line(lines: list[str], start: int, end: int, key: str, new: list[str]) -> int:
    """Let an assignment take the place of the one of a key in a table, or none; return the table's end."""
    for first in range(start + 1, end):
        if lines[first].lstrip().startswith("["):
            break  # a table inside this one
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[first]):
            last = _end_of_assignment(lines, first, end)
            if document("".join(lines[first:last])) == document("".join(new)):
                return end
            lines[first:last] = new
            return end - (last - first) + len(new)
    lines[start + 1 : start + 1] = new
    return end + len(new)


def _end_of_assignment(lines: list[str], first: int, end: int) -> int:
    """Return the line after an assignment, which may go over several lines."""
    text = "".join(lines[first:end])
    depth = 0
    for token in TOKEN.finditer(text):
        if token[0] == "\n" and not depth:
            return first + text.count("\n", 0, token.end())
        depth += (token[0] in ("[", "{")) - (token[0] in ("]", "}"))
    return end


def _line(key: str, value: Any) -> str:  # noqa: ANN401 - strings, lists and tables of them
    return f"{key} = {_written(value)}"


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _written(value: Any) -> str:  # noqa: ANN401 - strings, lists and tables of them
    if isinstance(value, dict):
        members = ", ".join(_line(json.dumps(key), item) for key, item in value.items())
        return f"{{ {members} }}"
    if isinstance(value, list):
        return f"[{', '.join(_written(each) for each in value)}]"
    # A string of JSON is one of TOML, but for one sign.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")

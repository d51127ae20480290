"""YAML, as Goose writes it: an entry is a block of lines below a key at the left margin.

No parser of YAML is at hand, so what is written otherwise is refused, and not changed.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .text import BrokenError, Keys, newline_of

INDENT = "  "


def read(text: str, path: Keys) -> Any:  # noqa: ANN401 - as the other formats
    """Return the lines of an entry; None if there is none."""
    lines = text.splitlines(keepends=True)
    start, end, _ = _find(lines, path)
    return "".join(lines[start:end]) if end > start else None


def put(text: str, path: Keys, entry: dict[str, Any]) -> str:
    """Return the text with an entry in place of one that is there.

    Raises BrokenError if the servers are not written as a block.
    """
    newline = newline_of(text)
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    start, end, indent = _find(lines, path)
    block = [f"{indent}{path[1]}:{newline}"]
    block += [
        f"{indent}{INDENT}{key}: {json.dumps(value, ensure_ascii=False)}{newline}"
        for key, value in entry.items()
    ]
    if start < 0:
        return "".join([*lines, f"{path[0]}:{newline}", *block])
    return "".join(lines[:start] + block + lines[end:])


def drop(text: str, path: Keys) -> str:
    """Return the text without an entry. Raises BrokenError if the servers are not written as a block."""
    lines = text.splitlines(keepends=True)
    start, end, _ = _find(lines, path)
    if end > start:
        del lines[start:end]
        (key,) = _keys(lines, path[0])
        first, last = _block(lines, key)
        if first == last:
            del lines[key]  # without a value it would be `null`
    return "".join(lines)


def _find(lines: list[str], path: Keys) -> tuple[int, int, str]:
    """Return from which to which line an entry goes, and its indentation.

    Without the entry, both are the line where it could stand; without its table, -1.
    """
    table, name = path
    if any(line.startswith(("%", "...")) for line in lines) or lines[1:].count("---\n"):
        raise BrokenError("more than one document")
    keys = _keys(lines, table)
    if not keys:
        return -1, -1, INDENT
    if len(keys) > 1 or not re.fullmatch(rf"{table}:\s*(#.*)?", lines[keys[0]].rstrip()):
        raise BrokenError(f"`{table}` is not written as a block")
    start, end = _block(lines, keys[0])
    if start == end:
        return start, start, INDENT
    indent = _indent(lines[start])
    own = re.compile(rf"""{indent}(?:{name}|"{name}"|'{name}')\s*:""")
    found = [index for index in range(start, end) if own.match(lines[index])]
    if not found:
        return start, start, indent
    first = last = found[0]
    last += 1
    while last < end and (
        not lines[last].strip() or len(_indent(lines[last])) > len(indent)
    ):
        last += 1
    while not lines[last - 1].strip():
        last -= 1
    return first, last, indent


def _keys(lines: list[str], name: str) -> list[int]:
    """Return the lines with a key at the left margin."""
    return [index for index, line in enumerate(lines) if re.match(rf"{name}\s*:", line)]


def _block(lines: list[str], key: int) -> tuple[int, int]:
    """Return from which to which line the value of a key goes, blank lines around it left out."""
    start = key + 1
    while start < len(lines) and _is_blank(lines[start]):
        start += 1
    if start == len(lines) or not _indent(lines[start]):
        return key + 1, key + 1
    if "\t" in _indent(lines[start]) or lines[start].lstrip().startswith(
        ("-", "{", "[", "&")
    ):
        raise BrokenError(f"line {start + 1} is not a key")
    end = start
    while end < len(lines) and (_is_blank(lines[end]) or _indent(lines[end])):
        end += 1
    return start, end


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]

"""Difference of two texts, with nothing to be read of them but one entry: other servers have keys and passwords."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

Span = tuple[int, int]
"""From where to where an entry goes in a text; empty if it is not in it."""

CONTENT = re.compile(r"[^\s\ufeff{}\[\],](?:.*[^\s{}\[\],])?", re.DOTALL)

# A text that a key of JSON or TOML has, and the keys whose texts are shown: others are variables.
VALUE = re.compile(r'((?:"([^"]*)"|([\w-]+))\s*[:=]\s*)"(?:[^"\\]|\\.)*"')
SHOWN = ("command", "type", "cwd", "name", "transport", "description", "url")


def difference(before: tuple[str, Span], after: tuple[str, Span]) -> str:
    """Return the lines that differ in two texts; what is not of the entry in them is `…`."""
    old, new = (text.splitlines(keepends=True) for text, _ in (before, after))
    old_shown, new_shown = _masked(*before), _masked(*after)
    lines = []
    for kind, start, end, new_start, new_end in SequenceMatcher(a=old, b=new).get_opcodes():
        if kind != "equal":
            lines += [f"-{line}" for line in old_shown[start:end]]
            lines += [f"+{line}" for line in new_shown[new_start:new_end]]
    return "\n".join(lines)


def _masked(text: str, span: Span) -> list[str]:
    """Return the lines of a text with everything masked that is outside a span, except for brackets."""
    lines, place = [], 0
    for line in text.splitlines(keepends=True):
        start, end = (min(max(bound - place, 0), len(line)) for bound in span)
        parts = (
            CONTENT.sub("…", line[:start]),
            VALUE.sub(_without_secret, line[start:end]),
            CONTENT.sub("…", line[end:]),
        )
        lines.append("".join(parts).rstrip())
        place += len(line)
    return lines


def _without_secret(match: re.Match[str]) -> str:
    key = match[2] or match[3]
    return match[0] if key in SHOWN else f'{match[1]}"…"'

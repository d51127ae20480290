"""YAML, as Goose writes it: an entry is printed for the user to copy, and read if its form is sure.

No parser of YAML is at hand, so no file is changed.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .text import Keys

# Two spaces per level, each key on a line of its own, and a command that needs no escapes.
ENTRY = r"""
^{}:\n (?:(?:[ ]{{2}}.*)?\n)*?
[ ]{{2}}{}:\n (?:[ ]{{4}}.*\n)*?
[ ]{{4}}cmd:[ ] (?:"([^"\\\n]*)" | ([\w/~][^"'#\n]*)) $
"""


def read(text: str, path: Keys) -> dict[str, str] | None:
    """Return an entry with its command; None if there is none, or none in a form that is sure."""
    commands = re.findall(
        ENTRY.format(*path), text.replace("\r\n", "\n"), re.MULTILINE | re.VERBOSE
    )
    if len(commands) != 1 or text.count("\n---") or ": " in "".join(commands[0]):
        return None
    return {"command": "".join(commands[0])}


def written(path: Keys, entry: dict[str, Any]) -> str:
    """Return a whole file with nothing but an entry."""
    table, name = path
    lines = [
        f"    {key}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in entry.items()
    ]
    return "\n".join([f"{table}:", f"  {name}:", *lines, ""])

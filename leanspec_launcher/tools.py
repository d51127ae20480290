"""Tools of an MCP server: their digest, and the change between two lists of them in words.

An outline is what a release states of one tool: the SHA-256 of its name, description and input
schema as canonical JSON, then its parameters, of which those that end with `*` are required.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._search import ADAPTER_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ADAPTER = re.compile(r"""^(?:adapter|provider):\s*["']?([\w-]+)""", re.MULTILINE)
MARKDOWN = "markdown"
FIELDS = ("name", "description", "inputSchema")
REQUIRED = "*"
AS_RELEASED = "as released"


def outlines(tools: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the outline of each tool, by its name."""
    return {tool["name"]: _outline(tool) for tool in tools}


def _outline(tool: dict[str, Any]) -> str:
    fields = {name: tool.get(name) for name in FIELDS}
    # Canonical: a server may print the keys of a schema in any order.
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    schema = tool.get("inputSchema")
    schema = schema if isinstance(schema, dict) else {}
    required = schema.get("required") or ()
    names = sorted(schema.get("properties") or ())
    parameters = [f"{name}{REQUIRED if name in required else ''}" for name in names]
    return " ".join([hashlib.sha256(text.encode()).hexdigest(), *parameters])


def digest(tools: Mapping[str, str]) -> str:
    """Return the SHA-256 of outlined tools: of lines as `sha256sum` prints them, sorted by name."""
    lines = [f"{tools[name].partition(' ')[0]}  {name}\n" for name in sorted(tools)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def change(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return in words how outlined tools differ from those of a release."""
    return "; ".join(_changes(before, after)) or AS_RELEASED


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    yield from _set_changes("tool", set(before), set(after))
    for name in sorted(before.keys() & after.keys()):
        if before[name] == after[name]:
            continue
        old, new = _parameters(before[name]), _parameters(after[name])
        words = [*_set_changes("parameter", set(old), set(new))]
        for parameter in sorted(old.keys() & new.keys()):
            if old[parameter] != new[parameter]:
                state = "now required" if new[parameter] else "no longer required"
                words.append(f"parameter `{parameter}` is {state}")
        detail = ", ".join(words) or "its description, or the type of a parameter, changed"
        yield f"`{name}`: {detail}"


def _set_changes(kind: str, before: set[str], after: set[str]) -> Iterator[str]:
    for names, state in ((before - after, "gone"), (after - before, "new")):
        listed = ", ".join(f"`{name}`" for name in sorted(names))
        if len(names) == 1:
            yield f"{kind} {listed} is {state}"
        elif names:
            yield f"{kind}s {listed} are {state}"


def _parameters(outline: str) -> dict[str, bool]:
    """Return the parameters in an outline, and whether each is required."""
    names = outline.split(" ")[1:]
    return {name.rstrip(REQUIRED): name.endswith(REQUIRED) for name in names}


def adapter(project: Path) -> str:
    """Return the adapter of a project, which decides what parameters its tools have; nothing if it cannot be read."""
    for name in ADAPTER_FILES:
        try:
            text = (project / name).read_text("utf-8")
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return ""
        match = ADAPTER.search(text)
        return match[1] if match else MARKDOWN
    return MARKDOWN

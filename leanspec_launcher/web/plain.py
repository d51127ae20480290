"""Plain command lines of `leanspec-ui`, read without click, whose import takes longer than the server's start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .port import port_of

FLAGS = {
    "--multi-project": "multi_project",
    "--no-open": "no_open",
    "--new": "new",
    "--readonly": "readonly",
    "--dry-run": "dry_run",
    "--quiet": "quiet",
    "-q": "quiet",
    "--json": "as_json",
}
VALUES = {"--project": "project", "--host": "host", "--port": "port", "-p": "port"}


def plain_options(arguments: list[str]) -> dict[str, Any] | None:
    """Return the options of a plain command line, by name; None for any other, which is for click to read."""
    options: dict[str, Any] = {}
    words = iter(arguments)
    for word in words:
        if word in FLAGS:
            options[FLAGS[word]] = True
        elif word in VALUES:
            name = VALUES[word]
            value = _value(name, next(words, ""))
            if value is None:
                return None
            options[name] = value
        else:
            return None
    return options


def _value(name: str, text: str) -> Path | int | str | None:
    if not text or text.startswith("-"):
        return None
    if name == "project":
        return Path(text)
    if name == "host":
        return text
    return port_of(text)

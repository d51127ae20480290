"""Pages that are written from the source, so that they cannot say anything else than it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from .environment import ROOT
from .messages import raised

PAGE = ROOT / "docs/messages.md"
FOLDERS = ("scripts", "build_backend/leanspec_build")
HEAD = """\
# Messages of the maintainers' commands

Written by `python -m scripts docs` from the source. `…` stands for what depends on the run; a hint, where there is one,
stands below its message. What the launcher says is explained in [troubleshooting](troubleshooting.md).
"""


def messages_page() -> str:
    """Return the page of all messages, by module."""
    lines = [HEAD]
    for folder in FOLDERS:
        for module, found in groupby(raised(ROOT / folder), key=lambda message: message.module):
            lines.append(f"## {module}\n")
            for text, hint in dict.fromkeys((message.text, message.hint) for message in found):
                lines.append(f"- {_line(text)}" + (f"\n  hint: {_line(hint)}" if hint.strip("… ") else ""))
            lines.append("")
    return "\n".join(lines)


def _line(text: str) -> str:
    """Write a message as one line of Markdown: what is in angle brackets is no HTML."""
    return " ".join(text.split()).replace("<", "&lt;")


def write_pages() -> list[Path]:
    """Write every page that differs from the source; return those."""
    text = messages_page()
    if PAGE.exists() and PAGE.read_text("utf-8") == text:
        return []
    PAGE.write_text(text, "utf-8")
    return [PAGE]

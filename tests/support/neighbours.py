"""wheelforge, another maker of wheels, on the Pythons that this project supports."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from scripts.tools.installers import pip_install

WHEELFORGE = "wheelforge==1.0.1"
FIRST_PYTHON = (3, 14)
# `except A, B:` is new in Python 3.14.
EXCEPT = re.compile(r"except ([\w.]+(?:, [\w.]+)+):")


def install_wheelforge(programs: Path) -> None:
    """Install it; on a Python older than it requires, write two new forms of its syntax in the old way."""
    pip_install(programs, "--ignore-requires-python", WHEELFORGE)
    if sys.version_info >= FIRST_PYTHON:
        return
    for path in programs.parent.glob("lib/*/site-packages/wheelforge/*.py"):
        text = EXCEPT.sub(r"except (\1):", path.read_text("utf-8"))
        lines = text.splitlines()
        # Annotations are evaluated late in that version.
        lines.insert(_docstring_end(path), "from __future__ import annotations")
        path.write_text("\n".join(lines) + "\n", "utf-8")


def _docstring_end(path: Path) -> int:
    text = EXCEPT.sub(r"except (\1):", path.read_text("utf-8"))
    first = ast.parse(text).body[:1]
    has_docstring = first and isinstance(first[0], ast.Expr)
    return int(first[0].end_lineno or 0) if has_docstring else 0

"""Modules that a test reads as data, or changes between two starts of Python."""

from __future__ import annotations

import ast
import itertools
import os
from pathlib import Path
from typing import Any

from scripts.tools.work_folder import replacing

_SECONDS = itertools.count(1_000_000_000)


def write_module(path: Path, code: str | bytes) -> None:
    """Put other code in the place of a module, which the next start of Python reads.

    Python takes its byte code for current if that records the size of the source and the second
    of its last change. Two texts of one length, written within one second, would be the same to it,
    so each text gets a second of its own, which no file of this century has.
    """
    with replacing(path) as new:
        new.write_bytes(code if isinstance(code, bytes) else code.encode())
        second = next(_SECONDS)
        os.utime(new, (second, second))


def literals(code: str) -> dict[str, Any]:
    """Return the constants of a module, by name; everything below its docstring is a literal."""
    constants = {}
    for node in ast.parse(code).body[1:]:
        assert isinstance(node, ast.Assign | ast.AnnAssign)
        assert node.value is not None
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        constants[ast.unparse(target)] = ast.literal_eval(node.value)
    return constants

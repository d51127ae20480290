"""One idea per line: what a reader would have to unfold is written in two steps."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.environment import ROOT

FOLDERS = ("leanspec_launcher", "build_backend/leanspec_build", "scripts")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def conditional_arguments(tree: ast.AST, *, is_inside: bool = False) -> Iterator[int]:
    """Yield the lines of conditional expressions inside a call or an f-string."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.IfExp) and is_inside:
            yield node.lineno
        opens = isinstance(node, (ast.Call, ast.JoinedStr))
        # A lambda has no statement to move a step into.
        closes = isinstance(node, (ast.stmt, ast.Lambda))
        inside = (is_inside or opens) and not closes
        yield from conditional_arguments(node, is_inside=inside)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_argument_is_a_conditional_expression(path: Path) -> None:
    assert list(conditional_arguments(ast.parse(path.read_text("utf-8")))) == []


def test_one_would_be_found() -> None:
    code = "print(f'{a if b else c}')\nd = e if f else g\nh(lambda: i if j else k)"
    assert list(conditional_arguments(ast.parse(code))) == [1]

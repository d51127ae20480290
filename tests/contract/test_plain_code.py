"""One idea per line: what a reader would have to unfold is written in two steps."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scripts.environment import ROOT
from tests.support.rules import must_hold, place

FOLDERS = ("leanspec_launcher", "build_backend/leanspec_build", "scripts")


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


def test_no_argument_is_a_conditional_expression() -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 200
    must_hold(
        f"{place(path, line)}: a conditional expression inside a call"
        for path in files
        for line in conditional_arguments(ast.parse(path.read_text("utf-8")))
    )


def test_a_conditional_argument_would_be_reported() -> None:
    code = "print(f'{a if b else c}')\nd = e if f else g\nh(lambda: i if j else k)"
    assert list(conditional_arguments(ast.parse(code))) == [1]

"""Mutation tests: one small change to a module at a time, each followed by the tests that should fail."""

from __future__ import annotations

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from leanspec_launcher.diagnosis.errors import CommandError
from scripts.environment import ROOT
from scripts.tools.console import say, step
from scripts.tools.processes import capture, clean_environment
from scripts.tools.threads import map_in_threads
from scripts.tools.tree_copy import copy_tree

from .suite import FAST

# The default tests of a module: the fast ones of its part.
TESTS = {
    "leanspec_launcher": "tests/unit/launcher",
    "build_backend": "tests/unit/backend",
    "scripts": "tests/unit/scripts",
}
AT_ONCE = 2
# A test that runs into this limit counts as failed.
SECONDS = 300
OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OTHER_SYSTEMS = (
    "sys.platform == 'win32'",
    "sys.platform == 'darwin'",
    "TYPE_CHECKING",
    "os.name == 'nt'",
)


@dataclass(frozen=True)
class Mutant:
    """A changed module: the place, the old code, the new code, and the whole text."""

    line: int
    before: str
    after: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """The result of a change."""

    line: int
    before: str
    after: str
    noticed: bool


def mutants(text: str) -> Iterator[Mutant]:
    """Yield each change of a module, one at a time, in the order of its lines.

    Comparisons, `and` and `or`, `not`, numbers, truth values, conditions, raised errors and calls
    for their effect. Code for other systems is left unchanged.
    """
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in _nodes(ast.parse(text)):
        after = _changed(node)
        if after is None:
            continue
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        data = text.encode()
        whole = (data[:begin] + after.encode() + data[end:]).decode()
        yield Mutant(node.lineno, " ".join(data[begin:end].decode().split()), after, whole)


def _nodes(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Yield the expressions and statements that this system runs."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) in OTHER_SYSTEMS:
            for other in child.orelse:
                yield from _nodes(other)
            continue
        if isinstance(child, ast.expr | ast.stmt):
            yield child
        if not isinstance(child, ast.JoinedStr | ast.AnnAssign | ast.arguments):
            yield from _nodes(child)


def _changed(node: ast.expr | ast.stmt) -> str | None:
    """Return what a node becomes; None if there is nothing to change."""
    if isinstance(node, ast.Raise):
        return "pass"
    if isinstance(node, ast.Expr):
        return (
            "pass" if isinstance(node.value, ast.Call | ast.YieldFrom | ast.Yield) else None
        )
    if isinstance(node, ast.Constant):
        return _other_constant(node.value)
    other = _opposite(node)
    return f"({ast.unparse(other)})" if other else None


def _other_constant(value: object) -> str | None:
    if isinstance(value, bool):
        return str(not value)
    return str(value + 1) if isinstance(value, int) else None


def _opposite(node: ast.expr | ast.stmt) -> ast.expr | None:
    """Return a condition negated."""
    match node:
        case ast.Compare(ops=[only]):
            return ast.Compare(node.left, [OPPOSITES[type(only)]()], node.comparators)
        case ast.BoolOp():
            operator = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return ast.BoolOp(operator, node.values)
        case ast.UnaryOp(op=ast.Not()):
            return node.operand
        case ast.IfExp(test=ast.Name() | ast.Call() | ast.Attribute()):
            return ast.IfExp(node.test, node.orelse, node.body)
        case _:
            return None


def survey(
    module: Path, tests: tuple[str, ...], sample: int | None, lines: tuple[int, int] | None
) -> list[Outcome]:
    """Try the changes of a module, or a sample of them; return the result of each.

    In copies of the tree: nothing in this one changes. Raises CommandError if the tests fail
    without any change.
    """
    path = module.resolve().relative_to(ROOT)
    chosen = tests or (TESTS[path.parts[0]],)
    every = list(mutants((ROOT / path).read_text("utf-8")))
    if lines:
        every = [each for each in every if lines[0] <= each.line <= lines[1]]
    if sample is not None and sample < len(every):
        chance = random.Random(0)  # noqa: S311 - the same ones each time
        every = sorted(chance.sample(every, sample), key=lambda each: each.line)
    with tempfile.TemporaryDirectory(prefix="leanspec-mutants-") as name:
        copies = [Path(name, str(number)) for number in range(AT_ONCE)]
        trees: SimpleQueue[Path] = SimpleQueue()
        for copy in copies:
            copy_tree(copy)
            trees.put(copy)
        with step(f"the tests of `{path}`, without a change"):
            if _is_noticed(copies[0], path, (ROOT / path).read_text("utf-8"), chosen):
                raise CommandError(
                    "the tests fail without any change",
                    hint=f"python -m pytest {' '.join(chosen)}",
                )

        def attempt(mutant: Mutant) -> Outcome:
            own = trees.get()
            try:
                noticed = _is_noticed(own, path, mutant.text, chosen)
            finally:
                trees.put(own)
            word = "noticed" if noticed else "NOT NOTICED"
            say(
                f"  {path}:{mutant.line}  {mutant.before[:60]}  ->  {mutant.after[:60]}  {word}"
            )
            return Outcome(mutant.line, mutant.before, mutant.after, noticed)

        return map_in_threads(attempt, every, AT_ONCE)


def _is_noticed(tree: Path, path: Path, text: str, tests: tuple[str, ...]) -> bool:
    # Python would take the byte code of another change for this one's if both have the same length
    # and are written within a second.
    shutil.rmtree((tree / path).with_name("__pycache__"), ignore_errors=True)
    (tree / path).write_text(text, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        FAST,
        *tests,
    ]
    places = os.pathsep.join([str(tree), str(tree / "build_backend")])
    try:
        done = capture(
            command, cwd=tree, env=clean_environment(PYTHONPATH=places), seconds=SECONDS
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0

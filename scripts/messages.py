"""Every message of the source, found in the source: what a reader may meet, and the page that lists it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .environment import ROOT

# What is raised with a message for people.
RAISED = ("CommandError", "BuildError", "Refusal", "BurntError", "CredentialsError", "IndexUnreachableError")
GAP = "…"


@dataclass(frozen=True)
class Message:
    """Hold a message with gaps for what only a run knows, its hint, and the module that it is in."""

    text: str
    hint: str
    module: str


def raised(folder: Path) -> Iterator[Message]:
    """Yield every message that code below a folder raises, in the order of modules and lines."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED and node.args:
                hints = [_text(each.value) for each in node.keywords if each.arg == "hint"]
                text = _text(node.args[0])
                if text.strip(GAP + " "):
                    yield Message(text, next(iter(hints), ""), path.relative_to(ROOT).as_posix())


def _text(node: ast.expr) -> str:
    """Write a string as it will read, with a gap for each part that is computed."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(each) for each in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + _text(right)
        case ast.Call(func=ast.Attribute(value=ast.Constant()), args=[ast.List(elts=[first, *_])]):
            return _text(first)  # lines, joined
        case _:
            return GAP


def explained(folder: Path) -> Iterator[Message]:
    """Yield what the launcher says without raising it: why a start failed, in all its parts."""
    for path in sorted(folder.glob("*.py")):
        module = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for expression in _said(node):
                text = _text(expression).partition("error: ")[2].partition("\n")[0] or _text(expression)
                if re.search(r"\w{3}", text):
                    yield Message(text, "", module)


def _said(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Assign(targets=[ast.Name(id="CAUSES" | "WINDOWS_CAUSES")], value=ast.Dict(values=values)):
            yield from (each.elts[0] if isinstance(each, ast.Tuple) else each for each in values)
        case ast.FunctionDef(name="unfit" | "_hidden" | "objection" | "_cause"):
            for each in ast.walk(node):
                if isinstance(each, ast.Return) and each.value:
                    yield from _either(each.value)
        case ast.Assign(targets=[ast.Name(id="text")], value=ast.JoinedStr() as value):
            yield value
        case ast.Call(func=ast.Name(id="_say"), args=[_, text, *_]):
            yield text
        case ast.Call(func=ast.Attribute(attr="write") | ast.Name(id="_say"), args=[ast.JoinedStr() as text]):
            if _text(text).startswith("error: "):
                yield text
        case ast.Call(func=ast.Name(id="OSError"), args=[text]):
            yield text


def _either(node: ast.expr) -> Iterator[ast.expr]:
    yield from (node.body, node.orelse) if isinstance(node, ast.IfExp) else (node,)

"""The messages of the launcher and the backend, read from their source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.rules import place

# What is raised with a message for people.
RAISED = (
    *("CommandError", "BuildError", "NoTagError", "NotAProgramError"),
    *("BurntError", "ChangedError", "CredentialsError", "IndexUnreachableError"),
)
GAP = "…"


@dataclass(frozen=True)
class Message:
    """A message with gaps for what only a run knows, and its place in the source."""

    text: str
    place: str


def raised(folder: Path) -> Iterator[Message]:
    """Yield every message that code below a folder raises, in the order of modules and lines."""
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        names = _assigned(tree)
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in RAISED
                and node.args
            ):
                text = _text(_value(node.args[0], names))
                if text.strip(GAP + " "):
                    yield Message(text, place(path, node.lineno))


def _assigned(tree: ast.Module) -> dict[str, list[ast.Assign]]:
    """Return the assignments to each plain name, in the order of their lines."""
    assignments: dict[str, list[ast.Assign]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assignments.setdefault(node.targets[0].id, []).append(node)
    for nodes in assignments.values():
        nodes.sort(key=lambda node: node.lineno)
    return assignments


def _value(node: ast.expr, names: dict[str, list[ast.Assign]]) -> ast.expr:
    """Return the text that a name stands for: the nearest one above."""
    assignments = names.get(getattr(node, "id", ""), [])
    above = [assign for assign in assignments if assign.lineno < node.lineno]
    return above[-1].value if above else node


def _text(node: ast.expr) -> str:
    """Write a string as it will read, with a gap for each part that is computed."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(each) for each in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + _text(right)
        case ast.Call(
            func=ast.Attribute(value=ast.Constant()), args=[ast.List(elts=[first, *_])]
        ):
            return _text(first)  # lines, joined
        case _:
            return GAP


# Arguments of these name a part of a file, which a message then contains.
NAMES_OF_PARTS = {"must_hold", "unpack", "table", "take", "text"}
FEWEST_WORDS = 4


def sentences(folder: Path) -> Iterator[Message]:
    """Yield every sentence in the strings of code below a folder, but for docstrings, hints and help."""
    for path in sorted(folder.rglob("*.py")):
        if path.name == "__main__.py":
            continue  # the help of commands
        tree = ast.parse(path.read_text("utf-8"))
        others = set(_not_messages(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr | ast.Constant) and node not in others:
                text = _text(node)
                is_line = "\n" not in text and re.search(r"\w \w+ \w", text)
                if is_line and len(words(text)) >= FEWEST_WORDS:
                    yield Message(text, place(path, node.lineno))


def _not_messages(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant() as docstring):
                yield docstring
            case ast.ClassDef(body=body):
                yield from (line.value for line in body if isinstance(line, ast.Assign))
            case ast.keyword(arg="hint" | "help", value=value):
                yield from ast.walk(value)
            case ast.Call(func=ast.Attribute(attr=name), args=args) if (
                name in NAMES_OF_PARTS
            ):
                yield from args
            case ast.JoinedStr(values=values):
                yield from values


def words(text: str) -> list[str]:
    """Return the words of a text, without the punctuation around them."""
    return re.findall(r"[\w'.-]*\w", text)


def word_groups(text: str) -> set[tuple[str, ...]]:
    """Return the words of a message in threes, as they follow one another; of a shorter one, its words."""
    parts = [words(part) for part in text.replace("`", "").split(GAP)]
    threes = {
        tuple(part[start : start + 3]) for part in parts for start in range(len(part) - 2)
    }
    return threes or {tuple(part) for part in parts if re.search("[a-z]", "".join(part))}


def explained(folder: Path) -> Iterator[Message]:
    """Yield what a start may say: why it failed, in all its parts."""
    for path in sorted(folder.rglob("*.py")):
        if path.parent.name == "manage":
            continue  # its messages are raised
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for expression in _explanations(node):
                whole = _text(expression)
                first_line = whole.partition("error: ")[2].partition("\n")[0]
                text = first_line or whole
                if re.search(r"\w{3}", text):
                    yield Message(text, place(path, expression.lineno))


def _explanations(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Assign(
            targets=[ast.Name(id="CAUSES" | "WINDOWS_CAUSES")],
            value=ast.Dict(values=values),
        ):
            yield from (_first_text(value) for value in values)
        case ast.Assign(targets=[ast.Name(id="text")], value=value):
            yield from (
                text
                for text in _either(value)
                if isinstance(text, ast.Constant | ast.JoinedStr)
            )
        case ast.Call(func=ast.Name(id="_say" | "Refusal" | "refuse"), args=[_, text, *_]):
            yield text
        case ast.Call(func=ast.Name(id="say"), args=[text, *_]):
            if _text(text).startswith("error: "):
                yield text
        case ast.Call(func=ast.Name(id="OSError"), args=[text]):
            yield text


def _first_text(node: ast.expr) -> ast.expr:
    """Return the first text of a tuple."""
    if isinstance(node, ast.Tuple):
        texts = (ast.Constant, ast.JoinedStr)
        return next(element for element in node.elts if isinstance(element, texts))
    return node


def _either(node: ast.expr) -> Iterator[ast.expr]:
    yield from (node.body, node.orelse) if isinstance(node, ast.IfExp) else (node,)

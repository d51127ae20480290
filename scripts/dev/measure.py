"""The code in numbers: its size, its density, and which folder imports which.

Standard library alone, so that it measures any tree of Python:
`python3 scripts/dev/measure.py FOLDER...`.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WIDE = 100
LAYOUT = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


@dataclass(frozen=True)
class Module:
    """A module: its path, its text, and its syntax tree."""

    name: str
    text: str
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The folder that it is in, from the one that was named."""
        return self.name.rpartition(".")[0]


def read(root: Path) -> list[Module]:
    """Read every module below a folder, by its dotted name from there."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        text = path.read_text("utf-8")
        found.append(Module(".".join(parts), text, ast.parse(text)))
    return found


def figures(modules: list[Module]) -> dict[str, float]:
    """Count lines, tokens, comments, conditional expressions, enums, and what is wider than it should be."""
    tokens: Counter[int] = Counter()
    code: set[tuple[str, int]] = set()
    lines = wide = conditionals = enums = 0
    for module in modules:
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
            tokens[token.type] += 1
            if token.type not in LAYOUT:
                code.add((module.name, token.start[0]))
        rows = module.text.splitlines()
        lines += len(rows)
        wide += sum(len(row) > WIDE for row in rows)
        for node in ast.walk(module.tree):
            conditionals += isinstance(node, ast.IfExp)
            enums += isinstance(node, ast.ClassDef) and any(
                "Enum" in ast.unparse(base) for base in node.bases
            )
    told = sum(count for kind, count in tokens.items() if kind not in LAYOUT)
    return {
        "modules": len(modules),
        "lines": lines,
        "tokens": told,
        "tokens per line of code": round(told / len(code), 2),
        "comments, % of lines": round(100 * tokens[tokenize.COMMENT] / lines, 1),
        "conditional expressions per 100 lines": round(100 * conditionals / lines, 2),
        f"lines over {WIDE} columns, %": round(100 * wide / lines, 1),
        "enums": enums,
    }


def arrows(modules: list[Module]) -> set[tuple[str, str]]:
    """Return which module imports which, of these."""
    names = {module.name.removesuffix(".__init__") for module in modules}
    found = set()
    for module in modules:
        own = module.name.removesuffix(".__init__")
        for target in _imported(module):
            best = max(
                (name for name in names if f"{target}.".startswith(f"{name}.")),
                key=len,
                default="",
            )
            if best and best != own:
                found.add((own, best))
    return found


def _imported(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.name.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def circles(edges: set[tuple[str, str]]) -> list[set[str]]:
    """Return the sets of nodes that reach each other."""
    reach = {start: {start} for edge in edges for start in edge}
    changed = True
    while changed:
        changed = False
        for start, end in edges:
            before = len(reach[start])
            reach[start] |= reach[end]
            changed = changed or len(reach[start]) > before
    found: list[set[str]] = []
    for node, reached in reach.items():
        group = {other for other in reached if node in reach[other]}
        if len(group) > 1 and group not in found:
            found.append(group)
    return found


def between_folders(
    edges: set[tuple[str, str]], modules: list[Module]
) -> set[tuple[str, str]]:
    """Return which folder imports which; what is at the top counts by its own name."""
    folder = {module.name.removesuffix(".__init__"): module.folder for module in modules}
    top = min(folder.values(), key=len)

    def place(name: str) -> str:
        return name if folder[name] == top else ".".join(folder[name].split(".")[:2])

    return {
        (place(start), place(end)) for start, end in edges if place(start) != place(end)
    }


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main(folders: list[str]) -> int:
    """Print the figures of each folder; return 1 if any imports go in a circle."""
    code = 0
    for name in folders:
        modules = read(Path(name))
        edges = arrows(modules)
        folders_edges = between_folders(edges, modules)
        _print(name)
        for what, figure in figures(modules).items():
            _print(f"  {what:40} {figure:g}")
        for kind, found in (
            ("modules", circles(edges)),
            ("folders", circles(folders_edges)),
        ):
            _print(f"  {f'circles of {kind}':40} {len(found)}")
            for circle in found:
                _print(f"    {' <-> '.join(sorted(circle))}")
            code = code or int(bool(found))
        sources = sorted({start for start, _ in folders_edges})
        for start in sources:
            ends = sorted(
                end.rpartition(".")[2] for begin, end in folders_edges if begin == start
            )
            _print(f"  {start.rpartition('.')[2]:14} -> {', '.join(ends)}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

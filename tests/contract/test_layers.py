"""What the layers of pyproject.toml (`tool.importlinter`) cannot say."""

from __future__ import annotations

import ast
import re

from scripts.environment import ROOT
from tests.support.rules import must_hold, numbered, place

CHANGES = r"\b(subprocess|os\.(?:chmod|exec\w+|posix_spawn|fork|mkdir|replace|unlink)|\"[wax]b?\")"


def test_explain_starts_no_program_and_changes_no_file() -> None:
    folder = ROOT / "leanspec_launcher/explain"
    assert list(numbered(CHANGES, 'os.chmod(path, 1)\nopen(path, "w")')), "it can fail"
    must_hold(
        f"{place(path, line)}: `{name}`"
        for path in folder.glob("*.py")
        for line, name in numbered(CHANGES, path.read_text("utf-8"))
    )


def test_tests_import_helpers_from_support_alone() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    assert len(files) > 100
    must_hold(
        f"{place(path, node.lineno)}: imports `{node.module}`"
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and re.match(r"tests(?!\.support\b)", node.module or "")
    )


def test_the_backend_knows_no_project() -> None:
    """Its own name apart: any project can use it, and none of its messages sends somebody here."""
    files = [*(ROOT / "build_backend").rglob("*.py"), ROOT / "build_backend/README.md"]
    assert len(files) > 10
    stranger = r"(?!leanspec[-_]build)((?i:leanspec|python3 -m scripts))"
    must_hold(
        f"{place(path, line)}: names `{name}`"
        for path in files
        for line, name in numbered(stranger, path.read_text("utf-8"))
    )

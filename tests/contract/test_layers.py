"""The layout shows the architecture: what imports what, and that no arrow turns back."""

from __future__ import annotations

import ast
import re

from scripts.dev.measure import arrows, between_folders, circles, read
from scripts.environment import ROOT
from tests.support.rules import must_hold, numbered, place

# From the ground up; each may import those before it.
SCRIPTS = (
    "locked",
    "environment",
    "tools",
    "model",
    "options",
    "collect",
    "build",
    "index",
    "gates",
    "publish",
    "github",
    "proofs",
    "dev",
    "cli",
    "__main__",
)


def test_the_folders_of_scripts_import_those_below_them() -> None:
    modules = read(ROOT / "scripts")
    edges = {
        (start.removeprefix("scripts."), end.removeprefix("scripts."))
        for start, end in between_folders(arrows(modules), modules)
        if end != "scripts"
    }
    assert len(edges) > 30, "arrows are found at all"
    assert {name for edge in edges for name in edge} <= set(SCRIPTS)
    assert [
        edge for edge in edges if SCRIPTS.index(edge[0]) <= SCRIPTS.index(edge[1])
    ] == []


def test_no_import_goes_in_a_circle() -> None:
    folders = ("leanspec_launcher", "build_backend/leanspec_build", "scripts")
    must_hold(
        " <-> ".join(sorted(circle))
        for folder in folders
        for circle in circles(arrows(read(ROOT / folder)))
    )


def test_a_circle_would_be_found() -> None:
    assert circles({("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")}) == [{"a", "b", "c"}]


def test_launcher_and_backend_do_not_know_each_other() -> None:
    strangers = {
        "leanspec_launcher": "leanspec_build|scripts",
        "build_backend": "leanspec_launcher|scripts",
    }
    must_hold(
        f"{place(path, line)}: imports `{name}`"
        for folder, others in strangers.items()
        for path in (ROOT / folder).rglob("*.py")
        for line, name in numbered(
            rf"^\s*(?:from|import) ({others})\b", path.read_text("utf-8")
        )
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
    stranger = r"(?!leanspec[-_]build)((?i:leanspec|python -m scripts))"
    must_hold(
        f"{place(path, line)}: names `{name}`"
        for path in files
        for line, name in numbered(stranger, path.read_text("utf-8"))
    )

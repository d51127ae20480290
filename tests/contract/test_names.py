"""Names in the code: each says what its value is, and no two classes have the same."""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
from collections import Counter
from pathlib import Path

from scripts.environment import ROOT
from tests.support.rules import must_hold

PRODUCT = ("leanspec_launcher", "build_backend", "scripts")
# They fit a list of files, a match and an exit code alike. Fine in a comprehension of one line.
SAY_NOTHING = {
    *("found", "each", "said", "wanted", "stated", "asked", "own", "done", "made"),
    *("kept", "told", "given", "known", "taken", "seen", "meant", "looked"),
}
MOST_PER_MILLE = 5


def sources() -> list[Path]:
    return [path for name in PRODUCT for path in sorted((ROOT / name).rglob("*.py"))]


def names(path: Path) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
    words = [token.string for token in tokens if token.type == tokenize.NAME]
    return [word for word in words if not keyword.iskeyword(word)]


def test_names_say_what_a_value_is() -> None:
    by_file = {path: names(path) for path in sources()}
    empty = Counter(
        f"{path.relative_to(ROOT)}: `{name}`"
        for path, words in by_file.items()
        for name in words
        if name in SAY_NOTHING
    )
    most = sum(map(len, by_file.values())) * MOST_PER_MILLE // 1000
    assert empty.total() <= most, "\n".join(
        f"{place} {count} times" for place, count in empty.most_common()
    )


def test_no_two_classes_have_the_same_name() -> None:
    classes: dict[str, list[Path]] = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(path.relative_to(ROOT))
    must_hold(
        f"`{name}`: {', '.join(map(str, paths))}"
        for name, paths in classes.items()
        if len(paths) > 1
    )

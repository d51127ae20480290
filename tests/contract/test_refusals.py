"""What each job after the first upload can still refuse: nothing that was known before it."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.environment import ROOT
from tests.support.messages import raised

# The function in which a job is past the first upload.
ENTRIES = {
    "publish": ("scripts.publish.publish", "_upload"),
    "release": ("scripts.github.upload", "publish_release"),
    "registry": ("scripts.publish.registry", "publish_server"),
}
# What a job can refuse there, by whom that is up to. (`verify` installs and compares what the index serves.)
REFUSALS: dict[str, dict[str, tuple[str, ...]]] = {
    "publish": {
        "trusted publishing, whose token is requested again for each wave": (
            "there are no credentials for `…`",
            "trusted publishing to `…` failed: …",
            "`…` did not give a token: …",
        ),
        "the index": (
            "`…` did not take `…` in … attempts (the last one: …)",
            "`…` rejected `…`: …",
            "…; an earlier attempt was cut off, and may have arrived without being listed yet",
            "after … s `…` still does not serve …",
            "`…` is on `…` with other bytes: sha256 `…`, ours is `…`",
            "`…` lists `…` with the sha256 `…`, uploaded was `…`",
        ),
    },
    "release": {
        "GitHub": (
            "… failed (exit code …)",
            "GitHub still shows `…` as a draft",
            "`gh` is not logged in",
            "`…` cannot be fetched from GitHub",
        ),
        "whoever changed the draft": (
            "there are … releases of `…` on GitHub",
            "`…` on GitHub lacks … of … files, such as `…`",
            "the draft of `…` on GitHub has other files",
            "the release on GitHub has other bytes, nothing was uploaded",
        ),
    },
    "registry": {
        "the registry": ("… failed (exit code …)",),
        "the artifact of `check`": ("`…` does not exist",),
    },
}
# Looked at in a dry run alone.
IN_A_DRY_RUN = {"_must_be_right"}


def module_path(name: str) -> Path:
    return ROOT / f"{name.replace('.', '/')}.py"


def imported(tree: ast.Module, module: str) -> dict[str, tuple[str, str]]:
    """Return what a module imports from ours: name -> module, name there."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            name = "." * node.level + node.module
            absolute = importlib.util.resolve_name(name, module.rpartition(".")[0])
            for alias in node.names:
                found[alias.asname or alias.name] = (absolute, alias.name)
    return found


def reached(
    module: str, function: str, seen: set[tuple[str, str]]
) -> Iterator[tuple[Path, int, int]]:
    """Yield file, first and last line of a function, and of those that it calls by name in `scripts`."""
    if (module, function) in seen or function in IN_A_DRY_RUN:
        return
    seen.add((module, function))
    path = module_path(module)
    if not module.startswith("scripts.") or not path.is_file():
        return
    tree = ast.parse(path.read_text("utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    node = functions.get(function)
    if node is None or node.end_lineno is None:
        return
    yield path, node.lineno, node.end_lineno
    others = imported(tree, module)
    for name in {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}:
        if name in functions:
            yield from reached(module, name, seen)
        elif name in others:
            yield from reached(*others[name], seen)


@pytest.mark.parametrize("job", ENTRIES)
def test_a_job_after_the_first_upload_refuses_nothing_that_was_known(job: str) -> None:
    places = [*reached(*ENTRIES[job], set())]
    messages = set()
    for message in raised(ROOT / "scripts"):
        name, _, line = message.place.rpartition(":")
        if any(
            path == ROOT / name and first <= int(line) <= last
            for path, first, last in places
        ):
            messages.add(message.text)
    stated = {text for texts in REFUSALS[job].values() for text in texts}
    assert messages == stated

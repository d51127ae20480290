"""A copy of the project that may be changed."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.environment import ROOT
from scripts.tools.processes import capture, find_program, must_succeed
from tests.support.preconditions import require

AUTHOR = (
    *("-c", "user.name=copy"),
    *("-c", "user.email=copy@localhost"),
    *("-c", "commit.gpgsign=false"),
)


def copy_tree(target: Path, source: Path = ROOT) -> None:
    """Copy a working tree without what git ignores, and begin a repository there.

    Files that git does not track yet are part of the tree. Without git, the test is skipped.
    """
    require("git")
    listing = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    run = must_succeed(capture([_git(), "-C", str(source), *listing]), "`git ls-files`")
    for name in filter(None, run.stdout.split("\0")):
        file, copy = source / name, target / name
        if file.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    git(target, "init", "--quiet", "--initial-branch=main")


def git(tree: Path, *arguments: str) -> None:
    """Run git in a copy; raises CommandError if it fails."""
    command = [_git(), "-C", str(tree), *AUTHOR, *arguments]
    must_succeed(capture(command), f"`git {arguments[0]}`")


def _git() -> str:
    return find_program("git", "install git")

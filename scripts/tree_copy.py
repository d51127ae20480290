"""A copy of the project that may be changed: what git tracks, as it is in the working tree."""

from __future__ import annotations

import shutil
from pathlib import Path

from .environment import ROOT
from .processes import capture, find_program, must_succeed

WHO = ("-c", "user.name=copy", "-c", "user.email=copy@localhost", "-c", "commit.gpgsign=false")


def copy_tracked(target: Path) -> None:
    """Copy every tracked file, and begin a repository there. Raises CommandError where there is no git."""
    names = must_succeed(capture([_git(), "-C", str(ROOT), "ls-files", "-z"]), "`git ls-files`").stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    git(target, "init", "--quiet", "--initial-branch=main")


def git(tree: Path, *arguments: str) -> None:
    """Run git in a copy; raises CommandError where it fails."""
    must_succeed(capture([_git(), "-C", str(tree), *WHO, *arguments]), f"`git {arguments[0]}`")


def _git() -> str:
    return find_program("git", "install git")

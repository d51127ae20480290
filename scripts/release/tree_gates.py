"""The gates that need no built file: names, versions, tag, tree, lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import default_environment
from packaging.utils import canonicalize_name

from leanspec_launcher._tables import FAMILIES
from leanspec_launcher.manage.errors import CommandError
from scripts.environment import Group
from scripts.lock import follow, read_lock, wanted
from scripts.processes import capture, find_program, must_succeed

from . import sync
from .finding import Finding, all_good, bad, good, same
from .plan import MAIN, Plan

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
LARGEST_TRACKED = 1 << 20
PROGRAMS = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


def names() -> Iterator[Finding]:
    """Look at the distributions' names: lawful, and not to be confused with one another."""
    own = [MAIN, *(family.distribution for family in FAMILIES.values())]
    seen: dict[str, str] = {}
    for name in own:
        other = seen.setdefault(confusable(name), name)
        if not NAME.fullmatch(name) or canonicalize_name(name) != name:
            yield bad("names", name, "a normalized name (PEP 503)", name)
        elif other != name:
            yield bad("names", name, f"a name not to be confused with `{other}`", name)
        else:
            yield good("names", name, name)


def confusable(name: str) -> str:
    """Return what an index compares a new name by: letters and digits that look alike are the same."""
    return re.sub(r"[-_.]", "", name.lower()).replace("1", "l").replace("i", "l").replace("0", "o")


def versions(plan: Plan, root: Path, cargo: Path | None) -> Iterator[Finding]:
    """Look at every place that repeats the version."""
    for edit in sync.planned(plan.version, root, cargo):
        for place in edit.places:
            yield same("versions", f"{place.file}: {place.what}", place.expected, place.found)


def tag(plan: Plan, root: Path) -> Iterator[Finding]:
    """Look whether this commit is the tag of a stable version. A dev version has none."""
    wanted = f"v{plan.version}"
    if plan.version.is_devrelease:
        yield good("tag", wanted, "a dev version has none")
        return
    found = _git(root, "tag", "--points-at", "HEAD").split()
    yield same("tag", "HEAD", wanted, wanted if wanted in found else " ".join(found) or "no tag")


def tree(root: Path) -> Iterator[Finding]:
    """Look whether the tree is clean, and tracks no binary and no large file."""
    changed = _git(root, "status", "--porcelain").splitlines()
    yield same(
        "tree", "git status", "clean", "clean" if not changed else f"{len(changed)} changes: {changed[0].strip()}"
    )

    def problems() -> Iterator[Finding]:
        for name in _git(root, "ls-files", "-z").split("\0"):
            path = root / name
            if name and path.is_file():
                with path.open("rb") as file:
                    if file.read(4).startswith(PROGRAMS):
                        yield bad("tree", name, "no program in git", "a program")
                if path.stat().st_size > LARGEST_TRACKED:
                    yield bad("tree", name, f"at most {LARGEST_TRACKED} bytes", path.stat().st_size)

    yield from all_good("tree", "tracked files", problems(), "no program, none over 1 MiB")


def lock(root: Path) -> Iterator[Finding]:
    """Look whether each lock file has a version of everything that its group asks for."""
    here = {name: str(value) for name, value in default_environment().items()}
    for group in Group:
        entries = read_lock(root / group.lock.name)
        roots = wanted(group, root)
        problems, _ = follow(entries, roots, lambda _: [], here)
        found = [bad("lock", each.requirement.name, each.requirement, each.locked or "not locked") for each in problems]
        yield from all_good("lock", group.lock.name, iter(found), f"{len(entries)} packages")


@dataclass(frozen=True)
class Commit:
    """Hold a commit: its name, and when it was made, in seconds since 1970."""

    name: str
    time: int


def commit_of(root: Path) -> Commit:
    """Return the commit that a tree is at; raises CommandError outside git."""
    name, time = _git(root, "show", "--no-patch", "--format=%H %ct", "HEAD").split()
    return Commit(name, int(time))


def _git(root: Path, *arguments: str) -> str:
    git = find_program("git", "install git")
    return must_succeed(capture([git, "-C", str(root), *arguments]), f"`git {arguments[0]}`").stdout


def repository(plan: Plan, root: Path, cargo: Path | None, *, tagged: bool) -> Iterator[Finding]:
    """Run every gate of this file."""
    yield from names()
    yield from versions(plan, root, cargo)
    try:
        if tagged:
            yield from tag(plan, root)
        yield from tree(root)
    except CommandError as error:
        yield bad("tree", str(root), "a git repository", error.message.splitlines()[0])
    yield from lock(root)

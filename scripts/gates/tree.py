"""The gates that need no built file: names, manifests, versions, tag, tree, lock files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import default_environment
from packaging.utils import canonicalize_name
from validate_pyproject.api import Validator
from validate_pyproject.error_reporting import ValidationError

from leanspec_launcher.commands import CommandError
from scripts.environment import Group
from scripts.model import version_places
from scripts.model.distributions import DISTRIBUTIONS
from scripts.model.finding import Finding, compare, confirm, confirm_unless, problem
from scripts.model.plan import Plan
from scripts.tools.lock import follow, group_requirements, read_lock

from .commit import publishing_repository, tag, tree

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def names() -> Iterator[Finding]:
    """Check that the distributions' names are valid, and cannot be confused with one another."""
    seen: dict[str, str] = {}
    for name in DISTRIBUTIONS:
        other = seen.setdefault(confusable(name), name)
        if not NAME.fullmatch(name) or canonicalize_name(name) != name:
            yield problem("names", name, "a normalized name (PEP 503)", name)
        elif other != name:
            yield problem("names", name, f"a name not to be confused with `{other}`", name)
        else:
            yield confirm("names", name, name)


def confusable(name: str) -> str:
    """Return a name as an index compares new names: look-alike letters and digits are equal."""
    return (
        re.sub(r"[-_.]", "", name.lower())
        .replace("1", "l")
        .replace("i", "l")
        .replace("0", "o")
    )


def versions(plan: Plan, root: Path, cargo: Path | None) -> Iterator[Finding]:
    """Check every place that repeats the version, or the repository."""
    for edit in version_places.planned(plan.version, root, cargo):
        for place in edit.places:
            yield compare(
                "versions",
                f"{place.file}: {place.what}",
                place.expected,
                place.found,
                hint=f"`python3 -m scripts bump{f' --cargo {cargo}' if cargo else ''}` writes it",
            )


def manifests(root: Path) -> Iterator[Finding]:
    """Check each project's manifest against the standard (pyproject.toml specification)."""
    validate = Validator()
    for path in (root / "pyproject.toml", *sorted(root.glob("*/*/pyproject.toml"))):
        name = str(path.relative_to(root))
        try:
            validate(tomllib.loads(path.read_text("utf-8")))
        except (ValidationError, tomllib.TOMLDecodeError) as error:
            yield problem(
                "tree", name, "a manifest by the standards", str(error).splitlines()[0]
            )
        else:
            yield confirm("tree", name, "a manifest by the standards")


def lock(root: Path) -> Iterator[Finding]:
    """Check that each lock file meets every requirement of its group."""
    here = {name: str(value) for name, value in default_environment().items()}
    for group in Group:
        entries = read_lock(root / group.lock.name)
        roots = group_requirements(group, root)
        problems, _ = follow(entries, roots, lambda _: [], here)
        found = [
            problem(
                "lock",
                each.requirement.name,
                each.requirement,
                each.locked or "not locked",
                hint="`python3 -m scripts lock`",
            )
            for each in problems
        ]
        yield from confirm_unless(
            "lock", group.lock.name, iter(found), f"{len(entries)} packages"
        )


def repository(plan: Plan, root: Path, cargo: Path | None) -> Iterator[Finding]:
    """Run every gate that needs no built file."""
    yield from names()
    yield from manifests(root)
    yield from versions(plan, root, cargo)
    yield from publishing_repository(root)
    try:
        yield from tag(plan, root)
        yield from tree(plan, root)
    except CommandError as error:
        yield problem("tree", str(root), "a git repository", error.message.splitlines()[0])
    yield from lock(root)

"""The gates that need no built file: names, manifests, versions, tag, tree, lock files."""

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
from scripts.model.finding import Finding, compare, confirm, confirm_unless, problem
from scripts.model.plan import Plan
from scripts.model.programs import DISTRIBUTIONS
from scripts.tools.lock import follow, group_requirements, read_lock

from .commit import publishing_repository, tag, tree

# The index refuses a new project whose name differs from another one's in these alone.
LOOK_ALIKES = str.maketrans("1i0", "llo")
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def names() -> Iterator[Finding]:
    """Check that the distributions' names are valid, and cannot be confused with one another."""
    names: dict[str, str] = {}
    for name in DISTRIBUTIONS:
        other = names.setdefault(confusable(name), name)
        if not NAME.fullmatch(name) or canonicalize_name(name) != name:
            yield problem("names", name, "a normalized name (PEP 503)", name)
        elif other != name:
            yield problem("names", name, f"a name not to be confused with `{other}`", name)
        else:
            yield confirm("names", name, name)


def confusable(name: str) -> str:
    """Return a name as an index compares new names: look-alike letters and digits are equal."""
    return re.sub(r"[-_.]", "", name.lower()).translate(LOOK_ALIKES)


def versions(plan: Plan, root: Path, cargo: Path | None) -> Iterator[Finding]:
    """Check every place that repeats the version, or the repository."""
    option = f" --cargo {cargo}" if cargo else ""
    hint = f"`python3 -m scripts bump{option}` writes it"
    for edit in version_places.planned(plan.version, root, cargo):
        for place in edit.places:
            subject = f"{place.file}: {place.subject}"
            yield compare("versions", subject, place.expected, place.actual, hint=hint)


def manifests(root: Path) -> Iterator[Finding]:
    """Check each project's manifest against the standard (pyproject.toml specification)."""
    validate = Validator()
    expected = "a manifest by the standards"
    for path in (root / "pyproject.toml", *sorted(root.glob("*/*/pyproject.toml"))):
        name = str(path.relative_to(root))
        try:
            validate(tomllib.loads(path.read_text("utf-8")))
        except (ValidationError, tomllib.TOMLDecodeError) as error:
            # The lines after the first print the whole schema.
            yield problem("tree", name, expected, str(error).splitlines()[0])
        else:
            yield confirm("tree", name, expected)


def lock(root: Path) -> Iterator[Finding]:
    """Check that each lock file meets every requirement of its group."""
    here = {name: str(value) for name, value in default_environment().items()}
    for group in Group:
        name, entries = group.lock.name, read_lock(root / group.lock.name)
        unmet, _ = follow(entries, group_requirements(group, root), lambda _: [], here)
        problems = (
            problem(
                "lock",
                missing.requirement.name,
                missing.requirement,
                missing.locked or "not locked",
                hint="`python3 -m scripts lock`",
            )
            for missing in unmet
        )
        yield from confirm_unless("lock", name, problems, f"{len(entries)} packages")


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

"""The lock files of the dependency groups: writing them, and what they list."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.dependency_groups import resolve_dependency_groups
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts.environment import ROOT, Group

from .console import step
from .processes import capture, must_succeed, own_program

# The backend is installed from the tree: what it needs is locked with a group that builds.
BACKEND = ("build_backend/pyproject.toml", "--all-extras")
# `dev` first: the others share its versions.
SHARED = ("--constraint", "dev.lock")
SOURCES: dict[Group, tuple[str, ...]] = {
    Group.DEV: (*BACKEND, "--group", "pyproject.toml:dev"),
    Group.RELEASE: (*BACKEND, "--group", "pyproject.toml:release", *SHARED),
    Group.SIGN: ("--group", "pyproject.toml:sign", *SHARED),
}
# For every supported Python and system; with hashes, no file with other content can be installed.
OPTIONS = (
    *("--universal", "--python-version", "3.11", "--no-build", "--generate-hashes"),
    *("--upgrade", "--custom-compile-command", "python3 -m scripts lock"),
)
UNREACHABLE = "see whether the index that uv is configured with answers: `uv.toml`, and the `UV_...` variables"
# What markers are evaluated with: https://packaging.python.org/en/latest/specifications/dependency-specifiers/
MarkerValues = Mapping[str, str]
Requirements = Callable[["LockEntry"], list[Requirement]]


@dataclass(frozen=True)
class LockEntry:
    """A package in a lock file, at its one version, and the environments that it is for."""

    name: str
    version: Version
    marker: Marker | None

    def is_for(self, values: MarkerValues) -> bool:
        """Tell whether it is installed in an environment."""
        return self.marker is None or self.marker.evaluate(values)


@dataclass(frozen=True)
class Unmet:
    """A requirement that a lock file does not meet: whose it is, and the version locked instead."""

    asker: str
    requirement: Requirement
    locked: Version | None


def write_locks() -> Iterator[Path]:
    """Resolve each group, and yield the lock files written."""
    for group, sources in SOURCES.items():
        name = group.lock.name
        command = [own_program("uv"), "pip", "compile", *sources, *OPTIONS]
        command += ["--output-file", name]
        with step(f"resolving {name}"):
            must_succeed(capture(command, cwd=ROOT), "`uv pip compile`", UNREACHABLE)
        yield group.lock


def read_lock(path: Path) -> list[LockEntry]:
    """Return what a lock file lists."""
    entries = []
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.rstrip("\\ "))
            (version,) = requirement.specifier
            name = canonicalize_name(requirement.name)
            entries.append(LockEntry(name, Version(version.version), requirement.marker))
    return entries


def group_requirements(group: Group, root: Path = ROOT) -> list[Requirement]:
    """Return what a group asks for; if it builds, also what the backend needs, its extras included."""
    groups = _manifest(root / "pyproject.toml")["dependency-groups"]
    texts = [*resolve_dependency_groups(groups, group.value)]
    if group.builds:
        project = _manifest(root / "build_backend/pyproject.toml")["project"]
        extras = project.get("optional-dependencies", {})
        texts += [*project["dependencies"], *chain.from_iterable(extras.values())]
    return [Requirement(text) for text in texts]


def _manifest(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def follow(
    entries: list[LockEntry],
    roots: list[Requirement],
    requirements: Requirements,
    values: MarkerValues,
) -> tuple[list[Unmet], set[str]]:
    """Follow the requirements of every package, from the roots, in the environment of some values.

    `requirements` returns those that a package states. Returns the requirements that the lock does
    not meet, and the names of the packages that are needed: with none of the first, and all of the
    second listed, installing the lock needs no resolver.
    """
    locked = {entry.name: entry for entry in entries if entry.is_for(values)}
    problems = []
    # Names with the extra whose requirements are followed; without one, the extra is empty.
    followed: set[tuple[str, str]] = set()
    queue = [("the group", requirement, "") for requirement in roots]
    while queue:
        asker, requirement, extra = queue.pop()
        marker = requirement.marker
        if marker and not marker.evaluate({**values, "extra": extra}):
            continue
        entry = locked.get(canonicalize_name(requirement.name))
        if entry is None:
            problems.append(Unmet(asker, requirement, None))
            continue
        if not requirement.specifier.contains(entry.version, prereleases=True):
            problems.append(Unmet(asker, requirement, entry.version))
        for extra in ("", *requirement.extras):
            if (entry.name, extra) not in followed:
                followed.add((entry.name, extra))
                queue += [(entry.name, other, extra) for other in requirements(entry)]
    return problems, {name for name, _ in followed}

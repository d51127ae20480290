"""The lock files of the dependency groups: writing them, and what they list."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
SOURCES: dict[Group, tuple[str, ...]] = {
    Group.DEV: (*BACKEND, "--group", "pyproject.toml:dev"),
    Group.RELEASE: (
        *BACKEND,
        *("--group", "pyproject.toml:release"),
        *("--constraint", "dev.lock"),
    ),
    Group.SIGN: ("--group", "pyproject.toml:sign", "--constraint", "dev.lock"),
}
# What markers are evaluated with: https://packaging.python.org/en/latest/specifications/dependency-specifiers/
Environment = Mapping[str, str]
Requirements = Callable[["LockEntry"], list[Requirement]]


@dataclass(frozen=True)
class LockEntry:
    """A package in a lock file, at its one version, and the environments that it is for."""

    name: str
    version: Version
    marker: Marker | None

    def is_for(self, environment: Environment) -> bool:
        """Tell whether it is installed in an environment."""
        return self.marker is None or self.marker.evaluate(environment)


@dataclass(frozen=True)
class Unmet:
    """A requirement that a lock file does not meet: whose it is, and the version locked instead."""

    asker: str
    requirement: Requirement
    locked: Version | None


def write_locks() -> Iterator[Path]:
    """Resolve each group for every supported Python and system; yield the lock files written.

    Each entry states the hashes of its files: no file with other content can be installed.
    """
    for group, sources in SOURCES.items():
        command = [own_program("uv"), "pip", "compile", *sources]
        command += [
            "--universal",
            "--python-version",
            "3.11",
            "--no-build",
            "--generate-hashes",
        ]
        command += ["--upgrade", "--custom-compile-command", "python3 -m scripts lock"]
        command += ["--output-file", group.lock.name]
        with step(f"resolving {group.lock.name}"):
            must_succeed(capture(command, cwd=ROOT), "`uv pip compile`")
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


def wanted(group: Group, root: Path = ROOT) -> list[Requirement]:
    """Return what a group asks for; if it builds, also what the backend needs, its extras included."""
    table = _manifest(root / "pyproject.toml")
    requirements = [*_members(table["dependency-groups"], group.value)]
    if not group.builds:
        return [Requirement(text) for text in requirements]
    project = _manifest(root / "build_backend/pyproject.toml")["project"]
    requirements += project["dependencies"]
    for extra in project.get("optional-dependencies", {}).values():
        requirements += extra
    return [Requirement(text) for text in requirements]


def _manifest(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def _members(groups: Mapping[str, list[Any]], name: str) -> Iterator[str]:
    """Yield the requirements of a group, and those of the groups that it includes."""
    for each in groups[name]:
        if isinstance(each, str):
            yield each
        else:
            yield from _members(groups, each["include-group"])


def follow(
    entries: list[LockEntry],
    roots: list[Requirement],
    requirements: Requirements,
    environment: Environment,
) -> tuple[list[Unmet], set[str]]:
    """Follow the requirements of every package, from the roots, in an environment.

    `requirements` returns those that a package states. Returns the requirements that the lock does
    not meet, and the names of the packages that are needed: with none of the first, and all of the
    second listed, installing the lock needs no resolver.
    """
    locked = {entry.name: entry for entry in entries if entry.is_for(environment)}
    problems = []
    done: set[tuple[str, str]] = set()
    left = [("the group", requirement, "") for requirement in roots]
    while left:
        asker, requirement, extra = left.pop()
        marker = requirement.marker
        if marker and not marker.evaluate({**environment, "extra": extra}):
            continue
        entry = locked.get(canonicalize_name(requirement.name))
        if entry is None:
            problems.append(Unmet(asker, requirement, None))
            continue
        if not requirement.specifier.contains(entry.version, prereleases=True):
            problems.append(Unmet(asker, requirement, entry.version))
        for each in ("", *requirement.extras):
            if (entry.name, each) not in done:
                done.add((entry.name, each))
                left += [(entry.name, found, each) for found in requirements(entry)]
    return problems, {name for name, _ in done}

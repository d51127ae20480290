"""The binaries in a release's npm packages, fetched with the user's npm client."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from leanspec_launcher._tables import Platform
from leanspec_launcher.commands import CommandError
from scripts.model.programs import ProgramProject
from scripts.tools.console import say, step
from scripts.tools.processes import capture, find_program
from scripts.tools.reasons import quoted
from scripts.tools.threads import map_in_threads

from .archive import extract_file
from .staging import Staging, integrity

# npm mostly waits for the registry, so more processes than cores are faster.
AT_ONCE = 6
NO_REASONS: Mapping[str, str] = {}
REGISTRY = (
    "check the registry and proxy in `npm config list`, and whether they answer: `npm ping`"
)


class NotOnRegistryError(CommandError):
    """Packages that the registry does not have."""


@dataclass(frozen=True)
class Package:
    """A package, as the registry describes it."""

    project: ProgramProject
    platform: Platform
    name: str
    version: str
    integrity: str
    commit: str | None


def collect_npm(
    version: str,
    projects: list[ProgramProject],
    platforms: list[Platform],
    staging: Staging,
    *,
    all_required: bool,
    reasons: Mapping[str, str] = NO_REASONS,
) -> None:
    """Fetch, verify and stage the packages of a version.

    What the registry lacks is an error with `all_required`, and listed otherwise. The platforms for
    whose absence the plan has `reasons` are asked for with `all_required` alone.
    """
    npm = find_program("npm", "install Node.js, which brings it, or use `collect cargo`")
    planned = []
    for platform in platforms:
        key = platform.key
        if all_required or key not in reasons:
            planned.append(platform)
        else:
            say(f"skipped, as the plan says (`--all` includes it): {key}: {reasons[key]}")
    pairs = [(project, platform) for project in projects for platform in planned]
    with step(f"asking {npm} for {len(pairs)} packages of {version}"):
        answers = map_in_threads(lambda pair: _look_up(npm, *pair, version), pairs, AT_ONCE)
    packages = [package for package in answers if package]
    missing = [pair for pair, answer in zip(pairs, answers, strict=True) if not answer]
    is_error = not packages or (all_required and bool(missing))
    _tell_missing(npm, missing, version, is_error=is_error)
    folder = staging.root / "npm"
    with step(f"fetching {len(packages)} packages"):
        fetch = partial(_fetch, npm, folder)
        files = map_in_threads(fetch, packages, AT_ONCE)
    for package, file in zip(packages, files, strict=True):
        source = {
            "kind": "npm",
            "package": package.name,
            "version": version,
            "integrity": package.integrity,
        }
        staging.add(
            package.project,
            package.platform,
            file,
            version=version,
            source=source,
            commit=package.commit,
            called=f"`{file.name}` of `{package.name}@{package.version}`",
        )


def _tell_missing(
    npm: str,
    missing: list[tuple[ProgramProject, Platform]],
    version: str,
    *,
    is_error: bool,
) -> None:
    packages = [project.npm_package(platform) for project, platform in missing]
    if missing:
        _must_not_be_staged(npm, packages, version)
    names = quoted(f"{package}@{version}" for package in packages)
    if is_error:
        packages_or_none = names or "package that the plan does not call missing"
        raise NotOnRegistryError(
            f"the registry has no {packages_or_none}",
            hint="build it from a workspace: `python3 -m scripts collect cargo WORKSPACE --build`",
        )
    if missing:
        say(f"not on the registry, so not collected: {names}")
    for key in dict.fromkeys(platform.key for _, platform in missing):
        say(f"  {key}: the plan of the release gives no reason")


def _must_not_be_staged(npm: str, packages: list[str], version: str) -> None:
    """Raise CommandError if a version is not missing but waits for a maintainer's approval.

    Only its maintainers, logged in with npm 11.15 or newer, can see that.
    """
    run = capture([npm, "stage", "list", "--json"])
    try:
        items = json.loads(run.stdout) if run.returncode == 0 else []
        staged = {
            item["packageName"]: item["id"] for item in items if item["version"] == version
        }
    except (ValueError, KeyError, TypeError):
        return
    waiting = [package for package in packages if package in staged]
    if waiting:
        names = quoted(f"{package}@{version}" for package in waiting)
        commands = quoted(f"npm stage approve {staged[package]}" for package in waiting)
        raise CommandError(
            f"staged on the registry, and not published yet: {names}",
            hint=f"let a maintainer approve it, then try again: {commands}",
        )


def _look_up(
    npm: str, project: ProgramProject, platform: Platform, version: str
) -> Package | None:
    name = project.npm_package(platform)
    spec = f"{name}@{version}"
    properties = ("version", "dist.integrity", "gitHead")
    answer = _ask(npm, ["view", spec, *properties, "--json"], name)
    if answer is None:
        return None
    # npm takes tags and ranges for versions, and answers with what they lead to today.
    if not isinstance(answer, dict) or answer.get("version") != version:
        raise CommandError(
            f"`{version}` is not an exact version of `{name}`",
            hint="name one, for example `0.3.0`",
        )
    values = str(answer.get("dist.integrity", "")).split()
    # The integrity of old packages has several algorithms, separated by spaces.
    strong = [value for value in values if value.startswith("sha512-")]
    if not strong:
        raise CommandError(
            f"the registry states no sha512 integrity for `{spec}`", hint=REGISTRY
        )
    return Package(
        project=project,
        platform=platform,
        name=name,
        version=version,
        integrity=strong[0],
        commit=answer.get("gitHead"),
    )


def is_on_registry(spec: str) -> bool:
    """Tell whether npm's registry has a version of a package, as `name@version`.

    Raises CommandError if there is no npm, or if it gets no answer.
    """
    npm = find_program("npm")
    return _ask(npm, ["view", spec, "version", "--json"], spec) is not None


def _ask(npm: str, arguments: list[str], name: str) -> object:
    """Return npm's JSON answer; None if the registry knows no such package or version."""
    run = capture([npm, *arguments])
    try:
        answer = json.loads(run.stdout) if run.stdout.strip() else None
    except ValueError:
        raise CommandError(
            f"npm's answer about `{name}` is not JSON: {run.stdout[:80]!r}", hint=REGISTRY
        ) from None
    if run.returncode == 0:
        return answer
    problem = answer.get("error") if isinstance(answer, dict) else None
    error = problem if isinstance(problem, dict) else {}
    if error.get("code") == "E404":
        return None
    summary = str(error.get("summary", "")).strip() or run.stderr.strip()
    line = summary.partition("\n")[0] or f"exit code {run.returncode}"
    reason = f"{error.get('code', '')} {line}".strip()
    raise CommandError(
        f"npm could not ask its registry for `{name}`: {reason}", hint=REGISTRY
    )


def _fetch(npm: str, base: Path, package: Package) -> Path:
    """Return the executable of a package whose archive has the integrity that was stated."""
    folder = base / package.project.name / package.platform.key
    folder.mkdir(parents=True)
    archive = fetch_archive(npm, package.name, package.version, package.integrity, folder)
    file = folder / (package.project.program.command + package.platform.suffix)
    extract_file(archive, f"package/{file.name}", file)
    return file


def fetch_archive(npm: str, name: str, version: str, expected: str, folder: Path) -> Path:
    """Return the archive of a package, in a folder that is empty but for it.

    Raises CommandError if the registry has no such package, or if its integrity is not the expected
    one.
    """
    spec = f"{name}@{version}"
    # A package's scripts would be a stranger's program.
    options = ["--json", "--ignore-scripts", "--pack-destination", str(folder)]
    _ask(npm, ["pack", spec, *options], spec)
    archives = list(folder.iterdir())
    if len(archives) != 1:
        raise CommandError(
            f"npm left {len(archives)} files for `{spec}`, expected one archive",
            hint=REGISTRY,
        )
    # npm compares, too; but what is recorded of a binary is what was compared here.
    actual = integrity("sha512", archives[0].read_bytes())
    if actual != expected:
        raise CommandError(
            f"the archive of `{spec}` is not the one that the registry describes: integrity `{actual}`,"
            f" expected `{expected}`",
            hint="`npm cache clean --force`, then try again; if that does not help, do not use the archive",
        )
    return archives[0]

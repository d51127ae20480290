"""Every place that repeats the version, or the repository. Both are defined in the root `pyproject.toml`."""

import contextlib
import datetime as dt
import json
import os
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version
from tomlkit.exceptions import TOMLKitError

from leanspec_launcher._tables import ENDED, PROGRAMS
from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.tools.processes import capture, find_program, must_succeed

from .distributions import DISTRIBUTIONS
from .platforms import LINE, platform_line, read_floors
from .repository import MENTIONS, Repository, read_repository
from .versions import binary_version

# The files that list a release's platforms; the first one has to.
NAMES_PLATFORMS = ("README.md", "docs/installing.md")
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?P<rest>.*)$", re.MULTILINE)
RECIPE = re.compile(r"(?:lean-spec==|leanspec-launcher )(\d[\w.]*\w)")
UNRELEASED = "## [Unreleased]"


@dataclass(frozen=True)
class VersionPlace:
    """One place that repeats a fact. Its names are those of `bump --json`."""

    file: str
    subject: str
    actual: str
    expected: str

    @property
    def agrees(self) -> bool:
        """Tell whether it says what it should."""
        return self.actual == self.expected


@dataclass(frozen=True)
class Edit:
    """A file with its text before and after, and the places in it."""

    path: Path
    before: str
    after: str
    places: list[VersionPlace]
    is_home: bool = False
    """Whether this is the one home of the version."""


def home_version(root: Path = ROOT) -> Version:
    """Return the version of the project."""
    return Version(str(_read_toml(root / "pyproject.toml")["project"]["version"]))


def planned(
    version: Version,
    root: Path = ROOT,
    cargo: Path | None = None,
    *,
    is_new: bool = True,
) -> list[Edit]:
    """Return each file's new text; raises CommandError if one cannot be read.

    A version that is not new gets no heading in the changelog.
    """
    home, sources = read_repository(root), read_repository(root, "sources")
    projects = [root / "pyproject.toml", root / "build_backend/pyproject.toml"]
    projects += sorted((root / "platform_wheels").glob("*/pyproject.toml"))
    edits = [_project(path, version, home, root) for path in projects]
    # A dev version is for no user: it has no heading, and no public index has it.
    if not version.is_devrelease:
        edits.append(_changelog(root / "CHANGELOG.md", version, root, is_new=is_new))
        pages = [root / name for name in NAMES_PLATFORMS]
        edits += [_platforms(path, version, root) for path in pages if path.exists()]
        recipes = sorted(root.glob("docs/recipes/[!.]*"))
        edits += [_recipe(path, version, root) for path in recipes]
    edits.append(_server(root / "server.json", version, home, root))
    files = dict.fromkeys(mention.file for mention in MENTIONS)
    edits += [_mentions(file, home, sources, root) for file in files]
    return edits + (_cargo(cargo, binary_version(version)) if cargo else [])


def apply(edits: list[Edit]) -> list[Edit]:
    """Write all changes or none: every new file is written next to its place first. Returns what was changed.

    The version's home comes last. If this process is killed between two files, the home still says
    the old version: the same command completes the change, `bump` without a version takes it back,
    and both remove what was left behind.
    """
    for edit in edits:
        _beside(edit.path).unlink(missing_ok=True)
    changed = [edit for edit in edits if edit.after != edit.before]
    changed.sort(key=lambda edit: edit.is_home)
    with contextlib.ExitStack() as undo:
        ready = []
        for edit in changed:
            new = _beside(edit.path)
            undo.callback(new.unlink, missing_ok=True)
            new.write_bytes(edit.after.encode())
            new.chmod(edit.path.stat().st_mode & 0o777)
            ready.append((new, edit))
        replaced: list[Edit] = []
        try:
            for new, edit in ready:
                # First: an interruption between the two would leave this file as it is now.
                replaced.append(edit)
                new.replace(edit.path)
        except BaseException:
            for edit in replaced:
                edit.path.write_bytes(edit.before.encode())
            raise
    return changed


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _text(path: Path) -> str:
    """Return a file's text with its own line endings, so that they are kept when it is written back."""
    return path.read_bytes().decode()


def _read_toml(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(_text(path))
    except (OSError, ValueError, TOMLKitError) as error:
        raise CommandError(
            f"`{path}` cannot be read: {error}", hint="fix it, or take it from git"
        ) from None


def _edit(
    path: Path, after: str, places: list[VersionPlace], *, is_home: bool = False
) -> Edit:
    before = _text(path)
    return Edit(path=path, before=before, after=after, places=places, is_home=is_home)


def _set(file: str, label: str, table: Any, key: str | int, value: str) -> VersionPlace:  # noqa: ANN401 - TOML, JSON
    """Set a value of a table or list, and return the place with the value before."""
    place = VersionPlace(file, label, str(table[key]), value)
    table[key] = value
    return place


def _project(path: Path, version: Version, home: Repository, root: Path) -> Edit:
    document, file = _read_toml(path), str(path.relative_to(root))
    is_home = path == root / "pyproject.toml"
    table: Any = document["project"]
    places = [_set(file, "version", table, "version", str(version))]
    groups = {"dependencies": table.get("dependencies", [])}
    for extra, requirements in table.get("optional-dependencies", {}).items():
        groups[f"extra `{extra}`"] = requirements
    for group, requirements in groups.items():
        for number, requirement in enumerate(requirements):
            name = Requirement(str(requirement)).name
            if name in DISTRIBUTIONS:
                places.append(_set(file, group, requirements, number, f"{name}=={version}"))
    if is_home:
        places += _follow_programs(groups["dependencies"], version)
    places += _follow_floors(file, document, read_floors(root))
    places.append(_follow_repository(file, table, home))
    return _edit(path, tomlkit.dumps(document), places, is_home=is_home)


def _follow_programs(requirements: Any, version: Version) -> Iterator[VersionPlace]:  # noqa: ANN401 - TOML
    """Require the wheel of each program without an extra, and of none that LeanSpec no longer has."""
    file, label = "pyproject.toml", "dependencies"
    names = [Requirement(str(requirement)).name for requirement in requirements]
    for program in ENDED.values():
        if program.distribution in names:
            number = names.index(program.distribution)
            yield VersionPlace(file, label, str(requirements[number]), "none")
            # From both lists, so that the numbers of the next ones stay the same.
            del requirements[number], names[number]
    for program in PROGRAMS.values():
        if not program.extra and program.distribution not in names:
            requirement = f"{program.distribution}=={version}"
            yield VersionPlace(file, label, "none", requirement)
            requirements.insert(1, requirement)


def _follow_floors(
    file: str,
    document: Any,  # noqa: ANN401 - TOML
    floors: dict[str, str],
) -> Iterator[VersionPlace]:
    """Let a program promise the oldest systems that the plan of the release states."""
    table = document.get("tool", {}).get("leanspec-build", {})
    if "executable" not in table or not floors:
        return
    promises = table.setdefault("floors", {})
    yield VersionPlace(file, "floors", _in_words(promises), _in_words(floors))
    for key in set(promises) - set(floors):
        del promises[key]
    for key, floor in floors.items():
        if promises.get(key) != floor:
            promises[key] = floor


def _in_words(floors: dict[str, str]) -> str:
    return ", ".join(f"{key} {floors[key]}" for key in sorted(floors))


def _follow_repository(file: str, table: Any, home: Repository) -> VersionPlace:  # noqa: ANN401 - TOML
    """Set the addresses of a project; return the last one that differs, or the repository's."""
    urls = table.setdefault("urls", {})
    place = VersionPlace(file, "urls", home.url, home.url)
    for key, url in home.project_urls.items():
        # A value that is set again loses its comment: only a wrong one is.
        if urls.get(key) != url:
            place = VersionPlace(file, "urls", str(urls.get(key, "none")), url)
            urls[key] = url
    return place


def _platforms(path: Path, version: Version, root: Path) -> Edit:
    """List the platforms of a release, as its plan has them."""
    before, name = _text(path), str(path.relative_to(root))
    match = LINE.search(before)
    if not match and name != NAMES_PLATFORMS[0]:
        return _edit(path, before, [])
    line = platform_line(version, root)
    place = VersionPlace(name, "platforms", match[0] if match else "no such line", line)
    after = before.replace(match[0], line) if match else before
    return _edit(path, after, [place])


def _server(path: Path, version: Version, home: Repository, root: Path) -> Edit:
    """Set version and repository in what the registry of MCP servers is told."""
    file = str(path.relative_to(root))
    try:
        server: Any = json.loads(_text(path))
        name = f"{home.namespace}/{server['name'].rpartition('/')[2]}"
        places = [
            _set(file, "version", table, "version", str(version))
            for table in (server, *server["packages"])
        ]
        places.append(_set(file, "name", server, "name", name))
        places.append(_set(file, "repository", server["repository"], "url", home.url))
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"`{path}` cannot be read: {error}", hint="fix it, or take it from git"
        ) from None
    return _edit(path, json.dumps(server, indent=2) + "\n", places)


def _mentions(file: str, home: Repository, sources: Repository, root: Path) -> Edit:
    """Name the repository in a file that people or programs read."""
    path = root / file
    text = _text(path)
    places = []
    for mention in MENTIONS:
        if mention.file == file:
            repository = sources if mention.is_sources else home
            name = getattr(repository, mention.attribute)
            match = re.search(mention.pattern, text, re.MULTILINE)
            before = match[1] if match else "no such line"
            places.append(VersionPlace(file, "repository", before, name))
            if match:
                text = f"{text[: match.start(1)]}{name}{text[match.end(1) :]}"
    return _edit(path, text, places)


def _recipe(path: Path, version: Version, root: Path) -> Edit:
    """Set the exact version that a recipe installs."""
    before, file = _text(path), str(path.relative_to(root))
    text = str(version)
    pins = RECIPE.findall(before)
    places = [VersionPlace(file, "version", pin, text) for pin in pins]
    after = RECIPE.sub(lambda match: match[0].replace(match[1], text), before)
    return _edit(path, after, places)


def released(text: str) -> list[str]:
    """Return the versions that a changelog has headings for, as they are written, newest first."""
    versions = [match["version"] for match in HEADING.finditer(text)]
    return [version for version in versions if version != "Unreleased"]


def _changelog(path: Path, version: Version, root: Path, *, is_new: bool) -> Edit:
    """Turn the heading of the unreleased changes into that of a release.

    A newest heading above that version is of a `bump` that was killed: it is taken back.
    """
    text, file = _text(path), str(path.relative_to(root))
    places = []
    newest = next(iter(released(text)), "")
    if newest and _is_above(newest, version):
        heading = re.compile(rf"\r?\n## \[{re.escape(newest)}\].*\n")
        text = heading.sub("", text, count=1)
        places.append(VersionPlace(file, "heading", f"[{newest}]", "none"))
    if is_new and str(version) not in released(text):
        places.append(VersionPlace(file, "heading", "none", f"[{version}]"))
        text = _with_heading(text, version, path)
    return _edit(path, text, places)


def _is_above(text: str, version: Version) -> bool:
    try:
        return Version(text) > version
    except InvalidVersion:
        return False  # `bump` says what is wrong with it


def _with_heading(text: str, version: Version, path: Path) -> str:
    match = re.search(rf"^{re.escape(UNRELEASED)}(\r?\n)", text, re.MULTILINE)
    if not match:
        raise CommandError(
            f"`{path}` has no heading `{UNRELEASED}`",
            hint="put it above the newest release",
        )
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    # With the line ends that the changelog has.
    heading = match[1].join([UNRELEASED, "", f"## [{version}] - {today}", ""])
    return text.replace(match[0], heading, 1)


def _cargo(workspace: Path, version: str) -> list[Edit]:
    """Edit the manifests of a workspace's members, and the lock as cargo would."""
    workspace = workspace.resolve()  # as cargo names its manifests: without `..`
    members = _members(workspace)
    edits = []
    for path in dict.fromkeys([workspace / "Cargo.toml", *members.values()]):
        document, file = _read_toml(path), os.path.relpath(path, workspace)
        places = [*_manifest(document, members, version, file)]
        edits.append(_edit(path, tomlkit.dumps(document), places))
    lock = workspace / "Cargo.lock"
    if lock.exists():
        edits.append(_lock(lock, members, version))
    return edits


def must_be_workspace(folder: Path) -> None:
    """Raise CommandError if a folder has no manifest of cargo."""
    if not (folder / "Cargo.toml").is_file():
        raise CommandError(
            f"`{folder}` is not a cargo workspace: it contains no `Cargo.toml`",
            hint=f"name LeanSpec's: `git clone {read_repository(ROOT, 'sources').url} ../leanspec`"
            " makes the folder `../leanspec/rust`",
        )


def _members(workspace: Path) -> dict[str, Path]:
    """Return the manifest of each crate of a workspace."""
    must_be_workspace(workspace)
    cargo = find_program("cargo", "install Rust: https://rustup.rs")
    command = [cargo, "metadata", "--no-deps", "--format-version", "1", "--offline"]
    command += ["--manifest-path", str(workspace / "Cargo.toml")]
    run = must_succeed(capture(command), f"`cargo metadata` of `{workspace}`")
    crates = json.loads(run.stdout)["packages"]
    return {crate["name"]: Path(crate["manifest_path"]) for crate in crates}


def _manifest(
    document: Any,  # noqa: ANN401 - TOML
    members: Container[str],
    version: str,
    file: str,
) -> Iterator[VersionPlace]:
    workspace = document.get("workspace", {})
    for label, table in (
        ("workspace version", workspace.get("package", {})),
        ("version", document.get("package", {})),
    ):
        # `version.workspace = true` follows by itself.
        if isinstance(table.get("version"), str):
            yield _set(file, label, table, "version", version)
    for table in (document, workspace, *document.get("target", {}).values()):
        for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
            for name, value in table.get(kind, {}).items():
                # A dependency without a table is a version alone: of a crate from elsewhere.
                is_table = isinstance(value, dict)
                is_member = is_table and value.get("package", name) in members
                if is_member and "version" in value:
                    exact = "=" if str(value["version"]).startswith("=") else ""
                    label = f"{kind} `{name}`"
                    yield _set(file, label, value, "version", exact + version)


def _lock(path: Path, members: Container[str], version: str) -> Edit:
    document: Any = _read_toml(path)
    places = [
        _set(path.name, f"`{package['name']}`", package, "version", version)
        for package in document.get("package", [])
        if package["name"] in members and "source" not in package
    ]
    return _edit(path, tomlkit.dumps(document), places)

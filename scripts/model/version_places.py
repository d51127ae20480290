"""Every place that repeats the version, or the repository. Both are defined in the root `pyproject.toml`."""

import contextlib
import datetime as dt
import json
import os
import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version
from tomlkit.exceptions import TOMLKitError

from leanspec_launcher._tables import ENDED, PLATFORMS, PROGRAMS
from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.tools.processes import capture, find_program, must_succeed

from .manifest import release_table
from .programs import DISTRIBUTIONS
from .repository import MENTIONS, Repository, read_repository
from .versions import binary_version

LINE = re.compile(r"^\*\*Platforms of .+$", re.MULTILINE)
# The source that the workflow builds from: see `plan.py`, which judges the whole table.
WORKFLOW_SOURCE = "cargo"
# The files that list a release's platforms; the first one has to.
NAMES_PLATFORMS = ("README.md", "docs/installing.md")
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?P<rest>.*)$", re.MULTILINE)
RECIPE = re.compile(r"(?:lean-spec==|leanspec-launcher )(\d[\w.]*\w)")
UNRELEASED = "## [Unreleased]"
HOME = "pyproject.toml"
"""The one home of the version."""
# A table or a list, of TOML or JSON.
Node = Any


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


class Edit:
    """A file with its text before and after, and the places in it."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        name = os.path.relpath(path, root)
        self.file = Path(name).as_posix()
        self.places: list[VersionPlace] = []
        with self.reading():
            # With its own line endings, so that they are kept when it is written back.
            self.before = path.read_bytes().decode()
        self.after = self.before

    @property
    def is_home(self) -> bool:
        """Whether this is the one home of the version."""
        return self.file == HOME

    def note(self, subject: str, actual: str, expected: str) -> None:
        """Add a place."""
        self.places.append(VersionPlace(self.file, subject, actual, expected))

    def set(self, subject: str, table: Node, key: str | int, value: str) -> None:
        """Set a value of a table or list, and add the place with the value before."""
        self.note(subject, str(table[key]), value)
        table[key] = value

    def toml(self) -> Node:
        """Return the tables of the file."""
        with self.reading():
            return tomlkit.parse(self.before)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Raise CommandError if the file cannot be read, or lacks what is looked for."""
        try:
            yield
        except (OSError, ValueError, KeyError, TypeError, TOMLKitError) as error:
            raise CommandError(
                f"`{self.path}` cannot be read: {error}", hint="fix it, or take it from git"
            ) from None


def home_version(root: Path = ROOT) -> Version:
    """Return the version of the project."""
    home = Edit(root / HOME, root).toml()
    return Version(str(home["project"]["version"]))


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
    projects = [root / HOME, root / "build_backend/pyproject.toml"]
    projects += sorted((root / "platform_wheels").glob("*/pyproject.toml"))
    edits = [_project(edit, version, home, root) for edit in _opened(projects, root)]
    # A dev version is for no user: it has no heading, and no public index has it.
    if not version.is_devrelease:
        changelog = Edit(root / "CHANGELOG.md", root)
        edits.append(_changelog(changelog, version, is_new=is_new))
        pages = [root / name for name in NAMES_PLATFORMS]
        existing = [page for page in pages if page.exists()]
        edits += [_platforms(edit, version, root) for edit in _opened(existing, root)]
        recipes = sorted(root.glob("docs/recipes/[!.]*"))
        edits += [_recipe(edit, str(version)) for edit in _opened(recipes, root)]
    server = Edit(root / "server.json", root)
    edits.append(_server(server, version, home))
    files = dict.fromkeys(root / mention.file for mention in MENTIONS)
    edits += [_mentions(edit, home, sources) for edit in _opened(files, root)]
    return edits + (_cargo(cargo, binary_version(version)) if cargo else [])


def _opened(paths: Iterable[Path], root: Path) -> list[Edit]:
    return [Edit(path, root) for path in paths]


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


def _project(edit: Edit, version: Version, home: Repository, root: Path) -> Edit:
    document = edit.toml()
    table = document["project"]
    edit.set("version", table, "version", str(version))
    groups = {"dependencies": table.get("dependencies", [])}
    for extra, requirements in table.get("optional-dependencies", {}).items():
        groups[f"extra `{extra}`"] = requirements
    for group, requirements in groups.items():
        for number, requirement in enumerate(requirements):
            name = Requirement(str(requirement)).name
            if name in DISTRIBUTIONS:
                edit.set(group, requirements, number, f"{name}=={version}")
    if edit.is_home:
        _follow_programs(edit, groups["dependencies"], version)
    _follow_floors(edit, document, read_floors(root))
    _follow_repository(edit, table, home)
    edit.after = tomlkit.dumps(document)
    return edit


def _follow_programs(edit: Edit, requirements: Node, version: Version) -> None:
    """Require the wheel of each program without an extra, and of none that LeanSpec no longer has."""
    names = [Requirement(str(requirement)).name for requirement in requirements]
    for program in ENDED.values():
        if program.distribution in names:
            number = names.index(program.distribution)
            edit.note("dependencies", str(requirements[number]), "none")
            # From both lists, so that the numbers of the next ones stay the same.
            del requirements[number], names[number]
    for program in PROGRAMS.values():
        if not program.extra and program.distribution not in names:
            requirement = f"{program.distribution}=={version}"
            edit.note("dependencies", "none", requirement)
            requirements.insert(1, requirement)


def _follow_floors(edit: Edit, document: Node, floors: dict[str, str]) -> None:
    """Let a program promise the oldest systems that the plan of the release states."""
    table = document.get("tool", {}).get("leanspec-build", {})
    if "executable" not in table or not floors:
        return
    promises = table.setdefault("floors", {})
    edit.note("floors", _in_words(promises), _in_words(floors))
    for key in set(promises) - set(floors):
        del promises[key]
    for key, floor in floors.items():
        if promises.get(key) != floor:
            promises[key] = floor


def _in_words(floors: dict[str, str]) -> str:
    return ", ".join(f"{key} {floors[key]}" for key in sorted(floors))


def _follow_repository(edit: Edit, table: Node, home: Repository) -> None:
    """Set the addresses of a project; the place has the last one that differs, or the repository's."""
    urls = table.setdefault("urls", {})
    actual = expected = home.url
    for key, url in home.project_urls.items():
        # A value that is set again loses its comment: only a wrong one is.
        if urls.get(key) != url:
            actual, expected = str(urls.get(key, "none")), url
            urls[key] = url
    edit.note("urls", actual, expected)


def _platforms(edit: Edit, version: Version, root: Path) -> Edit:
    """List the platforms of a release, as its plan has them."""
    match = LINE.search(edit.before)
    if match:
        line = platform_line(version, root)
        edit.note("platforms", match[0], line)
        edit.after = edit.before.replace(match[0], line)
    elif edit.file == NAMES_PLATFORMS[0]:
        edit.note("platforms", "no such line", platform_line(version, root))
    return edit


def read_floors(root: Path = ROOT) -> dict[str, str]:
    """Return the oldest system that each platform's binaries may need."""
    return dict(release_table(root).get("floors", {}))


def platform_line(version: Version, root: Path = ROOT) -> str:
    """Return the line that lists the platforms of a release, and the oldest systems."""
    table = release_table(root)
    missing = table.get("missing", {}).get(WORKFLOW_SOURCE, {})
    floors = table.get("floors", {})
    systems: dict[tuple[str, str], list[str]] = {}
    for key, platform in PLATFORMS.items():
        if key in table["platforms"] and key not in missing:
            system, _, cpu = platform.label.partition(" on ")
            floor = floors.get(key, "")
            systems.setdefault((system, floor), []).append(cpu)
    # As in `Linux on x86-64 and arm64 (glibc 2.34 or newer)`.
    texts = []
    for (system, floor), cpus in systems.items():
        oldest = floor.removeprefix("macos ")
        promise = f" ({oldest} or newer)" if oldest else ""
        *others, last = cpus
        listed = f"{', '.join(others)} and {last}" if others else last
        texts.append(f"{system} on {listed}{promise}")
    return f"**Platforms of {version}:** {', '.join(texts)}."


def _server(edit: Edit, version: Version, home: Repository) -> Edit:
    """Set version and repository in what the registry of MCP servers is told."""
    with edit.reading():
        server: Node = json.loads(edit.before)
        for table in (server, *server["packages"]):
            edit.set("version", table, "version", str(version))
        name = f"{home.namespace}/{server['name'].rpartition('/')[2]}"
        edit.set("name", server, "name", name)
        edit.set("repository", server["repository"], "url", home.url)
    edit.after = json.dumps(server, indent=2) + "\n"
    return edit


def _mentions(edit: Edit, home: Repository, sources: Repository) -> Edit:
    """Name the repository in a file that people or programs read."""
    for mention in MENTIONS:
        if mention.file == edit.file:
            repository = sources if mention.is_sources else home
            name = getattr(repository, mention.attribute)
            match = re.search(mention.pattern, edit.after, re.MULTILINE)
            edit.note("repository", match[1] if match else "no such line", name)
            if match:
                start, end = match.span(1)
                edit.after = f"{edit.after[:start]}{name}{edit.after[end:]}"
    return edit


def _recipe(edit: Edit, version: str) -> Edit:
    """Set the exact version that a recipe installs."""
    for pin in RECIPE.findall(edit.before):
        edit.note("version", pin, version)

    def with_version(pin: re.Match[str]) -> str:
        return pin[0].replace(pin[1], version)

    edit.after = RECIPE.sub(with_version, edit.before)
    return edit


def released(text: str) -> list[str]:
    """Return the versions that a changelog has headings for, as they are written, newest first."""
    versions = [match["version"] for match in HEADING.finditer(text)]
    return [version for version in versions if version != "Unreleased"]


def _changelog(edit: Edit, version: Version, *, is_new: bool) -> Edit:
    """Turn the heading of the unreleased changes into that of a release.

    A newest heading above that version is of a `bump` that was killed: it is taken back.
    """
    newest = next(iter(released(edit.before)), "")
    if newest and _is_above(newest, version):
        heading = re.compile(rf"\r?\n## \[{re.escape(newest)}\].*\n")
        edit.after = heading.sub("", edit.before, count=1)
        edit.note("heading", f"[{newest}]", "none")
    if is_new and str(version) not in released(edit.after):
        edit.note("heading", "none", f"[{version}]")
        edit.after = _with_heading(edit.after, version, edit.path)
    return edit


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
    manifests = dict.fromkeys([workspace / "Cargo.toml", *members.values()])
    opened = _opened(manifests, workspace)
    edits = [_manifest(edit, members, version) for edit in opened]
    lock = workspace / "Cargo.lock"
    if lock.exists():
        edits.append(_lock(Edit(lock, workspace), members, version))
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
    cargo = find_program("cargo")
    command = [cargo, "metadata", "--no-deps", "--format-version", "1", "--offline"]
    command += ["--manifest-path", str(workspace / "Cargo.toml")]
    run = must_succeed(capture(command), f"`cargo metadata` of `{workspace}`")
    crates = json.loads(run.stdout)["packages"]
    return {crate["name"]: Path(crate["manifest_path"]) for crate in crates}


def _manifest(edit: Edit, members: Container[str], version: str) -> Edit:
    document = edit.toml()
    workspace = document.get("workspace", {})
    packages = {
        "workspace version": workspace.get("package", {}),
        "version": document.get("package", {}),
    }
    for label, table in packages.items():
        # `version.workspace = true` follows by itself.
        if isinstance(table.get("version"), str):
            edit.set(label, table, "version", version)
    for table in (document, workspace, *document.get("target", {}).values()):
        for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
            for name, value in table.get(kind, {}).items():
                # A dependency without a table is a version alone: of a crate from elsewhere.
                is_table = isinstance(value, dict)
                is_member = is_table and value.get("package", name) in members
                if is_member and "version" in value:
                    exact = "=" if str(value["version"]).startswith("=") else ""
                    edit.set(f"{kind} `{name}`", value, "version", exact + version)
    edit.after = tomlkit.dumps(document)
    return edit


def _lock(edit: Edit, members: Container[str], version: str) -> Edit:
    document = edit.toml()
    for package in document.get("package", []):
        if package["name"] in members and "source" not in package:
            edit.set(f"`{package['name']}`", package, "version", version)
    edit.after = tomlkit.dumps(document)
    return edit

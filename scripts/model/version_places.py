"""Every place that repeats the version, or the repository. Both are defined in the root `pyproject.toml`."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
from collections.abc import Iterator
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
from .repository import MENTIONS, Mention, Repository, read_repository
from .versions import binary_version

# The files that list a release's platforms; the first one has to.
NAMES_PLATFORMS = ("README.md", "docs/installing.md")
OWN = set(DISTRIBUTIONS)
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?P<rest>.*)$", re.MULTILINE)
RECIPE = re.compile(r"(?:lean-spec==|leanspec-launcher )(\d[\w.]*\w)")
UNRELEASED = "## [Unreleased]"


@dataclass(frozen=True)
class VersionPlace:
    """One place that repeats a fact: where it is, what it says, what it should say."""

    file: str
    what: str
    found: str
    expected: str

    @property
    def agrees(self) -> bool:
        """Tell whether it says what it should."""
        return self.found == self.expected


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
    own, sources = read_repository(root), read_repository(root, "sources")
    projects = [root / "pyproject.toml", root / "build_backend/pyproject.toml"]
    projects += sorted((root / "platform_wheels").glob("*/pyproject.toml"))
    edits = [_project(path, version, own, root) for path in projects]
    edits.append(_changelog(root / "CHANGELOG.md", version, root, is_new=is_new))
    edits.append(_server(root / "server.json", version, own, root))
    edits += [_platforms(root / name, version, root) for name in NAMES_PLATFORMS]
    files = dict.fromkeys(mention.file for mention in MENTIONS)
    edits += [_mentions(file, own, sources, root) for file in files]
    edits += [
        _recipe(path, version, root) for path in sorted(root.glob("docs/recipes/[!.]*"))
    ]
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
        done: list[Edit] = []
        try:
            for new, edit in ready:
                # First: an interruption between the two would leave this file as it is now.
                done.append(edit)
                new.replace(edit.path)
        except BaseException:
            for edit in done:
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


def _project(path: Path, version: Version, own: Repository, root: Path) -> Edit:
    document, text, file = _read_toml(path), str(version), str(path.relative_to(root))
    table: Any = document["project"]
    places = [VersionPlace(file, "version", str(table["version"]), text)]
    table["version"] = text
    groups = {"dependencies": table.get("dependencies", [])}
    groups |= {
        f"extra `{key}`": value
        for key, value in table.get("optional-dependencies", {}).items()
    }
    for group, requirements in groups.items():
        for number, requirement in enumerate(requirements):
            name = Requirement(str(requirement)).name
            if name in OWN:
                places.append(
                    VersionPlace(file, group, str(requirement), f"{name}=={text}")
                )
                requirements[number] = f"{name}=={text}"
    if path == root / "pyproject.toml":
        places += _follow_programs(groups["dependencies"], text)
    own_table = document.get("tool", {}).get("leanspec-build", {})
    if "executable" in own_table and (floors := read_floors(root)):
        places.append(
            VersionPlace(
                file, "floors", _shown(own_table.get("floors", {})), _shown(floors)
            )
        )
        _follow_floors(own_table, floors)
    urls, pairs = table.setdefault("urls", {}), [(own.url, own.url)]
    for key, url in own.project_urls.items():
        if urls.get(key) != url:
            pairs.append((str(urls.get(key, "none")), url))
            urls[key] = url
    places.append(VersionPlace(file, "urls", *pairs[-1]))
    return Edit(
        path,
        _text(path),
        tomlkit.dumps(document),
        places,
        is_home=path == root / "pyproject.toml",
    )


def _shown(floors: Any) -> str:  # noqa: ANN401 - TOML
    return ", ".join(f"{key} {floors[key]}" for key in sorted(floors))


def _follow_floors(table: Any, floors: dict[str, str]) -> None:  # noqa: ANN401 - TOML
    """Let a program promise the oldest systems that the plan of the release states."""
    stated = table.setdefault("floors", {})
    for key in set(stated) - set(floors):
        del stated[key]
    for key, floor in floors.items():
        if stated.get(key) != floor:
            stated[key] = floor


def _platforms(path: Path, version: Version, root: Path) -> Edit:
    """List the platforms of a release, as its plan has them. A dev version is for no user."""
    name = str(path.relative_to(root))
    before = _text(path) if path.exists() else ""
    match = LINE.search(before)
    is_required = bool(before) and name == NAMES_PLATFORMS[0]
    if version.is_devrelease or not (match or is_required):
        return Edit(path, before, before, [])
    line = platform_line(version, root)
    place = VersionPlace(name, "platforms", match[0] if match else "no such line", line)
    after = before.replace(match[0], line) if match else before
    return Edit(path, before, after, [place])


def _follow_programs(requirements: Any, version: str) -> Iterator[VersionPlace]:  # noqa: ANN401 - TOML
    """Require the wheel of each program without an extra, and of none that LeanSpec no longer has."""
    names = [Requirement(str(each)).name for each in requirements]
    for program in ENDED.values():
        if program.distribution in names:
            number = names.index(program.distribution)
            yield VersionPlace(
                "pyproject.toml", "dependencies", str(requirements[number]), "none"
            )
            del requirements[number], names[number]
    for program in PROGRAMS.values():
        if not program.extra and program.distribution not in names:
            requirement = f"{program.distribution}=={version}"
            yield VersionPlace("pyproject.toml", "dependencies", "none", requirement)
            requirements.insert(1, requirement)


def _server(path: Path, version: Version, own: Repository, root: Path) -> Edit:
    """Set version and repository in what the registry of MCP servers is told."""
    before, name, text = _text(path), str(path.relative_to(root)), str(version)
    try:
        stated: Any = json.loads(before)
        tables = [stated, *stated["packages"]]
        places = [
            VersionPlace(name, "version", str(table["version"]), text) for table in tables
        ]
        server = f"{own.namespace}/{stated['name'].rpartition('/')[2]}"
        places.append(VersionPlace(name, "name", stated["name"], server))
        places.append(
            VersionPlace(name, "repository", stated["repository"]["url"], own.url)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"`{path}` cannot be read: {error}", hint="fix it, or take it from git"
        ) from None
    for table in tables:
        table["version"] = text
    stated["name"], stated["repository"]["url"] = server, own.url
    return Edit(path, before, json.dumps(stated, indent=2) + "\n", places)


def _mentions(file: str, own: Repository, sources: Repository, root: Path) -> Edit:
    """Name the repository in a file that people or programs read."""
    path = root / file
    before = text = _text(path)
    places = []
    for mention in MENTIONS:
        if mention.file == file:
            name = getattr(sources if mention.is_sources else own, mention.attribute)
            text, place = _name_repository(text, mention, name)
            places.append(place)
    return Edit(path, before, text, places)


def _name_repository(text: str, mention: Mention, name: str) -> tuple[str, VersionPlace]:
    pattern = re.compile(mention.pattern, re.MULTILINE)
    match = pattern.search(text)
    place = VersionPlace(
        mention.file, "repository", match[1] if match else "no such line", name
    )
    if match:
        text = f"{text[: match.start(1)]}{name}{text[match.end(1) :]}"
    return text, place


def _recipe(path: Path, version: Version, root: Path) -> Edit:
    """Set the exact version that a recipe installs. A dev version is not set: no public index has it."""
    before, name = _text(path), str(path.relative_to(root))
    if version.is_devrelease:
        return Edit(path, before, before, [])
    places = [
        VersionPlace(name, "version", found[1], str(version))
        for found in RECIPE.finditer(before)
    ]
    after = RECIPE.sub(lambda found: found[0].replace(found[1], str(version)), before)
    return Edit(path, before, after, places)


def released(text: str) -> list[str]:
    """Return the versions that a changelog has headings for, as they are written, newest first."""
    return [
        found["version"]
        for found in HEADING.finditer(text)
        if found["version"] != "Unreleased"
    ]


def _changelog(path: Path, version: Version, root: Path, *, is_new: bool) -> Edit:
    """Turn the heading of the unreleased changes into that of a release. A dev version gets none.

    A newest heading above that version is of a `bump` that was killed: it is taken back.
    """
    before, file = _text(path), str(path.relative_to(root))
    if version.is_devrelease:
        return Edit(path, before, before, [])
    newest, text, places = next(iter(released(before)), ""), before, []
    if newest and _is_above(newest, version):
        heading = re.compile(rf"\r?\n## \[{re.escape(newest)}\].*\n")
        text = heading.sub("", before, count=1)
        places.append(VersionPlace(file, "heading", f"[{newest}]", "none"))
    if is_new and str(version) not in released(text):
        places.append(VersionPlace(file, "heading", "none", f"[{version}]"))
        text = _with_heading(text, version, path)
    return Edit(path, before, text, places)


def _is_above(text: str, version: Version) -> bool:
    try:
        return Version(text) > version
    except InvalidVersion:
        return False  # `bump` says what is wrong with it


def _with_heading(text: str, version: Version, path: Path) -> str:
    found = re.search(rf"^{re.escape(UNRELEASED)}(\r?\n)", text, re.MULTILINE)
    if not found:
        raise CommandError(
            f"`{path}` has no heading `{UNRELEASED}`",
            hint="put it above the newest release",
        )
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    heading = found[1].join([UNRELEASED, "", f"## [{version}] - {today}", ""])
    return text.replace(found[0], heading, 1)


def _cargo(workspace: Path, version: str) -> list[Edit]:
    """Edit the manifests of a workspace's members, and the lock as cargo would."""
    workspace = workspace.resolve()  # as cargo names its manifests: without `..`
    members = _members(workspace)
    names = {name for name, _ in members}
    root = workspace / "Cargo.toml"
    edits = []
    for path in dict.fromkeys([root, *(manifest for _, manifest in members)]):
        document = _read_toml(path)
        places = [*_manifest(document, names, version, os.path.relpath(path, workspace))]
        edits.append(Edit(path, _text(path), tomlkit.dumps(document), places))
    lock = workspace / "Cargo.lock"
    if lock.exists():
        edits.append(_lock(lock, names, version))
    return edits


def must_be_workspace(folder: Path) -> None:
    """Raise CommandError if a folder has no manifest of cargo."""
    if not (folder / "Cargo.toml").is_file():
        raise CommandError(
            f"`{folder}` is not a cargo workspace: it contains no `Cargo.toml`",
            hint=f"name LeanSpec's: `git clone {read_repository(ROOT, 'sources').url} ../leanspec`"
            " makes the folder `../leanspec/rust`",
        )


def _members(workspace: Path) -> list[tuple[str, Path]]:
    must_be_workspace(workspace)
    cargo = find_program("cargo", "install Rust: https://rustup.rs")
    command = [cargo, "metadata", "--no-deps", "--format-version", "1", "--offline"]
    command += ["--manifest-path", str(workspace / "Cargo.toml")]
    done = must_succeed(capture(command), f"`cargo metadata` of `{workspace}`")
    return [
        (each["name"], Path(each["manifest_path"]))
        for each in json.loads(done.stdout)["packages"]
    ]


def _manifest(
    document: Any,  # noqa: ANN401 - TOML
    members: set[str],
    version: str,
    file: str,
) -> Iterator[VersionPlace]:
    for what, table in (
        ("workspace version", document.get("workspace", {}).get("package")),
        ("version", document.get("package")),
    ):
        # `version.workspace = true` follows by itself.
        if table is not None and isinstance(table.get("version"), str):
            yield VersionPlace(file, what, str(table["version"]), version)
            table["version"] = version
    tables = [document, document.get("workspace", {}), *document.get("target", {}).values()]
    for table in tables:
        for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
            for name, value in table.get(kind, {}).items():
                own = (
                    value.get("package", name) in members
                    if isinstance(value, dict)
                    else False
                )
                if own and "version" in value:
                    exact = "=" if str(value["version"]).startswith("=") else ""
                    yield VersionPlace(
                        file, f"{kind} `{name}`", str(value["version"]), exact + version
                    )
                    value["version"] = exact + version


def _lock(path: Path, members: set[str], version: str) -> Edit:
    document: Any = _read_toml(path)
    places = []
    for package in document.get("package", []):
        if package["name"] in members and "source" not in package:
            places.append(
                VersionPlace(
                    path.name, f"`{package['name']}`", str(package["version"]), version
                )
            )
            package["version"] = version
    return Edit(path, _text(path), tomlkit.dumps(document), places)

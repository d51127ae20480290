"""`pyproject.toml` and config settings to one value: everything that a wheel is made from."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyproject_metadata
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.version import InvalidVersion, Version

from .errors import BuildError
from .executable import parse_executable, read_program
from .facts import Executable, Format
from .tags import (
    Tags,
    exceeds,
    host_platform_key,
    platform_key,
    platform_keys,
    platform_tags,
    read_floor,
)

METADATA_VERSION = "2.4"  # licence expression and licence files (PEP 639)
RECORD_NAME = "binary.json"
SETTINGS = ("platform", "binary", "from", "repair", "stub")
KEYS = (
    "package",
    "executable",
    "programs",
    "from",
    "data",
    "data-files",
    "record",
    "floors",
    "repair",
)
REPAIRS = ("auditwheel",)
# The CPUs in the names of platforms: as Node has two of them, and as Linux has the rest.
KNOWN_CPUS = (
    "x64",
    "arm64",
    "i686",
    "armv7l",
    "armv6l",
    "ppc64le",
    "s390x",
    "riscv64",
    "loongarch64",
)


@dataclasses.dataclass(frozen=True)
class Project:
    """What `pyproject.toml` says, and the files that it names."""

    root: Path
    metadata: pyproject_metadata.StandardMetadata
    package: str
    executable_name: str = ""
    """The file name of the executable; empty for a package that carries data alone."""
    data: tuple[str, ...] = ()
    """Globs of data files, relative to the package."""
    record: str = ""
    """The JSON file of the package that says where its data are from; empty for none."""
    floors: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Platform -> the oldest system that is promised, as `glibc 2.28` or `macos 11.0`."""
    repair: str | None = None
    """What may graft foreign libraries into the wheel: `auditwheel`, or None."""
    programs: tuple[str, ...] = ()
    """The programs that an installation puts on the path, without `.exe`; there is no package then."""
    place: str = ""
    """The folder or archive that has the programs, relative to the project."""
    data_files: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Folder of an environment, as `share/man/man1` -> globs of the files for it, relative to the project."""

    @property
    def name(self) -> str:
        """The distribution's name as file names carry it (PEP 427)."""
        return self.metadata.canonical_name.replace("-", "_")

    @property
    def version(self) -> str:
        """The normalised version."""
        return str(self.metadata.version)

    @property
    def libraries_folder(self) -> str:
        """Where the wheel has the libraries that it brings along: auditwheel's own place."""
        return f"{self.name}.libs"

    def sources(self) -> list[Path]:
        """Return the files of the import package, without the executable; none if there is no package."""
        if not self.package:
            return []
        folder = self.root / self.package
        modules = {
            path
            for path in folder.rglob("*")
            if path.suffix == ".py" or path.name == "py.typed"
        }
        found = modules | {path for pattern in self.data for path in folder.glob(pattern)}
        return sorted(path for path in found if path.is_file() or path.is_symlink())

    def left_out(self) -> list[Path]:
        """Return the files of the import package that no wheel gets, relative to the project."""
        if not self.package:
            return []
        folder = self.root / self.package
        packed = {*self.sources(), *(folder / "bin").rglob("*")}
        others = [
            path for path in folder.rglob("*") if path.is_file() and path not in packed
        ]
        return sorted(
            path.relative_to(self.root)
            for path in others
            if "__pycache__" not in path.parts
        )

    def placed_files(self) -> Iterator[tuple[str, Path]]:
        """Yield each data file with the path that an environment has it at.

        Raises BuildError if a glob matches nothing, or a link that leads out of the project.
        """
        for folder, patterns in sorted(self.data_files.items()):
            for pattern in patterns:
                found = sorted(path for path in self.root.glob(pattern) if path.is_file())
                if not found:
                    raise BuildError(
                        f"no file matches `{pattern}`, which `data-files` names for `{folder}`",
                        hint="correct it: the pattern is relative to the project, as `man/*.1`",
                    )
                _must_stay_inside(
                    self.root,
                    [path.relative_to(self.root) for path in found],
                    self.root / "pyproject.toml",
                )
                yield from ((f"{folder}/{path.name}", path) for path in found)

    def license_files(self) -> list[Path]:
        """Return the licence files, relative to the project."""
        return sorted(Path(path) for path in self.metadata.license_files or [])


@dataclasses.dataclass(frozen=True)
class Package:
    """A package of a system, as `libssl3` of Debian."""

    name: str
    version: str
    purl: str
    """Its package URL, which names the system, too."""


@dataclasses.dataclass(frozen=True)
class Binary:
    """An executable as it goes into a wheel: its bytes, and what is known of them."""

    path: Path
    data: bytes
    executable: Executable
    record: bytes | None
    """`binary.json` as it lies beside the executable."""
    libraries: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    """The shared libraries that the wheel brings along, by their file name."""
    packages: tuple[Package, ...] = ()
    """The packages of the system that these are from."""

    @property
    def suffix(self) -> str:
        """What its file name ends with on its system."""
        return ".exe" if self.executable.format is Format.PE else ""

    @functools.cached_property
    def bundled(self) -> dict[str, Executable]:
        """What is known of the shared libraries. Raises BuildError for one that is damaged."""
        return {
            name: parse_executable(data, f"`{name}`", library=True)
            for name, data in self.libraries.items()
        }

    @functools.cached_property
    def tags(self) -> Tags:
        """The platform tags, derived from the bytes."""
        try:
            return platform_tags(self.executable, self.bundled)
        except BuildError as error:
            raise BuildError(
                f"no wheel can carry `{self.path}`: {error.message}", hint=error.hint
            ) from None


def load_project(root: Path) -> Project:
    """Read `pyproject.toml` in `root`.

    Raises BuildError, in words that name the key, for anything that is missing, unknown or leaves
    the project.
    """
    path = root / "pyproject.toml"
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BuildError(f"cannot read `{path}`: {error}") from None
    metadata = _metadata(table, root, path)
    own = _own_table(table, path)
    project = Project(
        root,
        metadata,
        package=own.get("package", ""),
        executable_name=own.get("executable", ""),
        data=tuple(own.get("data", ())),
        record=own.get("record", ""),
        floors=_floors(own.get("floors", {}), path),
        repair=_repair(own.get("repair"), f"`{path}`"),
        programs=tuple(own.get("programs", ())),
        place=own.get("from", ""),
        data_files=_data_files(own.get("data-files", {}), path),
    )
    _must_stay_inside(root, [*project.license_files(), *_readme(table)], path)
    if project.programs:
        _must_be_no_command(project, path)
        return project
    if not (root / project.package / "__init__.py").is_file():
        raise BuildError(
            f"`{path}` names the package `{project.package}`, but there is no such folder next to it"
        )
    _must_be_files(project, path)
    return project


def _must_be_no_command(project: Project, path: Path) -> None:
    """Raise BuildError if a program and a console script would have one place on the path."""
    for name in project.programs:
        if name in {**project.metadata.scripts, **project.metadata.gui_scripts}:
            raise BuildError(
                f"`{path}` has `{name}` both as a program and as a script",
                hint=f"take `{name}` out of `[project.scripts]`: the program itself is the command",
            )


def _must_be_files(project: Project, path: Path) -> None:
    """Raise BuildError if a pattern matches nothing, or if the package contains a link."""
    folder = project.root / project.package
    for pattern in (*project.data, *filter(None, [project.record])):
        if not any(each.is_file() for each in folder.glob(pattern)):
            raise BuildError(
                f"`{path}` names the data `{pattern}`, but `{project.package}` has no such file",
                hint="correct it: the pattern is relative to the package, as `templates/**/*`",
            )
    for source in project.sources():
        # A link may lead to any file of the machine that builds.
        if not source.resolve().is_relative_to(folder.resolve()) or not source.is_file():
            raise BuildError(
                f"`{source}` is a link that leads out of the package, or nowhere",
                hint="copy the file into the package",
            )


def _metadata(
    table: dict[str, Any], root: Path, path: Path
) -> pyproject_metadata.StandardMetadata:
    project = table.get("project")
    if not isinstance(project, dict):
        raise BuildError(
            f"`{path}` has no `[project]` table",
            hint="write its keys below a line `[project]`",
        )
    if project.get("dynamic") == ["version"] and "version" not in project:
        version = _version_of_cargo(root, path)
        project = {key: value for key, value in project.items() if key != "dynamic"}
        table = table | {"project": project | {"version": version}}
        project = table["project"]
    if project.get("dynamic"):
        fields = ", ".join(f"`{field}`" for field in project["dynamic"])
        raise BuildError(
            f"`{path}` calls {fields} dynamic, but nothing here computes it",
            hint="write the value under `[project]` and take it out of `dynamic`;"
            " `version` alone may stand there, beside a Cargo.toml",
        )
    for key in ("name", "version"):
        if key not in project:
            raise BuildError(
                f"`{path}` has no `{key}` under `[project]`",
                hint=f'add `{key} = "..."` under `[project]`',
            )
    _must_be_a_licence_expression(project.get("license"), path)
    try:
        return pyproject_metadata.StandardMetadata.from_pyproject(
            table, root, metadata_version=METADATA_VERSION, allow_extra_keys=False
        )
    except (pyproject_metadata.ConfigurationError, OSError, UnicodeDecodeError) as error:
        raise BuildError(f"`{path}` is not valid: {error}") from None


def _version_of_cargo(root: Path, path: Path) -> str:
    """Return the version of the package, or of the workspace, that the Cargo.toml next to a project states."""
    cargo = root / "Cargo.toml"
    try:
        table = tomllib.loads(cargo.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BuildError(
            f"`{path}` calls the version dynamic, and `{cargo}` cannot be read: {error}",
            hint='write `version = "..."` under `[project]`, and take it out of `dynamic`',
        ) from None
    own = table.get("package", {}).get("version")
    shared = table.get("workspace", {}).get("package", {}).get("version")
    for version in (own, shared):
        if isinstance(version, str):
            # Cargo's pre-releases (`1.0.0-rc.1`) are Python's in another form (PEP 440).
            return re.sub(r"-(alpha|beta|rc)\.?(?=\d)", r"\1", version)
    raise BuildError(
        f"`{cargo}` states no version",
        hint='add `version = "..."` under `[package]` or `[workspace.package]`',
    )


def _must_be_a_licence_expression(value: object, path: Path) -> None:
    """Raise BuildError unless a licence is an SPDX expression (PEP 639), or not stated.

    The older tables `{file = ...}` and `{text = ...}` have no place in this metadata version.
    """
    if isinstance(value, dict):
        raise BuildError(
            f"`{path}` states the licence as a table, which is out of date (PEP 639)",
            hint='write `license = "MIT"` (an SPDX expression) and `license-files = ["LICENSE"]`',
        )
    if isinstance(value, str):
        try:
            canonicalize_license_expression(value)
        except InvalidLicenseExpression as error:
            raise BuildError(
                f"`{path}` states the licence `{value}`, which is not an SPDX expression: {error}",
                hint="https://spdx.org/licenses lists the identifiers; `LicenseRef-NAME` names any other",
            ) from None


def _own_table(table: dict[str, Any], path: Path) -> dict[str, Any]:
    own = table.get("tool", {}).get("leanspec-build", {})
    if not isinstance(own, dict):
        raise BuildError(
            f"`{path}` states `leanspec-build` as a value, not as a table",
            hint="write its keys below a line `[tool.leanspec-build]`",
        )
    known = ", ".join(f"`{key}`" for key in KEYS)
    for key in own:
        if key not in KEYS:
            raise BuildError(
                f"`{path}` has the unknown key `{key}` under `[tool.leanspec-build]`",
                hint=f"the keys are {known}",
            )
    if "programs" in own:
        _must_be_programs(own, path)
        return dict(own)
    if "from" in own:
        raise BuildError(
            f"`{path}` has `from` under `[tool.leanspec-build]`, but no `programs`",
            hint='name what is to be found there: `programs = ["example"]`',
        )
    _must_be_a_text(own, "package", path, known)
    if not own["package"].isidentifier():
        raise BuildError(
            f"`{path}` names the package `{own['package']}`, which cannot be imported"
        )
    if "data" not in own or "executable" in own:
        _must_be_a_text(own, "executable", path, known)
        _must_be_a_file_name(own["executable"], path)
    if "data" in own:
        _must_be_patterns(own["data"], path)
    if "record" in own:
        _must_be_a_text(own, "record", path, known)
        _must_be_patterns([own["record"]], path)
    return dict(own)


def _must_be_programs(own: dict[str, Any], path: Path) -> None:
    """Raise BuildError unless a project states programs to be put on the path, and nothing of a package."""
    names = own["programs"]
    if (
        not isinstance(names, list)
        or not names
        or not all(isinstance(each, str) for each in names)
    ):
        raise BuildError(
            f"`{path}` wants a list of names as `programs` under `[tool.leanspec-build]`",
            hint='for example `programs = ["example"]`',
        )
    for name in names:
        _must_be_a_file_name(name, path)
    for key in ("package", "executable", "data", "record", "repair"):
        if key in own:
            raise BuildError(
                f"`{path}` has both `programs` and `{key}` under `[tool.leanspec-build]`",
                hint="`programs` go on the path, without a package: leave one of them out",
            )
    if "from" in own:
        _must_be_a_text(own, "from", path, ", ".join(f"`{key}`" for key in KEYS))


def _must_be_a_text(own: dict[str, Any], key: str, path: Path, known: str) -> None:
    if not isinstance(own.get(key), str) or not own[key]:
        raise BuildError(
            f"`{path}` has no text `{key}` under `[tool.leanspec-build]`",
            hint=f"the keys are {known}",
        )


def _must_be_a_file_name(name: str, path: Path) -> None:
    is_special = name in (".", "..") or "\\" in name or not name.isprintable()
    if Path(name).name != name or is_special:
        shown = name.encode("unicode_escape").decode()
        raise BuildError(
            f"`{path}` names the executable `{shown}`: a file name is wanted, not a path"
        )


def _must_be_patterns(patterns: object, path: Path) -> None:
    """Raise BuildError unless these are globs that stay inside the package."""
    if not isinstance(patterns, list) or not all(
        isinstance(each, str) for each in patterns
    ):
        raise BuildError(
            f"`{path}` wants a list of texts as `data` under `[tool.leanspec-build]`",
            hint='for example `data = ["templates/**/*"]`',
        )
    for pattern in patterns:
        parts = Path(pattern).parts
        if not parts or Path(pattern).is_absolute() or ".." in parts or "\\" in pattern:
            raise BuildError(
                f"`{path}` names the data `{pattern}`, which leads out of the package",
                hint='a pattern is relative to the package: `data = ["templates/**/*"]`',
            )


def _data_files(table: object, path: Path) -> dict[str, tuple[str, ...]]:
    """Read the folders of an environment that get files of the project, as man pages and completions."""
    if not isinstance(table, dict):
        raise BuildError(
            f"`{path}` wants a table as `data-files` under `[tool.leanspec-build]`",
            hint='for example `"share/man/man1" = ["man/*.1"]`',
        )
    for folder, patterns in table.items():
        _must_be_patterns([folder], path)
        _must_be_patterns(patterns, path)
    return {folder.strip("/"): tuple(patterns) for folder, patterns in table.items()}


def _floors(table: object, path: Path) -> dict[str, str]:
    if not isinstance(table, dict) or not all(
        isinstance(value, str) for value in table.values()
    ):
        raise BuildError(
            f'`{path}` wants texts under `[tool.leanspec-build.floors]`, as `linux-x64 = "glibc 2.28"`'
        )
    for platform, text in table.items():
        floor = read_floor(text)
        if not re.fullmatch(rf"{floor.system}-({'|'.join(KNOWN_CPUS)})", platform):
            raise BuildError(
                f"`{path}` promises `{text}` to `{platform}`, which is not a known platform",
                hint="platforms look like `linux-x64`, `linux-arm64`, `darwin-arm64`",
            )
    return dict(table)


def _repair(value: object, where: str) -> str | None:
    if value in (None, *REPAIRS):
        return str(value) if value else None
    raise BuildError(
        f"{where} asks for the repair `{value}`",
        hint=f"the repairs are {', '.join(REPAIRS)}",
    )


def _readme(table: dict[str, Any]) -> list[Path]:
    readme = table["project"].get("readme")
    if isinstance(readme, dict):
        readme = readme.get("file")
    return [Path(readme)] if readme else []


def _must_stay_inside(root: Path, files: list[Path], path: Path) -> None:
    for file in files:
        if not (root / file).resolve().is_relative_to(root.resolve()):
            raise BuildError(
                f"`{path}` names `{file}`, which lies outside the project",
                hint="copy the file into the project",
            )


def choose_binary(project: Project, chosen: Mapping[str, str]) -> Binary:
    """Read the executable that the config settings ask for, or the one for this machine.

    Raises BuildError if it is missing, is for another platform, or is not the file that its
    `binary.json` describes.
    """
    if "binary" in chosen:
        path, wanted = Path(chosen["binary"]), None
    else:
        wanted = chosen.get("platform") or host_platform_key()
        path = _collected(project, wanted)
    data, executable = read_program(path)
    found = platform_key(executable)
    if wanted is not None and found != wanted:
        described = found or f"several CPUs ({', '.join(executable.cpus)})"
        raise BuildError(f"`{path}` is an executable for {described}, not for `{wanted}`")
    record_path = path.with_name(RECORD_NAME)
    record = record_path.read_bytes() if record_path.is_file() else None
    if record is not None:
        _must_match(record, record_path, data, found, project)
    elif wanted is not None:
        raise BuildError(
            f"`{record_path}` is missing, so nothing says which bytes `{path.name}` should have",
            hint="write one, or name the executable itself: `-C binary=/path`",
        )
    must_keep_floor(project, executable, path)
    return Binary(path, data, executable, record)


def must_keep_floor(
    project: Project,
    executable: Executable,
    path: Path,
    bundled: Mapping[str, Executable] | None = None,
) -> None:
    """Raise BuildError if a file needs a newer system than the project promises, for any of its platforms."""
    for platform, cpu in platform_keys(executable).items():
        text = project.floors.get(platform)
        problem = (
            exceeds(executable, cpu, read_floor(text), bundled or {}) if text else None
        )
        if problem is not None:
            raise BuildError(
                f"`{path}` is above the promised floor `{text}` of `{platform}`: {problem}",
                hint="build it on an older system or with `cargo zigbuild`, or raise `[tool.leanspec-build.floors]`",
            )


def read_settings(settings: Mapping[str, object] | None) -> dict[str, str]:
    """Return the config settings; raises BuildError for an unknown one, a list, or two that exclude each other."""
    chosen: dict[str, str] = {}
    for key, value in (settings or {}).items():
        if key not in SETTINGS:
            known = ", ".join(f"`-C {name}=...`" for name in SETTINGS)
            raise BuildError(
                f"the config setting `{key}` is unknown", hint=f"the settings are {known}"
            )
        if not isinstance(value, str) or not value:
            raise BuildError(f"the config setting `{key}` wants one text, not `{value}`")
        chosen[key] = value
    for one, other in (("platform", "binary"), ("from", "binary")):
        if {one, other} <= set(chosen):
            raise BuildError(
                f"the config settings `{one}` and `{other}` exclude each other",
                hint="give one of them",
            )
    if "stub" in chosen and len(chosen) > 1:
        raise BuildError("the config setting `stub` stands alone: a stub carries no binary")
    _repair(chosen.get("repair"), "the config setting `repair`")
    return chosen


def read_stub(path: Path) -> bytes:
    """Return the description of a release that a stub carries; raises BuildError if it is no JSON object."""
    try:
        data = path.read_bytes()
        if not isinstance(json.loads(data), dict):
            raise BuildError(f"`{path}` is not the description of a release")
    except (OSError, ValueError) as error:
        raise BuildError(
            f"cannot read the description of a release in `{path}`: {error}"
        ) from None
    return data


def _collected(project: Project, platform: str) -> Path:
    """Return the path of a collected executable; Windows names have an ending."""
    if Path(platform).name != platform:
        raise BuildError(
            f"`{platform}` is not the name of a platform",
            hint="names look like `linux-x64`",
        )
    folder = project.root / "binaries" / platform
    for name in (project.executable_name, f"{project.executable_name}.exe"):
        if (folder / name).exists():
            return folder / name
    raise BuildError(
        f"there is no binary for `{platform}`: `{folder / project.executable_name}` does not exist",
        hint="put it there, or name another one: `-C binary=/path`",
    )


def _must_match(
    record: bytes, path: Path, data: bytes, platform: str | None, project: Project
) -> None:
    """Compare an executable with the `binary.json` next to it."""
    try:
        said = json.loads(record)
        facts = {key: said[key] for key in ("sha256", "size", "platform", "version")}
        version = Version(str(facts["version"]))
    except (ValueError, KeyError, TypeError, InvalidVersion) as error:
        raise BuildError(f"`{path}` is not a description of a binary: {error}") from None
    found = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "platform": platform,
    }
    for key, value in found.items():
        if facts[key] != value:
            raise BuildError(
                f"the executable next to `{path}` is not the one that it describes: `{key}` is `{value}`,"
                f" expected `{facts[key]}`",
                hint="put the executable there that the file describes, or another description",
            )
    # A packaging-only release V.postN carries the binaries of V.
    wanted = Version(project.version).__replace__(post=None)
    if version != wanted:
        raise BuildError(
            f"`{path}` describes version `{facts['version']}`, but `{project.metadata.name}` is `{project.version}`"
        )

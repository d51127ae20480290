"""Binaries for wheels, held to their records and to the floors that a project promises."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path

from packaging.version import Version

from .errors import BuildError, NotAProgramError
from .formats.embedded import embedded_crates, embedded_modules
from .formats.executable import header_machine, load_file, parse_executable
from .formats.facts import EmbeddedPackage, Executable, FileFormat, Libraries
from .formats.view import Bytes, in_little_memory
from .project.keys import WINDOWS_SUFFIX
from .project.manifest import Project
from .project.records import RECORD_EXAMPLE, read_binary_record
from .source import Source, source_of
from .tags.beside import with_libraries
from .tags.derive import exceeds, platform_tags, read_floor
from .tags.model import Tags
from .tags.platforms import (
    host_platform_key,
    platform_key,
    platform_keys,
    possible_platforms,
)

RECORD_NAME = "binary.json"


@dataclasses.dataclass(frozen=True)
class SystemPackage:
    """A package of a system, as `libssl3` of Debian."""

    name: str
    version: str
    purl: str
    """Its package URL, which names the system, too."""


@dataclasses.dataclass(frozen=True)
class Binary:
    """An executable as it goes into a wheel: where its bytes are, and the facts in them."""

    path: Path
    source: Source
    executable: Executable
    embedded: tuple[EmbeddedPackage, ...] = ()
    """The crates and modules that it lists itself."""
    record: bytes | None = None
    """`binary.json` as it lies next to the executable."""
    libraries: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    """The shared libraries that the wheel brings along, by their file name."""
    beside: Libraries = dataclasses.field(default_factory=dict)
    """The facts of the libraries that data files put where the program looks for them."""
    packages: tuple[SystemPackage, ...] = ()
    """The packages of the system that these are from."""

    @property
    def platforms(self) -> frozenset[str]:
        """The names of the platforms that it may be for."""
        executable = self.executable
        return possible_platforms(executable.system, executable.cpus, executable.libc)

    @property
    def suffix(self) -> str:
        """What its file name ends with on its system."""
        return WINDOWS_SUFFIX if self.executable.format is FileFormat.PE else ""

    @functools.cached_property
    def bundled(self) -> Libraries:
        """The facts of the shared libraries. Raises BuildError for one that is damaged."""
        grafted = {
            name: parse_executable(data, f"`{name}`", library=True)
            for name, data in self.libraries.items()
        }
        return {**grafted, **self.beside}

    @functools.cached_property
    def tags(self) -> Tags:
        """The platform tags, derived from the bytes."""
        try:
            return platform_tags(self.executable, self.bundled)
        except BuildError as error:
            raise type(error)(
                f"no wheel can carry `{self.path}`: {error.message}", hint=error.hint
            ) from None


def read_binary(path: Path) -> Binary:
    """Return the facts of an executable; raises BuildError for anything but a complete one."""
    data = load_file(path)
    read = functools.partial(load_file, path)
    return binary_of(path, data, source_of(f"`{path}`", data, read))


def binary_of(path: Path, data: Bytes, source: Source) -> Binary:
    """Return the facts of an executable whose bytes are loaded from their source."""
    with in_little_memory(data):
        try:
            executable = parse_executable(data, source.name)
        except BuildError as error:
            error.platforms = possible_platforms(*header_machine(data))
            raise
        crates = tuple(embedded_crates(data, executable))
        modules = tuple(embedded_modules(data, executable))
    return Binary(path, source, executable, (*crates, *modules))


def with_data_files(project: Project, binary: Binary) -> Binary:
    """Return a program for the path with the libraries that data files put where it looks for them."""
    files = {
        place: functools.partial(_library, path) for place, path in project.placed_files()
    }
    executable, beside = with_libraries(binary.executable, "bin", files)
    return dataclasses.replace(binary, executable=executable, beside=beside)


def _library(path: Path) -> Executable | None:
    """Return the facts of a library, None for a file of another kind; raises BuildError if it is damaged."""
    try:
        return parse_executable(load_file(path), f"`{path}`", library=True)
    except NotAProgramError:
        return None


def choose_binary(project: Project, settings: Mapping[str, str]) -> Binary:
    """Read the executable that the config settings ask for, or the one for this machine.

    Raises BuildError if it is missing, is for another platform, or is not the file that its
    `binary.json` describes.
    """
    if "binary" in settings:
        path, platform = Path(settings["binary"]), None
    else:
        platform = settings.get("platform") or host_platform_key()
        path = _collected(project, platform)
    binary = read_binary(path)
    key = platform_key(binary.executable)
    if platform is not None and key != platform:
        platforms = key or f"several CPUs ({', '.join(binary.executable.cpus)})"
        raise BuildError(f"`{path}` is an executable for {platforms}, not for `{platform}`")
    record_path = path.with_name(RECORD_NAME)
    record = record_path.read_bytes() if record_path.is_file() else None
    if record is not None:
        _must_match(record, record_path, binary.source, key, project)
    elif platform is not None:
        raise BuildError(
            f"`{record_path}` is missing, so nothing says which bytes `{path.name}` should have",
            hint=f"write `{RECORD_EXAMPLE}` into it, or name the executable itself: `-C binary=/path`",
        )
    binary = dataclasses.replace(binary, record=record)
    must_keep_floor(project, binary)
    return binary


def must_keep_floor(project: Project, binary: Binary) -> None:
    """Raise BuildError if a binary needs a newer system than the project promises, for any of its platforms."""
    for platform, cpu in platform_keys(binary.executable).items():
        if platform not in project.floors:
            continue
        text = project.floors[platform]
        problem = exceeds(binary.executable, cpu, read_floor(text), binary.bundled)
        if problem is not None:
            raise BuildError(
                f"`{binary.path}` is above the promised floor `{text}` of `{platform}`: {problem}",
                hint="build it on an older system or with `cargo zigbuild`, or raise `[tool.leanspec-build.floors]`",
            )


def _collected(project: Project, platform: str) -> Path:
    """Return the path of a collected executable; Windows names have an ending."""
    if Path(platform).name != platform:
        raise BuildError(
            f"`{platform}` is not the name of a platform",
            hint="names look like `linux-x64`",
        )
    folder = project.root / "binaries" / platform
    for name in (project.executable_name, project.executable_name + WINDOWS_SUFFIX):
        if (folder / name).exists():
            return folder / name
    raise BuildError(
        f"there is no binary for `{platform}`: `{folder / project.executable_name}` does not exist",
        hint="put it there, or name another one: `-C binary=/path`",
    )


def _must_match(
    record: bytes, path: Path, source: Source, platform: str | None, project: Project
) -> None:
    """Compare an executable with the `binary.json` next to it."""
    facts = read_binary_record(record, path)
    actual = {
        "sha256": source.sha256,
        "size": source.size,
        "platform": platform,
    }
    for key, value in actual.items():
        if facts.get(key, value) != value:
            raise BuildError(
                f"the executable next to `{path}` is not the one that it describes: `{key}` is `{value}`,"
                f" expected `{facts[key]}`",
                hint="put the executable there that the file describes, or another description",
            )
    # A packaging-only release V.postN carries the binaries of V.
    version = Version(project.version).__replace__(post=None)
    if Version(facts.get("version", str(version))) != version:
        raise BuildError(
            f"`{path}` describes version `{facts['version']}`, but `{project.metadata.name}` is `{project.version}`",
            hint="collect the executable of that version, or correct the description",
        )

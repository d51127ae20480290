"""Reproducible writer of wheels: sorted entries, one time, fixed modes, RECORD last.

Standard: the binary distribution format (PEP 427 and its page in the packaging specifications).
"""

import contextlib
import functools
import os
import re
import stat
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

import deflate

from .errors import BuildError, adding_reason, escaped
from .formats.executable import load_file
from .formats.view import Bytes, in_little_memory, pieces
from .project.manifest import Project
from .project.metadata import metadata_file
from .project.names import must_be_installable, same_name
from .source import Source
from .tags.model import EVERY_MACHINE, Tags
from .wheel_record import RecordLine, record_file, record_line

# The oldest and the newest time that a zip archive can state, in seconds since the epoch.
ZIP_EPOCH = 315532800
LAST_MOMENT = 4354819199
PYTHON_TAG = "py3-none"
# For what is published: as small as may be.
DEFLATE_LEVEL = 10
# For what stays on this machine: eight times faster, and 2 % larger.
LOCAL_LEVEL = 6
SBOM_NAME = "leanspec-build.cdx.json"


@dataclass(frozen=True)
class WheelEntry:
    """One file of a wheel."""

    name: str
    source: Source
    mode: int = 0o644


def file_entry(name: str, path: Path, mode: int = 0o644) -> WheelEntry:
    """Return the entry of a file, which is read when the wheel is written."""
    read = functools.partial(load_file, path)
    size = path.stat().st_size if path.is_file() else 0
    return WheelEntry(name, Source(_quoted(path), read, size), mode)


def generated_entry(name: str, make: Callable[[], bytes]) -> WheelEntry:
    """Return the entry of a file that is made when the wheel is written."""
    return WheelEntry(name, Source(_quoted(name), make))


def _quoted(path: Path | str) -> str:
    """Return a name for messages, which shows what looks like another one."""
    text = str(path)
    return f"`{text if text.isascii() else escaped(text)}`"


@dataclass(frozen=True)
class Content:
    """What a wheel carries: its files, the machines that it is for, and its bill of materials."""

    entries: list[WheelEntry]
    tags: Tags = EVERY_MACHINE
    make_sbom: Callable[[], bytes] | None = None
    """Called behind the programs: its library takes 5 MiB, which then add nothing to the most memory in use."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Commands that the project does not state: name -> object reference."""
    links: Mapping[Path, Path] = field(default_factory=dict)
    """Links in the project that an editable wheel leads to: place -> target."""
    level: int = DEFLATE_LEVEL


def package_entries(project: Project) -> list[WheelEntry]:
    """Return the files of the import package, without its binary; none if there is no package."""
    return [
        file_entry(path.relative_to(project.root).as_posix(), path)
        for path in project.sources()
    ]


def project_entries(
    project: Project, tags: Tags = EVERY_MACHINE, *, is_editable: bool = False
) -> list[WheelEntry]:
    """Return what a project has besides binaries: its package, and files for folders of the environment.

    An editable wheel has a path file that leads to the package (PEP 660).
    """
    entries = [] if is_editable else package_entries(project)
    if is_editable and project.package:
        line = f"{project.root.resolve()}\n".encode()
        name = f"__editable__.{project.package}.pth"
        entries.append(generated_entry(name, lambda: line))
    is_windows = any(tag.startswith("win") for tag in tags.platforms)
    for place, path in project.placed_files():
        with path.open("rb") as file:
            is_script = file.read(2) == b"#!"
        # By its first bytes, and not by a mode that some systems do not keep.
        mode = 0o755 if is_script else 0o644
        name = f"{project.stem}.data/{_installed_place(place, is_windows=is_windows)}"
        entries.append(file_entry(name, path, mode))
    return entries


def _installed_place(place: str, *, is_windows: bool) -> str:
    """Return where a data file lies in the wheel; what is for `bin` shall lie next to the programs."""
    folder, _, file = place.partition("/")
    if folder != "bin":
        return f"data/{place}"
    if "/" not in file:
        return f"scripts/{file}"
    # Installers take no folders among the scripts.
    return f"data/Scripts/{file}" if is_windows else f"data/{place}"


def metadata_entries(project: Project, content: Content) -> list[WheelEntry]:
    """Return the metadata files, without RECORD."""
    folder = f"{project.stem}.dist-info"
    entries = [
        generated_entry(f"{folder}/METADATA", lambda: metadata_file(project.metadata)),
        generated_entry(f"{folder}/WHEEL", lambda: _wheel_file(content)),
    ]
    commands = _entry_points(project, content)
    if commands:
        entries.append(generated_entry(f"{folder}/entry_points.txt", lambda: commands))
    entries += [
        file_entry(f"{folder}/licenses/{path.as_posix()}", project.root / path)
        for path in project.license_files()
    ]
    if content.make_sbom is not None:
        entries.append(generated_entry(f"{folder}/sboms/{SBOM_NAME}", content.make_sbom))
    return entries


def _entry_points(project: Project, content: Content) -> bytes:
    """Return the entry points (Entry points specification, File format); empty if there are none."""
    metadata = project.metadata
    groups = {
        "console_scripts": {**metadata.scripts, **content.commands},
        "gui_scripts": metadata.gui_scripts,
        **metadata.entrypoints,
    }
    lines = []
    for group in sorted(name for name, commands in groups.items() if commands):
        lines.append(f"[{group}]")
        lines += [f"{name} = {groups[group][name]}" for name in sorted(groups[group])]
        lines.append("")
    return "\n".join(lines).encode()


def wheel_name(project: Project, tags: Tags) -> str:
    """Return a wheel's file name (Binary distribution format, File name convention)."""
    return f"{project.stem}-{PYTHON_TAG}-{'.'.join(sorted(tags.platforms))}.whl"


def wheel_entries(project: Project, content: Content) -> list[WheelEntry]:
    """Return the files of a wheel without RECORD: sorted, the metadata behind them.

    Raises BuildError if two of them have one place, one has a name that its system cannot have, or
    the time of all is not valid.
    """
    source_date_epoch()
    entries = sorted(content.entries, key=lambda entry: entry.name)
    entries += metadata_entries(project, content)
    is_windows = any(tag.startswith(("win", "any")) for tag in content.tags.platforms)
    for entry in entries:
        must_be_installable(entry.name, entry.source.name, is_windows=is_windows)
    folder = f"{project.stem}.data/scripts"
    origins = {
        same_name(f"{folder}/{name}"): f"the script `{name}` of the project"
        for name in project.scripts
    }
    for origin, entry in _clashes(entries, origins):
        raise BuildError(
            f"two files of the wheel have one place: {origin} and {entry.source.name}, at `{entry.name}`",
            hint="rename one of them, or correct `data-files`",
        )
    return entries


def write_wheel(directory: Path, project: Project, content: Content) -> str:
    """Write a wheel and return its file name: sorted entries, the metadata behind them, RECORD last.

    The file appears whole or not at all. Raises BuildError if it cannot be written.
    """
    name = wheel_name(project, content.tags)
    entries = wheel_entries(project, content)
    record = f"{project.stem}.dist-info/RECORD"
    with (
        _replacing(directory / name) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        lines = [_add(archive, entry, content.level) for entry in entries]
        lines.append((record, "", ""))
        _add(archive, generated_entry(record, lambda: record_file(lines)), content.level)
    return name


def _add(archive: zipfile.ZipFile, entry: WheelEntry, level: int) -> RecordLine:
    info = zipfile.ZipInfo(entry.name, time.gmtime(source_date_epoch())[:6])
    # A ZipInfo made by hand is stored otherwise.
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix: the modes are to be read
    # pip drops the run bit of an entry that is not called a regular file.
    info.external_attr = (stat.S_IFREG | entry.mode) << 16
    data = entry.source.load()
    with archive.open(info, "w") as target:
        target._compressor = _Deflate(data, level)  # type: ignore[attr-defined] # noqa: SLF001 - zipfile's only door
        for piece in pieces(data):
            target.write(piece)
    return record_line(entry.name, data)


def _clashes(
    entries: list[WheelEntry], origins: dict[str, str]
) -> Iterator[tuple[str, WheelEntry]]:
    """Yield each file that takes the place of another one, or of its folder, with the origin of that.

    Some systems do not tell cases apart. `origins` are those of the project's scripts, by their place.
    """
    for entry in entries:
        key = same_name(entry.name)
        if key in origins:
            yield origins[key], entry
        origins[key] = entry.source.name
    for entry in entries:
        for folder in PurePosixPath(same_name(entry.name)).parents:
            if str(folder) in origins:
                yield origins[str(folder)], entry


class _Deflate:
    """Compress at the end, all at once, as zipfile calls a compressor object.

    libdeflate at level 10 makes the real binaries 5 % smaller than zlib at level 9 in half the
    time, and its bytes do not depend on the zlib that a Python was built with (CPython for
    Windows has another one than Debian). It knows no pieces: what is in memory is the
    compressed form of a whole file.
    """

    def __init__(self, data: Bytes, level: int) -> None:
        self._data = data
        self._level = level

    def compress(self, _: bytes) -> bytes:
        # zipfile needs the pieces for its own check sum.
        return b""

    def flush(self) -> bytearray:
        with in_little_memory(self._data):
            return deflate.deflate_compress(self._data, self._level)


def _wheel_file(content: Content) -> bytes:
    # Loaded behind the programs, as what makes the bill of materials.
    from importlib.metadata import version  # noqa: PLC0415

    lines = [
        "Wheel-Version: 1.0",
        f"Generator: leanspec-build {version('leanspec-build')}",
        f"Root-Is-Purelib: {str(content.tags.platforms == EVERY_MACHINE.platforms).lower()}",
        *(f"Tag: {PYTHON_TAG}-{tag}" for tag in sorted(content.tags.platforms)),
    ]
    return ("\n".join(lines) + "\n").encode()


def source_date_epoch() -> int:
    """Return the one time of all entries, in seconds (reproducible-builds.org, SOURCE_DATE_EPOCH)."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return ZIP_EPOCH
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > LAST_MOMENT:
        raise BuildError(
            f"`SOURCE_DATE_EPOCH` is `{text[:40]}`, not a number of seconds up to the end of 2107",
            hint="a wheel is a zip archive, which knows no later time: `unset SOURCE_DATE_EPOCH`, or correct it",
        )
    return max(int(text), ZIP_EPOCH)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file next to `path` that takes its place when all went well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with adding_reason(BuildError(f"cannot write `{path}`")):
        try:
            with temporary.open("xb") as file:
                yield file
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

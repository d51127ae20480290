"""The files of a release, by what their names say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest

from .distributions import HAS_MCP, MAIN, MCP_COMMAND, PAGES

# How platform tags begin, by `sys.platform` (Platform compatibility tags).
SYSTEM_TAGS = {
    "linux": ("manylinux", "musllinux", "linux"),
    "darwin": ("macosx",),
    "win32": ("win",),
}
# The endings of the attestations' files (PEP 740), one for each kind of statement that an index knows.
PUBLISH, SLSA = ".publish.attestation", ".slsa.attestation"
ATTESTATIONS = (PUBLISH, SLSA)


class FileKind(StrEnum):
    """What a file of a release is."""

    PLATFORM = "platform wheel"
    STUB = "stub"
    PAGES = "pages of the web UI"
    MCP_COMMAND = "command of the MCP server"
    MAIN = "lean-spec"
    SDIST = "sdist"


# The distributions with one wheel, for every machine.
OF_ONE_WHEEL = {
    MAIN: FileKind.MAIN,
    PAGES: FileKind.PAGES,
}
if HAS_MCP:
    OF_ONE_WHEEL[MCP_COMMAND] = FileKind.MCP_COMMAND


@dataclass(frozen=True)
class File:
    """One file of a release, by what its name says."""

    path: Path
    kind: FileKind
    distribution: str
    version: str
    platform: str | None
    """The key of its platform, for a platform wheel."""

    def sha256(self) -> str:
        """Return the sha256 of its bytes, in hexadecimal."""
        return digest(str(self.path))


def read_files(dist: Path) -> tuple[list[File], list[str]]:
    """Return a folder's files of a release, by their names, and everything else in it.

    Raises CommandError if there is no such folder.
    """
    must_be_built(dist)
    files, strange = [], []
    for path in sorted(dist.iterdir()):
        file = read_name(path)
        if path.is_symlink() or (file and not path.is_file()):
            strange.append(f"{path.name} (not a file of its own)")
        elif file:
            files.append(file)
        elif any(
            path.name.endswith(ending)
            and path.with_name(path.name.removesuffix(ending)).exists()
            for ending in ATTESTATIONS
        ):
            continue  # goes with its file
        elif not path.name.startswith("."):
            strange.append(path.name)
    return files, strange


def must_be_built(dist: Path) -> None:
    """Raise CommandError if there is no folder of built files."""
    if not dist.is_dir():
        raise CommandError(
            f"there is no folder `{dist}`", hint="build first: `python3 -m scripts wheels`"
        )


def read_name(path: Path) -> File | None:
    """Return what a file's name says; None for one that no release has."""
    try:
        if path.suffix != ".whl":
            name, version = parse_sdist_filename(path.name)
            return File(path, FileKind.SDIST, str(name), str(version), None)
        name, version, _, tags = parse_wheel_filename(path.name)
    except (InvalidWheelFilename, ValueError):
        return None
    promised = {tag.platform for tag in tags}
    if name in OF_ONE_WHEEL:
        return File(path, OF_ONE_WHEEL[name], str(name), str(version), None)
    if promised == {"any"}:
        return File(path, FileKind.STUB, str(name), str(version), None)
    return File(path, FileKind.PLATFORM, str(name), str(version), _platform(promised))


def _platform(tags: set[str]) -> str | None:
    """Return the platform of some tags; None for several, or for one that is not in the table."""
    found = {
        key
        for tag in tags
        for key, platform in PLATFORMS.items()
        if tag.startswith(SYSTEM_TAGS[platform.system]) and tag.endswith(platform.machines)
    }
    return found.pop() if len(found) == 1 else None

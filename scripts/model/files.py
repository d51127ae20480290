"""The files of a release, by what their names say; a private copy of them, and one checksum over all."""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from packaging.utils import parse_sdist_filename, parse_wheel_filename

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest

from .programs import HAS_MCP, MAIN, MCP_COMMAND, PAGES

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
    """Kind of a file of a release."""

    PLATFORM = "platform wheel"
    STUB = "stub"
    PAGES = "pages of the web UI"
    MCP_COMMAND = "command of the MCP server"
    MAIN = "lean-spec"
    SDIST = "sdist"


# The distributions with one wheel, for every machine.
OF_ONE_WHEEL = {MAIN: FileKind.MAIN, PAGES: FileKind.PAGES}
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
        elif not path.name.startswith(".") and not _goes_with_a_file(path):
            strange.append(path.name)
    return files, strange


def _goes_with_a_file(path: Path) -> bool:
    """Tell whether a file is the attestation of one next to it."""
    names = [path.name.removesuffix(ending) for ending in ATTESTATIONS]
    return any(name != path.name and path.with_name(name).exists() for name in names)


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
            kind, tags = FileKind.SDIST, {"any"}
        else:
            name, version, _, wheel_tags = parse_wheel_filename(path.name)
            tags = {tag.platform for tag in wheel_tags}
            other = FileKind.STUB if tags == {"any"} else FileKind.PLATFORM
            kind = OF_ONE_WHEEL.get(name, other)
    except ValueError:  # packaging's own errors are such
        return None
    platform = _platform(tags) if kind == FileKind.PLATFORM else None
    return File(
        path=path,
        kind=kind,
        distribution=str(name),
        version=str(version),
        platform=platform,
    )


def _platform(tags: set[str]) -> str | None:
    """Return the platform of some tags; None for several, or for one that is not in the table."""
    keys = set()
    for key, platform in PLATFORMS.items():
        beginnings, endings = SYSTEM_TAGS[platform.system], platform.machines
        # The version between the two, as in `macosx_11_0_arm64`, may be any.
        if any(tag.startswith(beginnings) and tag.endswith(endings) for tag in tags):
            keys.add(key)
    return keys.pop() if len(keys) == 1 else None


@contextlib.contextmanager
def snapshot(dist: Path) -> Iterator[Path]:
    """Give a private copy of the built files, so that what is uploaded is what was checked.

    Raises CommandError if there are none, or if one is a link to something else.
    """
    must_be_built(dist)
    with tempfile.TemporaryDirectory(prefix="leanspec-release-") as name:
        for path in sorted(dist.iterdir()):
            if path.is_symlink():
                raise CommandError(
                    f"`{path}` is a symbolic link",
                    hint="build again: `python3 -m scripts wheels`",
                )
            if path.is_file():
                shutil.copyfile(path, Path(name, path.name))
        yield Path(name)


def fingerprint(files: list[File]) -> str:
    """Return one SHA-256 for all files of a release: of their checksums and names, as `sha256sum` writes them."""
    lines = sorted(f"{file.sha256()}  {file.path.name}\n" for file in files)
    text = "".join(lines)
    return hashlib.sha256(text.encode()).hexdigest()

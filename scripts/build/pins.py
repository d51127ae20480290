"""The checksums in `lean-spec`, read from the wheels of its own release."""

from __future__ import annotations

import hashlib
import posixpath
import pprint
import zipfile
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher._release import Wheel
from leanspec_launcher._tables import Platform
from leanspec_launcher.diagnosis.errors import CommandError
from leanspec_launcher.first_start.proof import digest
from scripts.model.families import FamilyProject
from scripts.model.versions import binary_version

MARK = "\n# The pins: "
TEMPLATE = """
# The pins: what this release knows of its binaries. Written by `python -m scripts wheels`.
VERSION = {version!r}
# What the binaries of this release say of themselves.
BINARIES = {binaries!r}
# family -> platform -> hexadecimal SHA-256
SHA256: "dict[str, dict[str, str]]" = {table}
# SHA-256 of an executable -> path from its folder -> SHA-256 of a library that its wheel brings along
LIBRARIES: "dict[str, dict[str, str]]" = {libraries}
# SHA-256 of the pages of the web UI: of the checksums and paths of their files.
PAGES = {pages!r}
"""
RELEASE = """
# The pins: what this release knows of its files. Written by `python -m scripts wheels`.
# family -> platform -> wheel
WHEELS: "dict[str, dict[str, Wheel]]" = {wheels}
# A release's files, for any version.
FILES = {files!r}
# The minisign public keys that a release's manifest may be signed with.
KEYS: "tuple[str, ...]" = {keys!r}
"""


@dataclass(frozen=True)
class Pins:
    """The pins of a platform wheel.

    SHA-256 of its executable, of each library by relative path, and of the wheel itself.
    """

    executable: str
    libraries: dict[str, str]
    wheel: Wheel


def wheel_pins(wheel: Path, project: FamilyProject, platform: Platform) -> Pins:
    """Return the pins of a platform wheel, in hexadecimal."""
    folder = f"{project.family.package}/bin"
    with zipfile.ZipFile(wheel) as archive:
        executable = _digest(archive, f"{folder}/{project.family.program}{platform.suffix}")
        brought = [
            name for name in archive.namelist() if name.partition("/")[0].endswith(".libs")
        ]
        libraries = {
            posixpath.relpath(name, folder): _digest(archive, name) for name in brought
        }
    own = Wheel(wheel.name, digest(str(wheel)), wheel.stat().st_size)
    return Pins(executable, libraries, own)


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    return hashlib.sha256(archive.read(name)).hexdigest()


def with_pins(
    tables: str, version: str, pins: dict[str, dict[str, Pins]], pages: str = ""
) -> str:
    """Return the text of `_tables.py` with a release's pins; `pins` is family -> platform -> what it carries.

    `pages` is the digest of the web UI's pages, empty if there are none.

    Raises CommandError if the text has no place for them.
    """
    digests = {
        family: {key: each.executable for key, each in found.items()}
        for family, found in pins.items()
    }
    every = [each for found in pins.values() for each in found.values()]
    return _above(tables, "_tables.py") + TEMPLATE.format(
        version=version,
        binaries=binary_version(version),
        table=pprint.pformat(digests, width=100, sort_dicts=True),
        libraries=pprint.pformat(
            {each.executable: each.libraries for each in every if each.libraries}, width=100
        ),
        pages=pages,
    )


def with_wheels(
    text: str, pins: dict[str, dict[str, Pins]], files: str, keys: tuple[str, ...]
) -> str:
    """Return the text of `_release.py` with a release's wheels, the URL of its files, and its keys.

    Raises CommandError if the text has no place for them.
    """
    wheels = {
        family: {key: each.wheel for key, each in found.items()}
        for family, found in pins.items()
    }
    return _above(text, "_release.py") + RELEASE.format(
        wheels=pprint.pformat(wheels, width=100, sort_dicts=True), files=files, keys=keys
    )


def _above(text: str, name: str) -> str:
    """Return what stands above the pins in one of the launcher's files."""
    above, mark, _ = text.partition(MARK)
    if not mark or MARK in text[len(above) + 1 :]:
        raise CommandError(
            f"`leanspec_launcher/{name}` does not end with one section `# The pins: `",
            hint=f"git checkout leanspec_launcher/{name}",
        )
    return above

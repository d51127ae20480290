"""The checksums in `lean-spec`, read from the wheels of its own release."""

from __future__ import annotations

import hashlib
import posixpath
import pprint
import zipfile
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher._tables import Platform
from leanspec_launcher.diagnosis.errors import CommandError
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


@dataclass(frozen=True)
class Pins:
    """The pins of a platform wheel: SHA-256 of its executable, and of each library by relative path."""

    executable: str
    libraries: dict[str, str]


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
    return Pins(executable, libraries)


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    return hashlib.sha256(archive.read(name)).hexdigest()


def with_pins(
    tables: str, version: str, pins: dict[str, dict[str, Pins]], pages: str = ""
) -> str:
    """Return the text of `_tables.py` with a release's pins; `pins` is family -> platform -> what it carries.

    `pages` is the digest of the web UI's pages, empty if there are none.

    Raises CommandError if the text has no place for them.
    """
    above, mark, _ = tables.partition(MARK)
    if not mark or MARK in tables[len(above) + 1 :]:
        raise CommandError(
            "`leanspec_launcher/_tables.py` does not end with one section `# The pins: `",
            hint="git checkout leanspec_launcher/_tables.py",
        )
    digests = {
        family: {key: each.executable for key, each in found.items()}
        for family, found in pins.items()
    }
    every = [each for found in pins.values() for each in found.values()]
    return above + TEMPLATE.format(
        version=version,
        binaries=binary_version(version),
        table=pprint.pformat(digests, width=100, sort_dicts=True),
        libraries=pprint.pformat(
            {each.executable: each.libraries for each in every if each.libraries}, width=100
        ),
        pages=pages,
    )

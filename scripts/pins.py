"""The checksums that `lean-spec` carries: read from the very wheels of its release."""

from __future__ import annotations

import hashlib
import pprint
import zipfile
from pathlib import Path

from leanspec_launcher._tables import Platform
from leanspec_launcher.manage.errors import CommandError

from .families import FamilyProject
from .release.versions import binary_version

MARK = "\n# The pins: "
TEMPLATE = """
# The pins: what this release knows of its binaries. Written by `python -m scripts wheels`.
VERSION = {version!r}
# What the binaries of this release say of themselves.
BINARIES = {binaries!r}
# family -> platform -> hexadecimal SHA-256
SHA256: "dict[str, dict[str, str]]" = {table}
"""


def wheel_digest(wheel: Path, project: FamilyProject, platform: Platform) -> str:
    """Return the sha256 of the executable inside a platform wheel, in hexadecimal."""
    with zipfile.ZipFile(wheel) as archive:
        name = f"{project.family.package}/bin/{project.family.program}{platform.suffix}"
        return hashlib.sha256(archive.read(name)).hexdigest()


def with_pins(tables: str, version: str, digests: dict[str, dict[str, str]]) -> str:
    """Return the text of `_tables.py` with a release's pins; `digests` is family -> platform -> hexadecimal SHA-256.

    Raises CommandError if the text has no place for them.
    """
    above, mark, _ = tables.partition(MARK)
    if not mark or MARK in tables[len(above) + 1 :]:
        raise CommandError(
            "`leanspec_launcher/_tables.py` does not end with one section `# The pins: `",
            hint="git checkout leanspec_launcher/_tables.py",
        )
    table = pprint.pformat(digests, width=100, sort_dicts=True)
    return above + TEMPLATE.format(version=version, binaries=binary_version(version), table=table)

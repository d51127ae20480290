"""The deterministic wheel writer: sorted entries, one time, fixed modes, RECORD last.

Standard: the binary distribution format (PEP 427 and its page in the packaging specifications).
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import importlib.metadata
import io
import os
import stat
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import BuildError
from .project import METADATA_VERSION, RECORD_NAME, Binary, Project

# The oldest time that a zip archive can state, in seconds since the epoch.
ZIP_EPOCH = 315532800
PYTHON_TAG = "py3-none"


@dataclass(frozen=True)
class Entry:
    """Hold one file of a wheel."""

    name: str
    data: bytes
    mode: int = 0o644


def wheel_name(project: Project, binary: Binary) -> str:
    """Return the file name of the wheel (PEP 427), its platform tags in sorted order."""
    tags = ".".join(sorted(binary.tags().platforms))
    return f"{project.name}-{project.version}-{PYTHON_TAG}-{tags}.whl"


def dist_info(project: Project) -> str:
    """Return the name of the wheel's metadata folder."""
    return f"{project.name}-{project.version}.dist-info"


def metadata_entries(project: Project, binary: Binary) -> list[Entry]:
    """Return the metadata files, without RECORD."""
    folder = dist_info(project)
    metadata = project.metadata
    metadata.metadata_version = METADATA_VERSION
    entries = [
        Entry(f"{folder}/METADATA", bytes(metadata.as_rfc822())),
        Entry(f"{folder}/WHEEL", _wheel_file(binary)),
    ]
    entries += [
        Entry(f"{folder}/licenses/{path.as_posix()}", (project.root / path).read_bytes())
        for path in project.license_files()
    ]
    return entries


def wheel_entries(project: Project, binary: Binary) -> list[Entry]:
    """Return all files of the wheel, without RECORD: the package, the executable 0755, the metadata."""
    entries = [Entry(path.relative_to(project.root).as_posix(), path.read_bytes()) for path in project.sources()]
    folder = f"{project.package}/bin"
    entries.append(Entry(f"{folder}/{project.executable_name}{binary.suffix}", binary.data, 0o755))
    if binary.record is not None:
        entries.append(Entry(f"{folder}/{RECORD_NAME}", binary.record))
    return sorted(entries, key=lambda entry: entry.name) + metadata_entries(project, binary)


def editable_entries(project: Project, binary: Binary) -> list[Entry]:
    """Return the files of an editable wheel (PEP 660): a path file that leads to the project."""
    line = f"{project.root.resolve()}\n".encode()
    return [Entry(f"__editable__.{project.package}.pth", line), *metadata_entries(project, binary)]


def write_wheel(path: Path, entries: list[Entry], folder: str) -> None:
    """Write a wheel with RECORD in the metadata folder `folder` as its last entry.

    The file appears whole or not at all. Raises BuildError where it cannot be written.
    """
    moment = time.gmtime(_source_date_epoch())[:6]
    record = Entry(f"{folder}/RECORD", _record(entries, f"{folder}/RECORD"))
    with (
        _replacing(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
    ):
        for entry in [*entries, record]:
            info = zipfile.ZipInfo(entry.name, moment)
            info.compress_type = zipfile.ZIP_DEFLATED  # a ZipInfo made by hand is stored otherwise
            info.create_system = 3  # Unix: the modes are to be read
            # pip drops the run bit of an entry that is not called a regular file.
            info.external_attr = (stat.S_IFREG | entry.mode) << 16
            archive.writestr(info, entry.data)


def _wheel_file(binary: Binary) -> bytes:
    lines = [
        "Wheel-Version: 1.0",
        f"Generator: leanspec-build {importlib.metadata.version('leanspec-build')}",
        "Root-Is-Purelib: false",
        *(f"Tag: {PYTHON_TAG}-{tag}" for tag in sorted(binary.tags().platforms)),
    ]
    return ("\n".join(lines) + "\n").encode()


def _record(entries: list[Entry], own_name: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for entry in entries:
        digest = base64.urlsafe_b64encode(hashlib.sha256(entry.data).digest()).rstrip(b"=").decode()
        writer.writerow((entry.name, f"sha256={digest}", len(entry.data)))
    writer.writerow((own_name, "", ""))
    return text.getvalue().encode()


def _source_date_epoch() -> int:
    """Return the one time of all entries, in seconds (reproducible-builds.org, SOURCE_DATE_EPOCH)."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return ZIP_EPOCH
    if not text.isascii() or not text.isdigit():
        raise BuildError(f"`SOURCE_DATE_EPOCH` is `{text}`, not a number of seconds")
    return max(int(text), ZIP_EPOCH)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` that takes its place when all went well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                yield file
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise BuildError(f"cannot write `{path}`: {error.strerror or error}") from None

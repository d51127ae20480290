"""The index's rules for how an archive is put together (warehouse/utils/zipfiles.py)."""

from __future__ import annotations

import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from leanspec_build.archives import UNREADABLE

COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DATA_DESCRIPTOR, ENCRYPTED = 0x08, 0x01
LOCAL_HEADER = struct.Struct("<4s22xHH")
END_OF_DIRECTORY = 22


def framing_problems(path: Path) -> list[str]:
    """Return what the index would refuse about an archive."""
    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                return [*_entries(archive), *_frame(path.read_bytes(), archive)]
        with tarfile.open(path, "r:gz") as sdist:
            return list(_members(sdist, path.name.removesuffix(".tar.gz")))
    except UNREADABLE as error:
        return [f"not a whole archive: {error}"]


def _entries(archive: zipfile.ZipFile) -> Iterator[str]:
    names = archive.namelist()
    if len(set(names)) != len(names):
        yield "an entry twice"
    if not any(name.endswith(".dist-info/WHEEL") for name in names):
        yield "no WHEEL"
    for entry in archive.infolist():
        if entry.flag_bits & (DATA_DESCRIPTOR | ENCRYPTED):
            yield f"{entry.filename}: a data descriptor, or encrypted"
        if entry.comment or archive.comment:
            yield f"{entry.filename}: a comment"
        if entry.compress_type not in COMPRESSIONS:
            yield f"{entry.filename}: compression {entry.compress_type}"
    if archive.testzip():
        yield "an entry is damaged"


def _frame(data: bytes, archive: zipfile.ZipFile) -> Iterator[str]:
    """Entries follow one another without a gap, and nothing follows the central directory."""
    position = 0
    for entry in sorted(archive.infolist(), key=lambda each: each.header_offset):
        _, name, extra = LOCAL_HEADER.unpack_from(data, entry.header_offset)
        start = entry.header_offset + LOCAL_HEADER.size
        if entry.header_offset != position:
            yield f"{entry.filename}: a gap before it"
        if data[start : start + name] != entry.orig_filename.encode():
            yield f"{entry.filename}: another name in its own header"
        position = start + name + extra + entry.compress_size
    if archive.start_dir != position:
        yield "a gap before the central directory"
    if len(data) - data.rfind(b"PK\x05\x06") != END_OF_DIRECTORY:
        yield "something after the archive"


def _members(sdist: tarfile.TarFile, top: str) -> Iterator[str]:
    for member in sdist.getmembers():
        if member.name != top and not member.name.startswith(f"{top}/"):
            yield f"{member.name}: outside of `{top}/`"
        if member.issparse() or not (member.isfile() or member.isdir()):
            yield f"{member.name}: neither a file nor a folder"

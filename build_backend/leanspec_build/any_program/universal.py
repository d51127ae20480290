"""Universal files of macOS: thin programs of two CPUs in one file, as `lipo -create` makes them (mach-o/fat.h)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from leanspec_build.formats.mach_o import FAT_ENTRIES, FAT_MAGIC

# A slice starts where a page of its CPU does; as a power of two.
ALIGNMENTS = {"x86_64": 12, "aarch64": 14}


def join(slices: Mapping[str, bytes]) -> bytes:
    """Return a universal file of thin programs, by their CPUs; their signatures stay true."""
    table, content = b"", bytearray()
    start = 8 + struct.calcsize(f">{FAT_ENTRIES[FAT_MAGIC]}") * len(slices)
    for cpu in sorted(slices, key=ALIGNMENTS.__getitem__):
        data, power = slices[cpu], ALIGNMENTS[cpu]
        kind, subtype = struct.unpack_from("<2I", data, 4)
        content += bytes(-(start + len(content)) % (1 << power))
        entry = (kind, subtype, start + len(content), len(data), power)
        table += struct.pack(f">{FAT_ENTRIES[FAT_MAGIC]}", *entry)
        content += data
    return struct.pack(">4sI", FAT_MAGIC, len(slices)) + table + content

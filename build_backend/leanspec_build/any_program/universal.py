"""Universal files of macOS: thin programs of two CPUs in one file, as `lipo -create` makes them (mach-o/fat.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from leanspec_build.formats.mach_o import CPUS, FAT_ENTRIES, FAT_MAGIC

# A slice starts where a page of its CPU does; as a power of two.
ALIGNMENTS = {"x86_64": 12, "aarch64": 14}
ENTRY = struct.Struct(f">{FAT_ENTRIES[FAT_MAGIC]}")


def join(programs: Iterable[bytes]) -> bytes:
    """Return a universal file of thin programs for different CPUs; their signatures stay true."""
    slices = []
    for data in programs:
        cpu, subtype = struct.unpack_from("<2I", data, 4)
        slices.append((ALIGNMENTS[CPUS[cpu]], cpu, subtype, data))
    slices.sort()
    table, content = b"", bytearray()
    start = 8 + ENTRY.size * len(slices)
    for power, cpu, subtype, data in slices:
        content += bytes(-(start + len(content)) % (1 << power))
        table += ENTRY.pack(cpu, subtype, start + len(content), len(data), power)
        content += data
    return struct.pack(">4sI", FAT_MAGIC, len(slices)) + table + content

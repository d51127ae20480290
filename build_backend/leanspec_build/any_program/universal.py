"""Universal files of macOS: thin programs of two CPUs in one file, as `lipo -create` makes them (mach-o/fat.h)."""

import functools
import struct
import tempfile
from collections.abc import Callable, Iterable
from typing import NamedTuple

from leanspec_build.formats.mach_o import CPUS, FAT_ENTRIES, FAT_MAGIC
from leanspec_build.formats.view import Bytes, mapped

# A slice starts where a page of its CPU does; as a power of two.
ALIGNMENTS = {"x86_64": 12, "aarch64": 14}
ENTRY = struct.Struct(f">{FAT_ENTRIES[FAT_MAGIC]}")


class ThinProgram(NamedTuple):
    """A thin program in a universal file, in the file's order."""

    power: int
    cpu: int
    subtype: int
    size: int
    load: Callable[[], Bytes]


def join(programs: Iterable[Bytes]) -> bytes:
    """Return a universal file of thin programs for different CPUs; their signatures stay true."""
    return join_loaded([functools.partial(bytes, data) for data in programs])[:]


def join_loaded(programs: Iterable[Callable[[], Bytes]]) -> Bytes:
    """Return a universal file of programs, one of which is loaded at a time."""
    slices = sorted(map(_slice, programs), key=lambda part: part[:3])
    table, starts = b"", []
    end = 8 + ENTRY.size * len(slices)
    for part in slices:
        start = end + -end % (1 << part.power)
        table += ENTRY.pack(part.cpu, part.subtype, start, part.size, part.power)
        starts.append(start)
        end = start + part.size
    with tempfile.TemporaryFile() as file:
        file.write(struct.pack(">4sI", FAT_MAGIC, len(slices)) + table)
        for start, part in zip(starts, slices, strict=True):
            file.seek(start)
            file.write(part.load())
        return mapped(file)


def _slice(load: Callable[[], Bytes]) -> ThinProgram:
    data = load()
    cpu, subtype = struct.unpack_from("<2I", data, 4)
    return ThinProgram(ALIGNMENTS[CPUS[cpu]], cpu, subtype, len(data), load)

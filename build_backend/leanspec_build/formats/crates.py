"""The crates that a Rust program was built from, where `cargo auditable` left their list in it.

Format: https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md: a section
`.dep-v0` with JSON, compressed by zlib.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass

from leanspec_build.facts import Executable, Format

from .mach_o import FAT_ENTRIES, slice_places

SECTION = b".dep-v0"
# What cargo-auditable's own reader takes at the most.
MOST_BYTES = 8 << 20
# Of an ELF header (gABI, chapter 4): where it states the section table, and the layout of an entry,
# by the bits.
TABLE = {64: (0x28, "Q", 0x3A, "IIQQQQIIQQ"), 32: (0x20, "I", 0x2E, "IIIIIIIIII")}
# Of a PE file (PE format): an entry of the section table, and of a Mach-O file (`loader.h`): the
# commands of a 64-bit slice, and a section of one.
PE_SECTION, SEGMENT_64, MACH_SECTION = "<8sIIII", 0x19, "<16s16sQQII"


@dataclass(frozen=True)
class Crate:
    """A crate, as cargo's lock file had it."""

    name: str
    version: str
    is_of_registry: bool


def embedded_crates(data: bytes, executable: Executable) -> list[Crate]:
    """Return the crates that a program lists, without itself; none if it has no list, or a damaged one."""
    try:
        packed = SECTIONS[executable.format](data, executable)
        unpacker = zlib.decompressobj()
        listed = json.loads(unpacker.decompress(packed, MOST_BYTES))
        return [
            Crate(str(each["name"]), str(each["version"]), each["source"] == "crates.io")
            for each in listed["packages"]
            if not each.get("root") and each.get("kind", "runtime") == "runtime"
        ]
    except (LookupError, ValueError, TypeError, AttributeError, struct.error, zlib.error):
        return []


def _of_elf(data: bytes, executable: Executable) -> bytes:
    order = {"little": "<", "big": ">"}[executable.byte_order]
    place, word, counts, layout = TABLE[executable.bits]
    (start,) = struct.unpack_from(order + word, data, place)
    size, count, names = struct.unpack_from(f"{order}HHH", data, counts)
    entry = struct.Struct(order + layout)
    sections = [entry.unpack_from(data, start + size * number) for number in range(count)]
    strings = sections[names][4]
    for section in sections:
        begin = strings + section[0]
        if data[begin : begin + len(SECTION) + 1] == SECTION + b"\0":
            return data[section[4] : section[4] + section[5]]
    raise LookupError


def _of_pe(data: bytes, _: Executable) -> bytes:
    (header,) = struct.unpack_from("<I", data, 0x3C)
    count, optional = struct.unpack_from("<H12xH", data, header + 6)
    table = header + 24 + optional
    for number in range(count):
        name, used, _, size, start = struct.unpack_from(
            PE_SECTION, data, table + 40 * number
        )
        if name.rstrip(b"\0") == SECTION:
            return data[start : start + min(used, size)]
    raise LookupError


def _of_mach_o(data: bytes, _: Executable) -> bytes:
    """Look in a 64-bit file; a universal one has the list once per slice, so the first has it, too."""
    if data[:4] in FAT_ENTRIES:
        data = data[slice_places(data)[0][0] :]
    (count,) = struct.unpack_from("<I", data, 16)
    place = 32
    for _number in range(count):
        command, size = struct.unpack_from("<II", data, place)
        if command == SEGMENT_64:
            (sections,) = struct.unpack_from("<I", data, place + 64)
            for number in range(sections):
                at = place + 72 + 80 * number
                name, _segment, _address, length, start, _ = struct.unpack_from(
                    MACH_SECTION, data, at
                )
                if name.rstrip(b"\0") == SECTION:
                    return data[start : start + length]
        place += size
    raise LookupError


SECTIONS = {Format.ELF: _of_elf, Format.PE: _of_pe, Format.MACH_O: _of_mach_o}

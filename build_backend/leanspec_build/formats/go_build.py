"""What Go writes into a program about its build: modules, and settings such as `GOARM=7`.

Format: `debug/buildinfo` of Go's own library, since Go 1.18; older ones state no settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .elf_file import PT_LOAD, ElfFile
from .view import Bytes, unsigned_number

MAGIC = b"\xff Go buildinf:"
HEADER_SIZE, ALIGNMENT = 32, 16
# The flag of a header that its texts follow.
IS_INLINE = 2
# Marks around the list of modules and settings.
SENTINEL_SIZE = 16
PF_W = 2
LARGEST_TEXT = 1 << 20

# Where a part of a file begins and ends.
Range = tuple[int, int]


def build_settings(file: ElfFile) -> dict[str, str]:
    """Return the settings by their names; none if the file has no such list."""
    settings = {}
    for kind, *fields in information(file.view.data, elf_data(file)):
        if kind == "build":
            name, _, value = fields[0].partition("=")
            settings[name] = value
    return settings


def elf_data(file: ElfFile) -> Iterator[Range]:
    """Yield where the data of an ELF file are, among which Go's list is."""
    for segment in file.of_kind(PT_LOAD):
        if segment.flags & PF_W:
            yield segment.offset, segment.offset + segment.size


def information(data: Bytes, ranges: Iterable[Range]) -> list[list[str]]:
    """Return the fields of each line of Go's list, which begins in one of some parts of a file; none without a list."""
    for start, end in ranges:
        place = _header(data, start, end)
        if place is not None:
            text = _text(data, place, end)
            lines = text.decode("utf-8", "replace").splitlines()
            return [line.split("\t") for line in lines if "\t" in line]
    return []


def _text(data: Bytes, place: int, end: int) -> bytes:
    if not data[place + 15] & IS_INLINE:
        return b""
    # The first text is the version of Go.
    size, place = unsigned_number(data, place + HEADER_SIZE, end)
    size, place = unsigned_number(data, place + size, end)
    size = min(size, LARGEST_TEXT, end - place)
    return data[place + SENTINEL_SIZE : place + max(size - SENTINEL_SIZE, 0)]


def _header(data: Bytes, start: int, end: int) -> int | None:
    """Return where the list's header is; None if there is none."""
    place = start
    while 0 <= (place := data.find(MAGIC, place, end)) <= end - HEADER_SIZE:
        # Elsewhere it is a text, as in programs that read such lists.
        if (place - start) % ALIGNMENT == 0:
            return place
        place += 1
    return None

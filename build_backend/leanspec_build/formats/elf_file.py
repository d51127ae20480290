"""The parts of an ELF file: header, segments, dynamic entries, sections, notes (System V gABI)."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from leanspec_build.errors import BuildError

from .view import Bytes, View

ELF_MAGIC = b"\x7fELF"
CLASSES = {1: 32, 2: 64}
ORDERS = {1: "<", 2: ">"}
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_GNU_PROPERTY = 1, 2, 3, 4, 0x6474E553
PF_X = 1
DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ = 0, 1, 5, 10
# A large program has some ten segments and some hundred entries.
MOST_SEGMENTS, MOST_ENTRIES, MOST_NOTES = 128, 10_000, 1_000
LARGEST_NOTE = 1 << 16


class Header(NamedTuple):
    """The ELF header behind its first 16 bytes."""

    kind: int
    machine: int
    version: int
    entry: int
    segments_at: int
    sections_at: int
    flags: int
    size: int
    segment_size: int
    segments: int
    section_size: int
    sections: int
    names: int


class Segment(NamedTuple):
    """A program header."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int
    alignment: int


@dataclass(frozen=True)
class Layout:
    """The records of one class of ELF files."""

    header: str
    segment: str
    section: str
    tag: str
    symbol: str


LAYOUTS = {
    32: Layout("HHIIIIIHHHHHH", "IIIIIIII", "IIIIIIIIII", "II", "IIIBBH"),
    64: Layout("HHIQQQIHHHHHH", "IIQQQQQQ", "IIQQQQIIQQ", "QQ", "IBBHQQ"),
}


class Note(NamedTuple):
    """A note (gABI, Note Section)."""

    name: bytes
    kind: int
    content: bytes


class ElfFile:
    """One ELF file: where its parts are."""

    def __init__(self, data: Bytes) -> None:
        View(data).must_hold(64, "the ELF header")
        bits, order = CLASSES.get(data[4]), ORDERS.get(data[5])
        if bits is None or order is None:
            raise BuildError(
                f"is damaged: an ELF file of class {data[4]} and byte order {data[5]}"
            )
        self.bits = bits
        self.view = View(data, order)
        self.layout = LAYOUTS[bits]
        self.osabi = data[7]
        self.header = Header(*self.view.unpack(self.layout.header, 16, "the ELF header"))
        self.segments = self._segments()
        self.view.must_hold(
            self.header.sections_at + self.header.section_size * self.header.sections,
            "the section header table",
        )

    def _segments(self) -> list[Segment]:
        header, layout = self.header, self.layout.segment
        if header.segments > MOST_SEGMENTS:
            raise BuildError(
                f"is damaged: it has {header.segments} program headers, more than the {MOST_SEGMENTS} read"
            )
        if header.segments and header.segment_size != self.view.size_of(layout):
            raise BuildError(f"is damaged: program headers of {header.segment_size} bytes")
        segments: list[Segment] = []
        start, part = header.segments_at, "the program header table"
        for fields in self.view.table(layout, start, header.segments, part):
            if self.bits == 64:  # noqa: PLR2004 - the class
                kind, flags, offset, address, _, size, _, alignment = fields
            else:
                kind, offset, address, _, size, _, flags, alignment = fields
            self.view.must_hold(offset + size, f"segment {len(segments)}")
            segments.append(Segment(kind, flags, offset, address, size, alignment))
        for kind, name in ((PT_DYNAMIC, "dynamic segments"), (PT_INTERP, "loaders")):
            count = sum(segment.kind == kind for segment in segments)
            if count > 1:
                raise BuildError(f"is damaged: it has {count} {name}")
        return segments

    @property
    def code(self) -> list[Segment]:
        """The segments that are executed."""
        return [segment for segment in self.of_kind(PT_LOAD) if segment.flags & PF_X]

    def of_kind(self, *kinds: int) -> list[Segment]:
        """Return the segments of some types."""
        return [segment for segment in self.segments if segment.kind in kinds]

    @functools.cached_property
    def entries(self) -> list[tuple[int, int]]:
        """Return the dynamic segment's entries, as far as its end mark."""
        entries: list[tuple[int, int]] = []
        for segment in self.of_kind(PT_DYNAMIC):
            tag_size = self.view.size_of(self.layout.tag)
            count = min(segment.size // tag_size, MOST_ENTRIES + 1)
            start, part = segment.offset, "the dynamic segment"
            for tag, value in self.view.table(self.layout.tag, start, count, part):
                if tag == DT_NULL:
                    return entries
                entries.append((tag, value))
        if len(entries) > MOST_ENTRIES:
            raise BuildError(
                f"is damaged: its dynamic segment has more than {MOST_ENTRIES} entries"
            )
        return entries

    def value(self, kind: int) -> int | None:
        """Return the value of the first dynamic entry of a kind; None if there is none."""
        return next((value for tag, value in self.entries if tag == kind), None)

    def offset(self, address: int) -> int:
        """Return where in the file an address of the loaded program is."""
        for segment in self.of_kind(PT_LOAD):
            if segment.address <= address < segment.address + segment.size:
                return segment.offset + address - segment.address
        raise BuildError(f"is damaged: nothing is loaded at the address {address:#x}")

    @functools.cached_property
    def strings(self) -> tuple[int, int]:
        """Return where the string table is: offset and size. Looked up once, whatever asks for a name."""
        address, size = self.value(DT_STRTAB), self.value(DT_STRSZ)
        if address is None or size is None:
            raise BuildError("is damaged: it has names, and no string table")
        return self.offset(address), size

    def string(self, place: int) -> str:
        """Return a name of the string table."""
        start, size = self.strings
        if place >= size:
            raise BuildError("is damaged: a name is outside of its string table")
        return self.view.text(start + place, start + size, "a name")

    def name(self, place: int) -> str:
        """Return a name of the string table that is not empty."""
        name = self.string(place)
        if not name:
            raise BuildError("is damaged: a name in its string table is empty")
        return name

    def sections(self) -> Iterator[tuple[Any, ...]]:
        """Yield the section headers; none if their size is not that of the class."""
        header, layout = self.header, self.layout.section
        if header.section_size == self.view.size_of(layout):
            start, count = header.sections_at, header.sections
            yield from self.view.table(layout, start, count, "the sections")

    def section(self, name: bytes) -> bytes | None:
        """Return the content of a section; None if there is no such one."""
        headers = list(self.sections())
        if self.header.names >= len(headers):
            return None
        names = headers[self.header.names][4]
        for fields in headers:
            start = names + fields[0]
            if self.view.data[start : start + len(name) + 1] == name + b"\0":
                return self.view.take(fields[4], fields[5], "a section")
        return None

    def notes(self) -> Iterator[Note]:
        """Yield each note."""
        count = 0
        for segment in self.of_kind(PT_NOTE, PT_GNU_PROPERTY):
            place, end = segment.offset, segment.offset + min(segment.size, LARGEST_NOTE)
            while place + 12 <= end and count < MOST_NOTES:
                named, sized, kind = self.view.unpack("III", place, "a note")
                content = place + 12 + -(-named // 4) * 4
                if content + sized > end:
                    break
                count += 1
                name = self.view.take(place + 12, named, "a note").rstrip(b"\0")
                yield Note(name, kind, self.view.take(content, sized, "a note"))
                place = content + -(-sized // 4) * 4

"""PE files: the headers, the sections and the names of the imported libraries (PE format, Microsoft)."""

import functools
from collections.abc import Iterator
from typing import NamedTuple

from leanspec_build.errors import BuildError, NoTagError, NotAProgramError

from . import signatures
from .facts import Executable, FileFormat
from .go_build import build_settings, newer_instructions
from .view import Bytes, Range, View

MAGIC = b"MZ"
CPUS = {0x8664: "x86_64", 0xAA64: "aarch64", 0x014C: "i686"}
X64 = 0x8664
OPTIONAL_32, OPTIONAL_64 = 0x10B, 0x20B
# Where the optional header counts its data directories, which follow.
DIRECTORIES = {OPTIONAL_32: 92, OPTIONAL_64: 108}
IS_DLL = 0x2000
# What runs as a program: a window, a console; the others are drivers, firmware and the like.
SUBSYSTEMS = {2, 3}
OTHER_SUBSYSTEMS = {
    1: "a driver",
    10: "an EFI program",
    11: "an EFI driver",
    12: "an EFI driver",
    13: "an EFI image",
}
IMPORTS, SIGNATURE, LOAD_CONFIG, NET = 1, 4, 10, 14
# The longest instruction has 15 bytes.
FIRST_CODE = 16
# Where the load configuration of an x86-64 file points to its Arm half: such a file is ARM64EC.
HYBRID_POINTER = 0xC8
SECTION_EXECUTES, SECTION_WRITES = 0x20000000, 0x80000000
MOST_LIBRARIES, MOST_DIRECTORIES = 4096, 16
MOST_SECTIONS = 96  # more than these, Windows does not load (PE format, COFF File Header)


class Section(NamedTuple):
    """A section header."""

    name: str
    address: int
    virtual_size: int
    offset: int
    size: int
    flags: int


class PeFile:
    """One PE file: where its parts are."""

    def __init__(self, data: Bytes) -> None:
        self.view = View(data)
        (at,) = self.view.unpack("I", 60, "the DOS header")
        if self.view.take(at, 4, "the PE header") != b"PE\0\0":
            raise BuildError("is a program for DOS, or damaged: it has no PE header")
        fields = self.view.unpack("HHIIIHH", at + 4, "the PE header")
        self.machine, self.count, _, _, _, length, self.flags = fields
        if self.count > MOST_SECTIONS:
            raise BuildError(
                f"is damaged: it has {self.count} sections, and Windows loads {MOST_SECTIONS} at most"
            )
        self.optional = at + 24
        self.end = self.optional + length
        self.view.must_hold(self.end, "the optional header")
        self.magic = self.number(0, "H")
        if self.magic not in DIRECTORIES:
            raise BuildError(
                f"is damaged: its optional header is of the kind {self.magic:#x}"
            )

    def number(self, place: int, layout: str = "I") -> int:
        """Return a number of the optional header."""
        place += self.optional
        number: int = self.view.unpack(layout, place, "the optional header")[0]
        return number

    @property
    def entry(self) -> int:
        """The address where it starts."""
        return self.number(16)

    @functools.cached_property
    def sections(self) -> list[Section]:
        """The section headers."""
        sections = []
        for fields in self.view.table(
            "8sIIIIIIHHI", self.end, self.count, "the section table"
        ):
            raw, virtual_size, address, size, offset, _, _, _, _, flags = fields
            name = raw.rstrip(b"\0").decode("ascii", "replace")
            self.view.must_hold(offset + size, f"the section `{name}`")
            sections.append(Section(name, address, virtual_size, offset, size, flags))
        return sections

    @functools.cached_property
    def directories(self) -> list[tuple[int, int]]:
        """Address and size of each data directory; zeros for those that it has not."""
        place = DIRECTORIES[self.magic]
        count = min(self.number(place), MOST_DIRECTORIES)
        start = self.optional + place + 4
        table = self.view.table("II", start, count, "the data directories")
        return [*table, *[(0, 0)] * (MOST_DIRECTORIES - count)]

    def offset(self, address: int) -> int:
        """Return where in the file an address of the loaded program is."""
        for section in self.sections:
            if section.address <= address < section.address + section.size:
                return section.offset + address - section.address
        raise BuildError(f"is damaged: nothing is loaded at the address {address:#x}")


def parse_program(data: Bytes, *, library: bool = False) -> Executable:
    """Read a program, or what it loads; raises BuildError for another kind of file."""
    file = PeFile(data)
    if file.flags & IS_DLL and not library:
        raise NotAProgramError("is a DLL, not a program")
    subsystem = file.number(68, "H")
    if subsystem not in SUBSYSTEMS:
        other = OTHER_SUBSYSTEMS.get(subsystem, f"for the subsystem {subsystem}")
        raise NotAProgramError(f"is {other}, not a program that Windows starts")
    sections = file.sections
    start, size = file.directories[SIGNATURE]
    # The one directory that states an offset.
    file.view.must_hold(start + size, "the signature")
    entry = file.entry
    if file.machine == X64 and _is_hybrid(file):
        raise NoTagError("is an ARM64EC program, for which there is no platform tag")
    cpu = CPUS.get(file.machine, f"machine-{file.machine:#x}")
    checksum = file.optional + 64
    directory = file.optional + DIRECTORIES[file.magic] + 4 + 8 * SIGNATURE
    signed = signatures.of_pe(file.view, checksum, directory, start, size)
    settings = build_settings(data, _writable(sections))
    net, _ = file.directories[NET]
    if not library and (entry or not net):
        _must_start(file)
    return Executable(
        format=FileFormat.PE,
        system="windows",
        cpus=(cpu,),
        signatures={cpu: signed},
        bits={OPTIONAL_32: 32, OPTIONAL_64: 64}[file.magic],
        byte_order="little",
        needed=tuple(_libraries(file)),
        packed=any(_is_packed(file, section) for section in sections),
        instructions=newer_instructions(settings),
    )


def header_cpus(data: Bytes) -> tuple[str, ...]:
    """Return the CPU that the header of a damaged file names; none if it is no PE file's."""
    view = View(data)
    (start,) = view.unpack("I", 60, "the DOS header")
    magic, machine = view.unpack("4sH", start, "the PE header")
    return (CPUS[machine],) if magic == b"PE\0\0" and machine in CPUS else ()


def section(data: Bytes, name: str) -> bytes | None:
    """Return the content of a section of a program; None if there is no such one."""
    file = PeFile(data)
    for header in file.sections:
        if header.name == name:
            # The room in the file is rounded up.
            size = min(header.size, header.virtual_size)
            return file.view.take(header.offset, size, f"the section `{name}`")
    return None


def writable_sections(data: Bytes) -> Iterator[Range]:
    """Yield where in the file the sections of a program begin and end that it may write to."""
    return _writable(PeFile(data).sections)


def _writable(sections: list[Section]) -> Iterator[Range]:
    for section in sections:
        if section.flags & SECTION_WRITES:
            yield section.offset, section.offset + section.size


def _libraries(file: PeFile) -> Iterator[str]:
    """Yield the libraries that must be there at the start; those that are loaded late are not."""
    address, _ = file.directories[IMPORTS]
    if not address:
        return
    start = file.offset(address)
    for number in range(MOST_LIBRARIES):
        fields = file.view.unpack("5I", start + 20 * number, "the imports")
        if not any(fields):
            return
        place = file.offset(fields[3])
        yield file.view.text(place, place + 4096, "the name of a library")
    raise BuildError(f"is damaged: it imports more than {MOST_LIBRARIES} libraries")


def _is_hybrid(file: PeFile) -> bool:
    address, _ = file.directories[LOAD_CONFIG]
    if not address:
        return False
    start, part = file.offset(address), "the load configuration"
    (size,) = file.view.unpack("I", start, part)
    if size < HYBRID_POINTER + 8:
        return False
    return bool(file.view.unpack("Q", start + HYBRID_POINTER, part)[0])


def _must_start(file: PeFile) -> None:
    """Raise BuildError unless a program has code where it starts; a packer's is made at the start only."""
    for section in file.sections:
        place = file.entry - section.address
        if not 0 <= place < max(section.size, section.virtual_size):
            continue
        size = min(FIRST_CODE, section.size - place)
        start = section.offset + place
        has_code = size <= 0 or any(file.view.take(start, size, "its first code"))
        if section.flags & SECTION_EXECUTES and has_code:
            return
    raise BuildError(f"is damaged: there is no code at {file.entry:#x}, where it starts")


def _is_packed(file: PeFile, section: Section) -> bool:
    """Tell a packer's section: the program starts in code that it writes itself, or the code does not shrink."""
    if not section.flags & SECTION_EXECUTES:
        return False
    place = file.entry - section.address
    starts_here = 0 <= place < max(section.size, section.virtual_size)
    if starts_here and section.flags & SECTION_WRITES:
        return True
    return file.view.is_compressed(section.offset, section.size)

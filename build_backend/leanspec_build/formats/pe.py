"""PE files: the headers, the sections and the names of the imported libraries (PE format, Microsoft)."""

from collections.abc import Iterator
from typing import NamedTuple

from leanspec_build.errors import BuildError, NoTagError, NotAProgramError

from . import signatures
from .facts import Executable, FileFormat
from .view import Bytes, View

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
EXPORTS, IMPORTS, SIGNATURE, LOAD_CONFIG, NET = 0, 1, 4, 10, 14
# The longest instruction has 15 bytes.
FIRST_CODE = 16
# Where the load configuration of an x86-64 file points to its Arm half: such a file is ARM64EC.
HYBRID_POINTER = 0xC8
SECTION_EXECUTES, SECTION_WRITES = 0x20000000, 0x80000000
MOST_LIBRARIES = 4096
MOST_SECTIONS = 96  # more than these, Windows does not load (PE format, COFF File Header)


class Section(NamedTuple):
    """A section header."""

    name: str
    address: int
    virtual_size: int
    offset: int
    size: int
    flags: int


class Directory(NamedTuple):
    """A data directory: an address and a size."""

    address: int
    size: int


def parse_program(data: Bytes) -> Executable:
    """Read a program; raises BuildError for another kind of file."""
    view = View(data)
    (at,) = view.unpack("I", 60, "the DOS header")
    if view.take(at, 4, "the PE header") != b"PE\0\0":
        raise BuildError("is a program for DOS, or damaged: it has no PE header")
    machine, count, _, _, _, length, flags = view.unpack("HHIIIHH", at + 4, "the PE header")
    if count > MOST_SECTIONS:
        raise BuildError(
            f"is damaged: it has {count} sections, and Windows loads {MOST_SECTIONS} at most"
        )
    optional = at + 24
    view.must_hold(optional + length, "the optional header")
    (magic,) = view.unpack("H", optional, "the optional header")
    if magic not in (OPTIONAL_32, OPTIONAL_64):
        raise BuildError(f"is damaged: its optional header is of the kind {magic:#x}")
    if flags & IS_DLL:
        raise NotAProgramError("is a DLL, not a program")
    _must_run_as_program(view.unpack("H", optional + 68, "the optional header")[0])
    sections = list(_sections(view, optional + length, count))
    directories = _directories(view, optional, magic)
    signature = directories.get(SIGNATURE, Directory(0, 0))
    view.must_hold(
        signature.address + signature.size, "the signature"
    )  # the one directory that states an offset
    (entry,) = view.unpack("I", optional + 16, "the optional header")
    if machine == X64 and _is_hybrid(view, sections, directories):
        raise NoTagError("is an ARM64EC program, for which there is no platform tag")
    cpu = CPUS.get(machine, f"machine-{machine:#x}")
    signed = signatures.of_pe(
        view,
        optional + 64,
        optional + DIRECTORIES[magic] + 4 + 8 * SIGNATURE,
        *signature,
    )
    if entry or not directories.get(NET, Directory(0, 0)).address:
        _must_start(view, sections, entry)
    return Executable(
        format=FileFormat.PE,
        system="windows",
        cpus=(cpu,),
        signatures={cpu: signed},
        bits={OPTIONAL_32: 32, OPTIONAL_64: 64}[magic],
        byte_order="little",
        needed=tuple(_libraries(view, sections, directories)),
        packed=any(_is_packed(view, section, entry) for section in sections),
    )


def section(data: Bytes, name: str) -> bytes | None:
    """Return the content of a section of a program; None if there is no such one."""
    view = View(data)
    for header in _all_sections(view):
        if header.name == name:
            # The room in the file is rounded up.
            size = min(header.size, header.virtual_size)
            return view.take(header.offset, size, f"the section `{name}`")
    return None


def writable_sections(data: Bytes) -> Iterator[tuple[int, int]]:
    """Yield where in the file the sections of a program begin and end that it may write to."""
    for header in _all_sections(View(data)):
        if header.flags & SECTION_WRITES:
            yield header.offset, header.offset + header.size


def _all_sections(view: View) -> Iterator[Section]:
    (at,) = view.unpack("I", 60, "the DOS header")
    _, count, _, _, _, length, _ = view.unpack("HHIIIHH", at + 4, "the PE header")
    yield from _sections(view, at + 24 + length, count)


def _must_run_as_program(subsystem: int) -> None:
    if subsystem not in SUBSYSTEMS:
        other = OTHER_SUBSYSTEMS.get(subsystem, f"for the subsystem {subsystem}")
        raise NotAProgramError(f"is {other}, not a program that Windows starts")


def _sections(view: View, start: int, count: int) -> Iterator[Section]:
    for fields in view.table("8sIIIIIIHHI", start, count, "the section table"):
        name = fields[0].rstrip(b"\0").decode("ascii", "replace")
        section = Section(name, fields[2], fields[1], fields[4], fields[3], fields[9])
        view.must_hold(section.offset + section.size, f"the section `{name}`")
        yield section


def _directories(view: View, optional: int, magic: int) -> dict[int, Directory]:
    place = optional + DIRECTORIES[magic]
    count = min(view.unpack("I", place, "the optional header")[0], 16)
    fields = view.table("II", place + 4, count, "the data directories")
    return {number: Directory(*pair) for number, pair in enumerate(fields)}


def _offset(sections: list[Section], address: int) -> int:
    """Return where in the file an address of the loaded program is."""
    for section in sections:
        if section.address <= address < section.address + section.size:
            return section.offset + address - section.address
    raise BuildError(f"is damaged: nothing is loaded at the address {address:#x}")


def _libraries(
    view: View, sections: list[Section], directories: dict[int, Directory]
) -> Iterator[str]:
    """Yield the libraries that must be there at the start; those that are loaded late are not."""
    imports = directories.get(IMPORTS, Directory(0, 0))
    if not imports.address:
        return
    start = _offset(sections, imports.address)
    for number in range(MOST_LIBRARIES):
        fields = view.unpack("5I", start + 20 * number, "the imports")
        if not any(fields):
            return
        place = _offset(sections, fields[3])
        yield view.text(place, place + 4096, "the name of a library")
    raise BuildError(f"is damaged: it imports more than {MOST_LIBRARIES} libraries")


def _is_hybrid(
    view: View, sections: list[Section], directories: dict[int, Directory]
) -> bool:
    config = directories.get(LOAD_CONFIG, Directory(0, 0))
    if not config.address:
        return False
    start = _offset(sections, config.address)
    (size,) = view.unpack("I", start, "the load configuration")
    if size < HYBRID_POINTER + 8:
        return False
    return bool(view.unpack("Q", start + HYBRID_POINTER, "the load configuration")[0])


def _must_start(view: View, sections: list[Section], entry: int) -> None:
    """Raise BuildError unless a program has code where it starts; a packer's is made at the start only."""
    for section in sections:
        place = entry - section.address
        if not 0 <= place < max(section.size, section.virtual_size):
            continue
        size = min(FIRST_CODE, section.size - place)
        has_code = size <= 0 or any(
            view.take(section.offset + place, size, "its first code")
        )
        if section.flags & SECTION_EXECUTES and has_code:
            return
    raise BuildError(f"is damaged: there is no code at {entry:#x}, where it starts")


def _is_packed(view: View, section: Section, entry: int) -> bool:
    """Tell a packer's section: the program starts in code that it writes itself, or the code does not shrink."""
    if not section.flags & SECTION_EXECUTES:
        return False
    starts_here = (
        section.address <= entry < section.address + max(section.size, section.virtual_size)
    )
    if starts_here and section.flags & SECTION_WRITES:
        return True
    return view.is_compressed(section.offset, section.size)

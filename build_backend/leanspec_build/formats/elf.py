"""ELF files, as the loader reads them: program headers, the dynamic segment, version needs, notes.

Standards: the System V gABI; the Linux Standard Base for symbol versions; the psABI of each CPU.
Sections are not looked at for what decides: a program may be stripped of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from leanspec_build.errors import BuildError, NotAProgramError
from leanspec_build.facts import Executable, Format

from .view import Bytes, View

ELF_MAGIC = b"\x7fELF"
CLASSES = {1: 32, 2: 64}
ORDERS = {1: "<", 2: ">"}
KINDS = {1: "ET_REL", 2: "ET_EXEC", 3: "ET_DYN", 4: "ET_CORE"}
SYSTEMS = {
    0: "linux",
    3: "linux",
    1: "hpux",
    2: "netbsd",
    6: "solaris",
    9: "freebsd",
    12: "openbsd",
}
# Who leaves a note of this name in each program; the header of most of them says `System V`.
NOTED_SYSTEMS = {
    b"NetBSD": "netbsd",
    b"OpenBSD": "openbsd",
    b"DragonFly": "dragonfly",
    b"FreeBSD": "freebsd",
}
NOTED_SYSTEMS |= {b"Android": "android"}
FOREIGN_LOADERS = {"/system/bin/linker": "android", "/system/bin/linker64": "android"}
FOREIGN_LOADERS |= {
    "/usr/lib/ld.so.1": "solaris",
    "/usr/lib/amd64/ld.so.1": "solaris",
    "/lib/amd64/ld.so.1": "solaris",
}
FOREIGN_LOADERS |= {
    "/libexec/ld.elf_so": "netbsd",
    "/usr/libexec/ld.elf_so": "netbsd",
    "/usr/libexec/ld.so": "openbsd",
}

EM_ARM = 40
MACHINES = {
    3: "386",
    62: "x86_64",
    183: "aarch64",
    21: "ppc64",
    22: "s390",
    243: "riscv",
    258: "loongarch",
}
CPUS = {
    # machine, bits, byte order -> CPU; 32-bit Arm has rules of its own
    (3, 32, "<"): "i686",
    (62, 64, "<"): "x86_64",
    (62, 32, "<"): "x32",
    (183, 64, "<"): "aarch64",
    (21, 64, "<"): "ppc64le",
    (21, 64, ">"): "ppc64",
    (22, 64, ">"): "s390x",
    (243, 64, "<"): "riscv64",
    (258, 64, "<"): "loongarch64",
}
EF_ARM_ABI_FLOAT_HARD = 0x400  # ELF for the Arm architecture, e_flags
ARM_V7 = 10  # Addenda to the ABI for the Arm architecture, Tag_CPU_arch
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_GNU_PROPERTY = 1, 2, 3, 4, 0x6474E553
PF_X = 1
DT_NULL, DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SONAME = (
    0,
    1,
    4,
    5,
    6,
    10,
    14,
)
DT_RPATH, DT_RUNPATH, DT_FLAGS_1, DT_VERNEED, DT_VERNEEDNUM = (
    15,
    29,
    0x6FFFFFFB,
    0x6FFFFFFE,
    0x6FFFFFFF,
)
DF_1_PIE = 0x08000000
SHT_DYNSYM, SHT_ARM_ATTRIBUTES = 11, 0x70000003
STB_WEAK, SHN_UNDEF = 2, 0
NT_GNU_PROPERTY, X86_ISA_NEEDED = 5, 0xC0008002
LEVELS = {8: "x86-64-v4", 4: "x86-64-v3", 2: "x86-64-v2"}
UPX_MAGIC = b"UPX!"
# A large program has some ten segments, some hundred tags and versions, and some hundred thousand
# symbols.
MOST_SEGMENTS = 128
MOST_TAGS, MOST_VERSIONS, MOST_SYMBOLS, MOST_NOTES = 10_000, 20_000, 1_000_000, 1_000
MOST_IMPORTS, LONGEST_SYMBOL = 100_000, 256
LARGEST_NOTE, LARGEST_ATTRIBUTES = 1 << 16, 1 << 16


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


def parse_program(data: Bytes) -> Executable:
    """Read a program; raises BuildError for another kind of file."""
    return _Elf(data).read(_must_be_program)


def parse_library(data: Bytes) -> Executable:
    """Read a shared library; raises BuildError for another kind of file."""
    return _Elf(data).read(
        lambda kind, _loader, _tags: None if kind == "ET_DYN" else _refuse(kind)
    )


Tags = list[tuple[int, int]]
Wanted = Callable[[str, str | None, Tags], None]


class _Elf:
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

    def read(self, must_be_wanted: Wanted) -> Executable:
        """Return what the file says of itself."""
        loader = self._loader()
        tags = self.tags
        must_be_wanted(KINDS.get(self.header.kind, str(self.header.kind)), loader, tags)
        needed = tuple(self._string(value) for tag, value in tags if tag == DT_NEEDED)
        versions = self._version_needs(tags)
        paths = [
            self._string(value) for tag, value in tags if tag in (DT_RPATH, DT_RUNPATH)
        ]
        notes = list(self._notes())
        return Executable(
            format=Format.ELF,
            system=self._system(loader, notes),
            cpus=(self._cpu(),),
            bits=self.bits,
            byte_order={"<": "little", ">": "big"}[self.view.order],
            loader=loader,
            libc=_libc(loader, needed, versions),
            needed=needed,
            symbol_versions=versions,
            run_path=tuple(part for path in paths for part in path.split(":")),
            imports=frozenset(self._imports(tags)),
            packed=self._is_packed(tags),
            instructions=self._instructions(notes),
        )

    def _segments(self) -> list[Segment]:
        header = self.header
        what = "the program header table"
        if header.segments > MOST_SEGMENTS:
            raise BuildError(
                f"is damaged: it has {header.segments} program headers, more than the {MOST_SEGMENTS} read"
            )
        if header.segments and header.segment_size != self.view.size_of(
            self.layout.segment
        ):
            raise BuildError(f"is damaged: program headers of {header.segment_size} bytes")
        found: list[Segment] = []
        for fields in self.view.table(
            self.layout.segment, header.segments_at, header.segments, what
        ):
            if self.bits == 64:  # noqa: PLR2004 - the class
                kind, flags, offset, address, _, size, _, _ = fields
            else:
                kind, offset, address, _, size, _, flags, _ = fields
            self.view.must_hold(offset + size, f"segment {len(found)}")
            found.append(Segment(kind, flags, offset, address, size))
        for kind, name in ((PT_DYNAMIC, "dynamic segments"), (PT_INTERP, "loaders")):
            count = sum(segment.kind == kind for segment in found)
            if count > 1:
                raise BuildError(f"is damaged: it has {count} {name}")
        return found

    def _of_kind(self, *kinds: int) -> list[Segment]:
        return [segment for segment in self.segments if segment.kind in kinds]

    def _loader(self) -> str | None:
        for segment in self._of_kind(PT_INTERP):
            return self.view.text(
                segment.offset, segment.offset + segment.size, "the loader's name"
            )
        return None

    @functools.cached_property
    def tags(self) -> Tags:
        """Return the dynamic segment's entries, as far as its end mark."""
        tags: Tags = []
        for segment in self._of_kind(PT_DYNAMIC):
            count = min(segment.size // self.view.size_of(self.layout.tag), MOST_TAGS + 1)
            for tag, value in self.view.table(
                self.layout.tag, segment.offset, count, "the dynamic segment"
            ):
                if tag == DT_NULL:
                    return tags
                tags.append((tag, value))
        if len(tags) > MOST_TAGS:
            raise BuildError(
                f"is damaged: its dynamic segment has more than {MOST_TAGS} entries"
            )
        return tags

    def _offset(self, address: int) -> int:
        """Return where in the file an address of the loaded program is."""
        for segment in self._of_kind(PT_LOAD):
            if segment.address <= address < segment.address + segment.size:
                return segment.offset + address - segment.address
        raise BuildError(f"is damaged: nothing is loaded at the address {address:#x}")

    @functools.cached_property
    def strings(self) -> tuple[int, int]:
        """Return where the string table is: offset and size. Looked up once, whatever asks for a name."""
        address, size = _value(self.tags, DT_STRTAB), _value(self.tags, DT_STRSZ)
        if address is None or size is None:
            raise BuildError("is damaged: it has names, and no string table")
        return self._offset(address), size

    def _string(self, place: int) -> str:
        start, size = self.strings
        if place >= size:
            raise BuildError("is damaged: a name is outside of its string table")
        return self.view.text(start + place, start + size, "a name")

    def _version_needs(self, tags: Tags) -> dict[str, tuple[str, ...]]:
        """Read the version needs (LSB, Symbol Version Requirements)."""
        address, needs = _value(tags, DT_VERNEED), _value(tags, DT_VERNEEDNUM) or 0
        versions: dict[str, tuple[str, ...]] = {}
        if address is None:
            return versions
        offset, left = self._offset(address), MOST_VERSIONS
        for _ in range(needs):
            _, count, file, first, following = self.view.unpack(
                "HHIII", offset, "the version needs"
            )
            left -= count + 1
            if left < 0:
                raise BuildError(
                    f"is damaged: it needs more than {MOST_VERSIONS} symbol versions"
                )
            library = self._string(file)
            versions[library] = versions.get(library, ()) + tuple(
                self._versions(offset + first, count)
            )
            if not following:
                break
            offset += following
        return versions

    def _versions(self, offset: int, count: int) -> Iterator[str]:
        for _ in range(count):
            _, _, _, name, following = self.view.unpack(
                "IHHII", offset, "the version needs"
            )
            yield self._string(name)
            if not following:
                return
            offset += following

    def _imports(self, tags: Tags) -> Iterator[str]:
        """Yield the undefined symbols that are not weak. Longer names than any policy speaks of are left out."""
        address, names = _value(tags, DT_SYMTAB), _value(tags, DT_STRTAB)
        if address is None or names is None:
            return
        offset, strings = self._offset(address), self._offset(names)
        found = 0
        for fields in self.view.table(
            self.layout.symbol, offset, self._symbols(tags, offset, names), "the symbols"
        ):
            if self.bits == 64:  # noqa: PLR2004 - the class
                name, info, _, section, _, _ = fields
            else:
                name, _, _, info, _, section = fields
            if section != SHN_UNDEF or info >> 4 == STB_WEAK or not name:
                continue
            start = strings + name
            end = self.view.data.find(b"\0", start, start + LONGEST_SYMBOL)
            if end > start:
                found += 1
                if found > MOST_IMPORTS:
                    raise BuildError(
                        f"is damaged: it imports more than {MOST_IMPORTS} symbols"
                    )
                yield self.view.data[start:end].decode("utf-8", "replace")

    def _symbols(self, tags: Tags, offset: int, names: int) -> int:
        """Return how many dynamic symbols there are: by the section, the old hash table, or the gap to the names."""
        size = self.view.size_of(self.layout.symbol)
        for section in self._sections():
            if section[1] == SHT_DYNSYM and section[4] == offset:
                return self._bounded(section[5] // size)
        table = _value(tags, DT_HASH)
        if table is not None:
            return self._bounded(
                self.view.unpack("II", self._offset(table), "the hash table")[1]
            )
        address = _value(tags, DT_SYMTAB) or 0
        return self._bounded(max(names - address, 0) // size)

    @staticmethod
    def _bounded(count: int) -> int:
        if count > MOST_SYMBOLS:
            raise BuildError(
                f"has more than {MOST_SYMBOLS} dynamic symbols, which no program has"
            )
        return count

    def _sections(self) -> Iterator[tuple[Any, ...]]:
        header = self.header
        if header.section_size == self.view.size_of(self.layout.section):
            yield from self.view.table(
                self.layout.section, header.sections_at, header.sections, "the sections"
            )

    def _notes(self) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield name, type and content of each note (gABI, Note Section)."""
        count = 0
        for segment in self._of_kind(PT_NOTE, PT_GNU_PROPERTY):
            place, end = segment.offset, segment.offset + min(segment.size, LARGEST_NOTE)
            while place + 12 <= end and count < MOST_NOTES:
                named, sized, kind = self.view.unpack("III", place, "a note")
                content = place + 12 + -(-named // 4) * 4
                if content + sized > end:
                    break
                count += 1
                name = self.view.take(place + 12, named, "a note").rstrip(b"\0")
                yield name, kind, self.view.take(content, sized, "a note")
                place = content + -(-sized // 4) * 4

    def _system(self, loader: str | None, notes: list[tuple[bytes, int, bytes]]) -> str:
        for name, _, _ in notes:
            if name in NOTED_SYSTEMS:
                return NOTED_SYSTEMS[name]
        return FOREIGN_LOADERS.get(loader or "") or SYSTEMS.get(
            self.osabi, f"osabi-{self.osabi}"
        )

    def _instructions(self, notes: list[tuple[bytes, int, bytes]]) -> str | None:
        """Return the level of x86-64 that the program needs (x86-64 psABI, Program Property)."""
        needed = 0
        for name, kind, content in notes:
            if (name, kind) == (b"GNU", NT_GNU_PROPERTY):
                size = 8 if self.bits == 64 else 4  # noqa: PLR2004 - the class
                needed |= _needed_levels(View(content, self.view.order), size)
        return next((level for bit, level in LEVELS.items() if needed & bit), None)

    def _cpu(self) -> str:
        """Return the CPU, with its ABI where that decides on which systems the program runs."""
        machine = self.header.machine
        if machine == EM_ARM:
            return self._arm_cpu()
        known = CPUS.get((machine, self.bits, self.view.order))
        return known or f"{MACHINES.get(machine, f'machine{machine}')}_{self.bits}"

    def _arm_cpu(self) -> str:
        """Tell 32-bit Arm with hardware floating point (armv7l, armv6l) from that without."""
        version = self._arm_version()
        if self.view.order == ">":
            return "armeb"
        hard = self.header.flags & EF_ARM_ABI_FLOAT_HARD
        # A static program calls no library: how others pass floating point does not concern it.
        static = not self._of_kind(PT_INTERP, PT_DYNAMIC)
        if not hard and not static:
            return "armel"
        if version is None:
            return "armv7l" if hard else "armel"
        return "armv7l" if version >= ARM_V7 else "armv6l"

    def _arm_version(self) -> int | None:
        for section in self._sections():
            if section[1] == SHT_ARM_ATTRIBUTES:
                size = min(section[5], LARGEST_ATTRIBUTES)
                return _arm_architecture(
                    self.view.take(section[4], size, "the Arm attributes"), self.view.order
                )
        return None

    def _is_packed(self, tags: Tags) -> bool:
        """Tell a packed program: by UPX's mark, or by code that does not shrink in a file without sections.

        A program with sections is no packer's: those leave none. Compressed data next to code, as Go
        embeds it, is no sign.
        """
        header = self.header
        end = header.segments_at + header.segment_size * header.segments
        # UPX puts its own record behind the program headers.
        if UPX_MAGIC in self.view.data[end : end + 64]:
            return True
        if header.sections or tags:
            return False
        code = [segment for segment in self._of_kind(PT_LOAD) if segment.flags & PF_X]
        return any(
            self.view.is_compressed(segment.offset, segment.size) for segment in code
        )


def _value(tags: Tags, wanted: int) -> int | None:
    return next((value for tag, value in tags if tag == wanted), None)


def _must_be_program(kind: str, loader: str | None, tags: Tags) -> None:
    """Tell a position-independent program from a shared library, which has the same type.

    A library may name a loader too (libc does), but only a program carries DF_1_PIE, or has a
    loader without a soname, or (packed) no dynamic segment at all.
    """
    if kind == "ET_EXEC":
        return
    if kind != "ET_DYN":
        _refuse(kind)
    pie = bool((_value(tags, DT_FLAGS_1) or 0) & DF_1_PIE)
    named = _value(tags, DT_SONAME) is not None
    if tags and not pie and (loader is None or named):
        raise NotAProgramError("is a shared library, not a program")


def _refuse(kind: str) -> NoReturn:
    raise NotAProgramError(f"is an ELF file of the type `{kind}`, not of the wanted one")


def _libc(
    loader: str | None, needed: tuple[str, ...], versions: Mapping[str, tuple[str, ...]]
) -> str | None:
    if any(
        name.startswith(("libc.musl-", "ld-musl-")) for name in needed
    ) or "/ld-musl-" in (loader or ""):
        return "musl"
    glibc = any(
        version.startswith("GLIBC_") for group in versions.values() for version in group
    )
    if glibc or any(name.startswith("libc.so.") for name in needed):
        return "glibc"
    return None


def _needed_levels(properties: View, alignment: int) -> int:
    """Return the bits of the levels that a program property note says are needed."""
    place, needed = 0, 0
    while place + 8 <= properties.size:
        kind, size = properties.unpack("II", place, "a property")
        if place + 8 + size > properties.size:
            break
        if kind == X86_ISA_NEEDED and size >= 4:  # noqa: PLR2004 - a word
            needed |= properties.unpack("I", place + 8, "a property")[0]
        place += 8 + -(-size // alignment) * alignment
    return needed


def _arm_architecture(data: bytes, order: str) -> int | None:
    """Return Tag_CPU_arch of the whole file (Addenda to the ABI for the Arm architecture, Build attributes)."""
    view, place = View(data, order), 1
    while data[:1] == b"A" and place + 4 < view.size:
        (length,) = view.unpack("I", place, "the Arm attributes")
        if length < 5 or place + length > view.size:  # noqa: PLR2004 - its own length, and a name
            break
        end = place + length
        inside = data.find(b"\0", place + 4, end) + 1
        # The first part is of the whole file: tag 1 and its length, then attributes.
        if (
            data[place + 4 : place + 10] == b"aeabi\0"
            and inside + 5 < end
            and data[inside] == 1
        ):
            return dict(_attributes(data, inside + 5, end)).get(6)
        place = end
    return None


def _attributes(data: bytes, place: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the attributes that are numbers; those that are texts are passed over."""
    while place < end:
        tag, place = _uleb(data, place, end)
        has_number = tag not in (4, 5, 65, 67) and (tag <= 32 or tag % 2 == 0)  # noqa: PLR2004 - the standard's rule
        if has_number or tag == 32:  # noqa: PLR2004 - a number and a text
            value, place = _uleb(data, place, end)
            yield tag, value
        if not has_number or tag == 32:  # noqa: PLR2004
            place = data.find(b"\0", place, end) + 1 or end


def _uleb(data: bytes, place: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while place < end and shift < 64:  # noqa: PLR2004 - bits of the largest number
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return value, place

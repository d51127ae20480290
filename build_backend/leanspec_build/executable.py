"""What is this file? The bytes of an executable to one value; no policy.

The CPU names are those of the Linux platform tags (`x86_64`, `aarch64`, `i686`, ...) for every format.
"""

from __future__ import annotations

import functools
import io
import itertools
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pefile
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from macholib import mach_o
from macholib.MachO import MachOHeader

from .errors import BuildError

ELF_MAGIC = b"\x7fELF"
PE_MAGIC = b"MZ"
FAT_MAGIC = b"\xca\xfe\xba\xbe"
FAT_MAGIC_64 = b"\xca\xfe\xba\xbf"
# magic -> layout of one slice's entry (mach-o/fat.h): CPU, subtype, offset, size, alignment
FAT_ENTRIES = {FAT_MAGIC: ">5I", FAT_MAGIC_64: ">2I2Q2I"}
# magic -> byte order, bits
MACH_O_MAGICS = {
    b"\xce\xfa\xed\xfe": ("little", 32),
    b"\xcf\xfa\xed\xfe": ("little", 64),
    b"\xfe\xed\xfa\xce": ("big", 32),
    b"\xfe\xed\xfa\xcf": ("big", 64),
}

ELF_CPUS = {
    # machine, bits, byte order -> CPU; armv7l has a rule of its own
    ("EM_386", 32, "little"): "i686",
    ("EM_X86_64", 64, "little"): "x86_64",
    ("EM_X86_64", 32, "little"): "x32",
    ("EM_AARCH64", 64, "little"): "aarch64",
    ("EM_PPC64", 64, "little"): "ppc64le",
    ("EM_PPC64", 64, "big"): "ppc64",
    ("EM_S390", 64, "big"): "s390x",
    ("EM_RISCV", 64, "little"): "riscv64",
    ("EM_LOONGARCH", 64, "little"): "loongarch64",
}
EF_ARM_ABI_FLOAT_HARD = 0x400  # ELF for the Arm architecture, e_flags
ARM_V7 = 10  # Addenda to the ABI for the Arm architecture, Tag_CPU_arch
DF_1_PIE = 0x08000000
UPX_MAGIC = b"UPX!"
PF_X = 1
SECTION_EXECUTES, SECTION_WRITES = 0x20000000, 0x80000000  # PE format, Section flags
# Machine code shrinks to some half, text to less; what a packer leaves does not shrink.
PACKED_RATIO = 0.93
SAMPLE = 1 << 16
FEW_BYTES = 1 << 12
MACH_O_CPUS = {0x01000007: "x86_64", 0x0100000C: "aarch64", 7: "i686"}
PE_CPUS = {0x8664: "x86_64", 0xAA64: "aarch64", 0x014C: "i686"}

LARGEST_FILE = 512 * 1024 * 1024
# A program has some hundred; damaged tables claim any number.
MOST_SYMBOLS = 100_000
# A Mach-O header is a few KiB; macholib would otherwise follow a damaged one through the whole file.
LARGEST_MACH_O_HEADER = 1024 * 1024
# Java's class files share the magic of a universal Mach-O file. Their next word is a version of 45 or more, where a
# universal file counts its slices.
MOST_SLICES = 20


@dataclass(frozen=True)
class Executable:
    """State what a file's headers say of it."""

    format: str
    """`elf`, `mach-o` or `pe`."""
    system: str
    """`linux`, `darwin`, `windows`, or another system that the file names."""
    cpus: tuple[str, ...]
    """One for a thin file, one a slice for a universal file, in the file's order."""
    bits: int
    byte_order: str
    loader: str | None = None
    """The program interpreter that an ELF file asks for; None where it needs none."""
    libc: str | None = None
    """`glibc` or `musl`; None where no libc is linked dynamically."""
    needed: tuple[str, ...] = ()
    """The shared libraries that the loader must find, in the file's order."""
    symbol_versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Library -> the symbol versions needed of it, as in `{"libc.so.6": ("GLIBC_2.34",)}`."""
    run_path: tuple[str, ...] = ()
    imports: frozenset[str] = frozenset()
    """The symbols that an ELF file must find in libraries; a weak one may be missing."""
    packed: bool = False
    """Whether a packer (such as UPX) hides what the program inside needs."""
    macos_minimum: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """CPU -> the oldest macOS on which its slice starts."""
    macos_sdk: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """CPU -> the SDK that its slice was built with."""
    signed: Mapping[str, bool] = field(default_factory=dict)
    """CPU -> whether its slice carries a code signature, ad-hoc or not."""

    @property
    def static(self) -> bool:
        """Whether an ELF file needs neither a loader nor a library."""
        return self.format == "elf" and self.loader is None and not self.needed

    def highest(self, prefix: str) -> str | None:
        """Return the highest symbol version needed of a kind, as `GLIBC` -> `2.34`."""
        found = [
            version.removeprefix(f"{prefix}_")
            for versions in self.symbol_versions.values()
            for version in versions
            if re.fullmatch(rf"{prefix}_[0-9.]+", version)
        ]
        return max(found, key=lambda number: [int(part) for part in number.split(".") if part], default=None)


def read_executable(path: Path) -> Executable:
    """Read the headers of the executable at `path`.

    Raises BuildError for anything but a complete executable, and says what the file is instead.
    """
    return parse_executable(read_file(path), f"`{path}`")


def parse_executable(data: bytes, name: str, *, library: bool = False) -> Executable:
    """Read the headers of an executable's bytes; `name` stands for it in messages.

    With `library`, an ELF shared library is read instead. Raises BuildError for anything but a complete file of the
    wanted kind, and says what the bytes are instead.
    """
    other = _not_an_executable(data)
    if other is not None:
        raise BuildError(f"{name} is {other}, not an executable")
    parse: Callable[[bytes], Executable]
    if data.startswith(ELF_MAGIC):
        parse = _parse_elf_library if library else _parse_elf_program
    elif data.startswith(PE_MAGIC):
        parse = _parse_pe
    else:
        parse = _parse_mach_o
    try:
        return parse(data)
    except BuildError as error:
        raise BuildError(f"{name} {error.message}", hint=error.hint) from None
    except Exception as error:  # noqa: BLE001 - on damaged bytes the three parsers raise whatever comes up
        detail = str(error) or type(error).__name__
        raise BuildError(f"{name} is truncated or damaged: its headers cannot be read ({detail})") from None


def read_file(path: Path) -> bytes:
    """Return the bytes of the regular file at `path`; raises BuildError where that is none or too large."""
    if path.is_dir():
        raise BuildError(f"`{path}` is a directory, not an executable")
    if not path.exists():
        raise BuildError(f"`{path}` does not exist")
    if not path.is_file():
        raise BuildError(f"`{path}` is not a regular file")
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise BuildError(f"`{path}` has {size} bytes, more than the {LARGEST_FILE} that are read")
        return path.read_bytes()
    except OSError as error:
        raise BuildError(f"cannot read `{path}`: {error.strerror}") from None


def _not_an_executable(data: bytes) -> str | None:
    if not data:
        return "empty"
    if data.startswith(b"#!"):
        line = data[:80].splitlines()[0].decode("utf-8", "replace")
        return f"a script (`{line}`)"
    if data.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer (`git lfs pull` fetches the file itself)"
    if data.startswith(FAT_MAGIC) and len(data) >= 8 and struct.unpack(">I", data[4:8])[0] > MOST_SLICES:  # noqa: PLR2004 - magic and count
        return "a Java class file"
    if data.startswith((ELF_MAGIC, PE_MAGIC, *FAT_ENTRIES, *MACH_O_MAGICS)):
        return None
    return f"neither ELF, Mach-O nor PE (it starts with the bytes `{data[:4].hex(' ')}`)"


def _must_hold(data: bytes, end: int, what: str) -> None:
    """Fail where `what`, which ends at the offset `end`, is not wholly in the file."""
    if end > len(data):
        raise BuildError(f"is truncated: {what} ends at byte {end}, the file has {len(data)}")


def _parse_elf_program(data: bytes) -> Executable:
    return _parse_elf(data, _must_be_elf_program)


def _parse_elf_library(data: bytes) -> Executable:
    return _parse_elf(data, lambda kind, _loader, _tags: None if kind == "ET_DYN" else _refuse_elf(kind))


def _parse_elf(data: bytes, must_be_wanted: Callable[[object, str | None, list[Any]], None]) -> Executable:
    _must_hold(data, 64, "the ELF header")
    elf: Any = ELFFile(io.BytesIO(data))
    header = elf.header
    _must_hold(data, header.e_phoff + header.e_phentsize * header.e_phnum, "the program header table")
    _must_hold(data, header.e_shoff + header.e_shentsize * header.e_shnum, "the section header table")
    segments = list(elf.iter_segments())
    for number, segment in enumerate(segments):
        _must_hold(data, segment.header.p_offset + segment.header.p_filesz, f"segment {number}")
    dynamic = next((each for each in segments if isinstance(each, DynamicSegment)), None)
    loader = next((each.get_interp_name() for each in segments if each.header.p_type == "PT_INTERP"), None)
    tags: list[Any] = list(dynamic.iter_tags()) if dynamic is not None else []
    must_be_wanted(header.e_type, loader, tags)
    needed = tuple(tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED")
    paths = [tag for tag in tags if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH")]
    versions = _version_needs(elf, dynamic, tags) if dynamic is not None else {}
    byte_order = "little" if elf.little_endian else "big"
    end = header.e_phoff + header.e_phentsize * header.e_phnum
    return Executable(
        format="elf",
        system=_elf_system(header.e_ident.EI_OSABI),
        cpus=(_elf_cpu(elf, byte_order),),
        bits=elf.elfclass,
        byte_order=byte_order,
        loader=loader,
        libc=_elf_libc(loader, needed, versions),
        needed=needed,
        symbol_versions=versions,
        run_path=tuple(part for tag in paths for part in _run_path(tag).split(":")),
        imports=frozenset(_imports(dynamic)) if any(tag.entry.d_tag == "DT_SYMTAB" for tag in tags) else frozenset(),
        # UPX puts its own record behind the program headers; without it, by what it cannot hide.
        packed=UPX_MAGIC in data[end : end + 64] or (dynamic is None and _is_packed_elf(data, header, segments)),
    )


def _is_packed_elf(data: bytes, header: Any, segments: list[Any]) -> bool:
    """Tell a static program from a packed one: no sections, and code that does not shrink.

    With sections it is no packer's: those leave none. An asset beside the code may be compressed, as Go embeds them.
    """
    if header.e_shnum:
        return False
    code = [each.header for each in segments if each.header.p_type == "PT_LOAD" and each.header.p_flags & PF_X]
    return any(_is_compressed(data[part.p_offset : part.p_offset + part.p_filesz]) for part in code)


def _is_compressed(data: bytes) -> bool:
    """Tell whether three samples of some bytes all fail to shrink."""
    if len(data) < FEW_BYTES:
        return False
    samples = [data[len(data) * part // 4 :][:SAMPLE] for part in range(1, 4)]
    return all(len(zlib.compress(sample, 1)) > PACKED_RATIO * len(sample) for sample in samples)


def _imports(dynamic: Any) -> Iterator[str]:
    # pyelftools looks the symbol table up again for each symbol, which is nine tenths of the work.
    dynamic.get_table_offset = functools.cache(dynamic.get_table_offset)
    symbols = list(itertools.islice(dynamic.iter_symbols(), MOST_SYMBOLS + 1))
    if len(symbols) > MOST_SYMBOLS:
        raise BuildError(f"is damaged: it names more than {MOST_SYMBOLS} symbols")
    return (
        symbol.name
        for symbol in symbols
        if symbol.name and symbol.entry.st_shndx == "SHN_UNDEF" and symbol.entry.st_info.bind != "STB_WEAK"
    )


def _run_path(tag: Any) -> str:
    return str(tag.runpath if tag.entry.d_tag == "DT_RUNPATH" else tag.rpath)


def _must_be_elf_program(kind: object, loader: str | None, tags: list[Any]) -> None:
    """Tell a position-independent program from a shared library, which has the same type.

    A library may name a loader too (libc does), but only a program carries DF_1_PIE, or has a loader without a soname,
    or (packed) no dynamic segment at all.
    """
    if kind == "ET_EXEC":
        return
    if kind != "ET_DYN":
        _refuse_elf(kind)
    pie = any(tag.entry.d_tag == "DT_FLAGS_1" and tag.entry.d_val & DF_1_PIE for tag in tags)
    named = any(tag.entry.d_tag == "DT_SONAME" for tag in tags)
    if tags and not pie and (loader is None or named):
        raise BuildError("is a shared library, not a program")


def _refuse_elf(kind: object) -> NoReturn:
    raise BuildError(f"is an ELF file of the type `{kind}`, not of the wanted one")


def _elf_system(osabi: object) -> str:
    systems = {"ELFOSABI_SYSV": "linux", "ELFOSABI_LINUX": "linux"}
    return systems.get(str(osabi), str(osabi).removeprefix("ELFOSABI_").lower())


def _elf_cpu(elf: Any, byte_order: str) -> str:
    """Return the CPU, with its ABI where that decides on which systems the program runs."""
    machine = str(elf.header.e_machine)
    if machine == "EM_ARM":
        return _arm_cpu(elf)
    other = machine.removeprefix("EM_").lower()
    return ELF_CPUS.get((machine, elf.elfclass, byte_order), f"{other}-{elf.elfclass}-{byte_order}")


def _arm_cpu(elf: Any) -> str:
    """Tell 32-bit Arm with hardware floating point (armv7l, armv6l) from that without."""
    if not elf.header.e_flags & EF_ARM_ABI_FLOAT_HARD:
        return "armel"
    section = elf.get_section_by_name(".ARM.attributes")
    architectures = [
        int(attribute.value)
        for subsection in (section.iter_subsections() if section is not None else ())
        for subsubsection in subsection.iter_subsubsections()
        for attribute in subsubsection.iter_attributes("TAG_CPU_ARCH")
    ]
    return "armv6l" if architectures and max(architectures) < ARM_V7 else "armv7l"


def _elf_libc(loader: str | None, needed: tuple[str, ...], versions: Mapping[str, tuple[str, ...]]) -> str | None:
    if any(name.startswith(("libc.musl-", "ld-musl-")) for name in needed) or "/ld-musl-" in (loader or ""):
        return "musl"
    glibc = any(version.startswith("GLIBC_") for group in versions.values() for version in group)
    if glibc or any(name.startswith("libc.so.") for name in needed):
        return "glibc"
    return None


def _version_needs(elf: Any, dynamic: Any, tags: list[Any]) -> dict[str, tuple[str, ...]]:
    """Read the version needs through the dynamic segment, as the loader does: sections may be stripped."""
    count = next((tag.entry.d_val for tag in tags if tag.entry.d_tag == "DT_VERNEEDNUM"), 0)
    _, offset = dynamic.get_table_offset("DT_VERNEED")
    if offset is None:
        return {}
    strings = dynamic._get_stringtable()  # noqa: SLF001 - the only door to DT_STRTAB without sections
    versions: dict[str, tuple[str, ...]] = {}
    for need, position in _chain(elf, elf.structs.Elf_Verneed, offset, count, "vn_next"):
        entries = _chain(elf, elf.structs.Elf_Vernaux, position + need.vn_aux, need.vn_cnt, "vna_next")
        library = strings.get_string(need.vn_file)
        versions[library] = tuple(strings.get_string(entry.vna_name) for entry, _ in entries)
    return versions


def _chain(elf: Any, layout: Any, offset: int, count: int, link: str) -> Iterator[tuple[Any, int]]:
    """Follow a list of records, each of which says how far away the next one is."""
    for _ in range(count):
        elf.stream.seek(offset)
        entry = layout.parse_stream(elf.stream)
        yield entry, offset
        if not entry[link]:
            return
        offset += entry[link]


def _parse_mach_o(data: bytes) -> Executable:
    slices = _slices(data)
    headers = [_mach_o_header(data, offset, size) for offset, size in slices]
    cpus = tuple(_mach_o_cpu(header.header.cputype) for header in headers)
    if len(set(cpus)) != len(cpus):
        raise BuildError(f"has several slices for one CPU ({', '.join(cpus)})")
    byte_order, bits = MACH_O_MAGICS[data[slices[0][0] : slices[0][0] + 4]]
    systems = [_macos_versions(header) for header in headers]
    return Executable(
        format="mach-o",
        system="darwin",
        cpus=cpus,
        bits=bits,
        byte_order=byte_order,
        needed=tuple(dict.fromkeys(name for header in headers for name in _dylibs(header))),
        macos_minimum={cpu: found[0] for cpu, found in zip(cpus, systems, strict=True) if found is not None},
        macos_sdk={cpu: found[1] for cpu, found in zip(cpus, systems, strict=True) if found is not None},
        signed={
            cpu: any(load.cmd == mach_o.LC_CODE_SIGNATURE for load, _, _ in header.commands)
            for cpu, header in zip(cpus, headers, strict=True)
        },
    )


def _slices(data: bytes) -> list[tuple[int, int]]:
    """Return offset and size of each slice; of the whole file where it is thin."""
    entry = FAT_ENTRIES.get(data[:4])
    if entry is None:
        return [(0, len(data))]
    _must_hold(data, 8, "the header of a universal file")
    count, length = struct.unpack_from(">I", data, 4)[0], struct.calcsize(entry)
    if not 0 < count <= MOST_SLICES:
        raise BuildError(f"is a universal file with {count} slices")
    _must_hold(data, 8 + length * count, "the table of slices")
    slices = [struct.unpack_from(entry, data, 8 + length * number)[2:4] for number in range(count)]
    for offset, size in slices:
        _must_hold(data, offset + size, "a slice")
    return slices


def _mach_o_header(data: bytes, offset: int, size: int) -> Any:
    magic = data[offset : offset + 4]
    if magic not in MACH_O_MAGICS:
        raise BuildError("is damaged: a slice is not a Mach-O file")
    byte_order, bits = MACH_O_MAGICS[magic]
    endian = "<" if byte_order == "little" else ">"
    layout = mach_o.mach_header_64 if bits == 64 else mach_o.mach_header  # noqa: PLR2004 - 64 bits
    length = 32 if bits == 64 else 28  # noqa: PLR2004 - 64 bits
    _must_hold(data, offset + length, "the Mach-O header")
    commands = struct.unpack_from(f"{endian}I", data, offset + 20)[0]
    if commands > LARGEST_MACH_O_HEADER:
        raise BuildError("is damaged: its load commands do not fit a header")
    end = offset + length + commands
    _must_hold(data, min(end, offset + size + 1), "the load commands")
    # Only the header is handed over: macholib copies the bytes of every section it meets.
    view = io.BytesIO(data[:end])
    header = MachOHeader(None, view, offset, size, magic, layout, endian, allow_unknown_load_commands=True)
    if header.filetype != "execute":
        raise BuildError(f"is a Mach-O file of the type `{header.filetype}`, not a program")
    for _, command, _ in header.commands:
        if isinstance(command, mach_o.segment_command_64 | mach_o.segment_command):
            _must_hold(data, offset + command.fileoff + command.filesize, "a segment")
    return header


def _mach_o_cpu(number: int) -> str:
    return MACH_O_CPUS.get(number, f"cpu-{number:#x}")


def _dylibs(header: Any) -> Iterator[str]:
    for load, _, tail in header.commands:
        if load.cmd in (mach_o.LC_LOAD_DYLIB, mach_o.LC_LOAD_WEAK_DYLIB, mach_o.LC_REEXPORT_DYLIB):
            yield tail.rstrip(b"\0").decode("utf-8", "replace")


def _macos_versions(header: Any) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the oldest macOS and the SDK that a slice states; None where it states neither."""
    for load, command, _ in header.commands:
        if load.cmd == mach_o.LC_BUILD_VERSION:
            if command.platform != mach_o.PLATFORM_MACOS:
                raise BuildError(f"is for another system of Apple's than macOS (platform {command.platform})")
            return _unpack(command.minos), _unpack(command.sdk)
        if load.cmd == mach_o.LC_VERSION_MIN_MACOSX:
            return _unpack(command.version), _unpack(command.sdk)
    return None


def _unpack(version: Any) -> tuple[int, int]:
    """Return major and minor of a version packed as xxxx.yy.zz (mach-o/loader.h)."""
    return int(version) >> 16, int(version) >> 8 & 0xFF


def _parse_pe(data: bytes) -> Executable:
    _must_hold(data, 64, "the DOS header")
    # Not closed: there is no file behind it, and `close` runs the garbage collector, for 0.1 s.
    pe = pefile.PE(data=data, fast_load=True)
    # COFF header (20 bytes), optional header, section table (40 bytes a section)
    optional = pe.DOS_HEADER.e_lfanew + 4 + 20
    table = optional + pe.FILE_HEADER.SizeOfOptionalHeader
    _must_hold(data, table + 40 * pe.FILE_HEADER.NumberOfSections, "the section table")
    for section in pe.sections:
        name = section.Name.rstrip(b"\0").decode("ascii", "replace")
        _must_hold(data, section.PointerToRawData + section.SizeOfRawData, f"the section `{name}`")
    if pe.is_dll():
        raise BuildError("is a DLL, not a program")
    pe.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_IMPORT"]])
    imports = getattr(pe, "DIRECTORY_ENTRY_IMPORT", [])
    machine = pe.FILE_HEADER.Machine
    entry = pe.get_section_by_rva(pe.OPTIONAL_HEADER.AddressOfEntryPoint)
    return Executable(
        format="pe",
        system="windows",
        cpus=(PE_CPUS.get(machine, f"machine-{machine:#x}"),),
        bits=64 if pe.OPTIONAL_HEADER.Magic == pefile.OPTIONAL_HEADER_MAGIC_PE_PLUS else 32,
        byte_order="little",
        needed=tuple(each.dll.decode("ascii", "replace") for each in imports),
        packed=any(_is_packed_section(each, each is entry) for each in pe.sections),
    )


def _is_packed_section(section: Any, starts_here: bool) -> bool:  # noqa: FBT001 - one of two facts of a section
    """Tell a packer's section: the program starts in code that it writes itself, or the code does not shrink."""
    flags = section.Characteristics
    if not flags & SECTION_EXECUTES:
        return False
    return bool(starts_here and flags & SECTION_WRITES) or _is_compressed(section.get_data())

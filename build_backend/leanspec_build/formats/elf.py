"""ELF files, as the loader reads them: what the headers, the dynamic entries and the notes say.

Standards: the System V gABI; the psABI of each CPU. Sections are not looked at for what decides: a
program may be stripped of them.
"""

import itertools
from collections.abc import Mapping

from leanspec_build.errors import BuildError, NotAProgramError

from .arm import arm_cpu
from .elf_file import (
    CLASSES,
    DT_NEEDED,
    DT_STRTAB,
    ORDERS,
    PF_X,
    PT_DYNAMIC,
    PT_INTERP,
    PT_LOAD,
    ElfFile,
    Note,
)
from .elf_symbols import imports, version_needs
from .facts import Executable, FileFormat, SymbolVersions
from .go_build import build_settings, elf_data, newer_instructions
from .view import Bytes, View

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
# Who leaves a note of its name in each program; the header of most of them says `System V`.
NOTED_SYSTEMS = (b"NetBSD", b"OpenBSD", b"DragonFly", b"FreeBSD", b"Android")
FOREIGN_LOADERS = {
    "android": ("/system/bin/linker", "/system/bin/linker64"),
    "solaris": ("/usr/lib/ld.so.1", "/usr/lib/amd64/ld.so.1", "/lib/amd64/ld.so.1"),
    "netbsd": ("/libexec/ld.elf_so", "/usr/libexec/ld.elf_so"),
    "openbsd": ("/usr/libexec/ld.so",),
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
    # No installer names these.
    (8, 32, "<"): "mipsel",
    (8, 32, ">"): "mips",
    (8, 64, "<"): "mips64el",
    (8, 64, ">"): "mips64",
    (20, 32, ">"): "ppc",
    (43, 64, ">"): "sparc64",
}
DT_SONAME, DT_RPATH, DT_RUNPATH, DT_FLAGS_1 = 14, 15, 29, 0x6FFFFFFB
# Names of libraries that the loader runs before the program.
DT_DEPAUDIT, DT_AUDIT = 0x6FFFFEFB, 0x6FFFFEFC
DF_1_PIE = 0x08000000
NT_GNU_PROPERTY, X86_ISA_NEEDED = 5, 0xC0008002
LEVELS = {8: "x86-64-v4", 4: "x86-64-v3", 2: "x86-64-v2"}
UPX_MAGIC = b"UPX!"
SHT_STRTAB = 3
EM_PPC64, EF_PPC64_ABI = 21, 3
# The longest instruction has 15 bytes.
FIRST_CODE = 16


def parse(data: Bytes, *, library: bool) -> Executable:
    """Read a program, or a shared library; raises BuildError for another kind of file."""
    file = ElfFile(data)
    kind = KINDS.get(file.header.kind, str(file.header.kind))
    if kind == "ET_REL":
        raise NotAProgramError("is an object file, not a program")
    _must_have_code(file)
    _must_be_whole(file)
    loader = _loader(file)
    if kind != "ET_DYN" and (library or kind != "ET_EXEC"):
        raise NotAProgramError(
            f"is an ELF file of the type `{kind}`, not of the wanted one"
        )
    is_pie = bool((file.value(DT_FLAGS_1) or 0) & DF_1_PIE)
    if library and is_pie:
        raise NotAProgramError("is a program, not a shared library")
    if not library:
        if kind == "ET_DYN" and not is_pie:
            _must_not_be_library(file, loader)
        _must_start(file)
    packed = _is_packed(file)
    needed = tuple(file.name(value) for tag, value in file.entries if tag == DT_NEEDED)
    versions = version_needs(file)
    symbols = frozenset(imports(file))
    # A packer takes the dynamic segment away, and gives it to the loader itself.
    if not library and not packed:
        _must_be_linked(file, loader, needed, versions, symbols)
    notes = list(file.notes())
    settings = build_settings(data, elf_data(file))
    return Executable(
        format=FileFormat.ELF,
        system=_system(file, loader, notes, settings),
        cpus=(_cpu(file, settings),),
        bits=file.bits,
        byte_order={"<": "little", ">": "big"}[file.view.order],
        loader=loader,
        libc=_libc(loader, needed, versions),
        needed=needed,
        symbol_versions=versions,
        run_path=_listed(file, DT_RPATH, DT_RUNPATH),
        audit_libraries=_listed(file, DT_DEPAUDIT, DT_AUDIT),
        alignment=min(segment.alignment for segment in file.of_kind(PT_LOAD)),
        imports=symbols,
        packed=packed,
        instructions=_instructions(file, notes) or newer_instructions(settings),
    )


def header_cpus(data: Bytes) -> tuple[str, ...]:
    """Return the CPUs that the header of a damaged file may mean."""
    View(data).must_hold(20, "the ELF header")
    order = ORDERS.get(data[5], "<")
    (machine,) = View(data, order).unpack("H", 18, "the ELF header")
    # Which Arm it is, stands elsewhere.
    if machine == EM_ARM:
        return ("armv6l", "armv7l")
    return tuple(filter(None, [CPUS.get((machine, CLASSES.get(data[4], 0), order))]))


def _listed(file: ElfFile, *kinds: int) -> tuple[str, ...]:
    """Return the parts of dynamic entries that are lists with colons."""
    texts = [file.string(value) for tag, value in file.entries if tag in kinds]
    return tuple(part for text in texts for part in text.split(":"))


def _loader(file: ElfFile) -> str | None:
    for segment in file.of_kind(PT_INTERP):
        end = segment.offset + segment.size
        name = file.view.text(segment.offset, end, "the loader's name")
        if not name:
            raise BuildError("is damaged: the name of its loader is empty")
        return name
    return None


def _must_not_be_library(file: ElfFile, loader: str | None) -> None:
    """Tell a position-independent program from a shared library, which has the same type.

    A library may name a loader too (libc does), but only a program carries DF_1_PIE, or has a
    loader without a soname, or (packed) no dynamic segment at all.
    """
    is_named = file.value(DT_SONAME) is not None
    if file.entries and (loader is None or is_named):
        raise NotAProgramError("is a shared library, not a program")


def _system(
    file: ElfFile, loader: str | None, notes: list[Note], settings: Mapping[str, str]
) -> str:
    for note in notes:
        if note.name in NOTED_SYSTEMS:
            return note.name.decode().lower()
    go_system = settings.get("GOOS", "linux")
    if go_system != "linux":
        return go_system
    for system, loaders in FOREIGN_LOADERS.items():
        if loader in loaders:
            return system
    return SYSTEMS.get(file.osabi, f"osabi-{file.osabi}")


def _cpu(file: ElfFile, settings: Mapping[str, str]) -> str:
    """Return the CPU, with its ABI where that decides on which systems the program runs."""
    machine = file.header.machine
    if machine == EM_ARM:
        return arm_cpu(file, settings.get("GOARM"))
    cpu = CPUS.get((machine, file.bits, file.view.order))
    return cpu or f"{MACHINES.get(machine, f'machine{machine}')}_{file.bits}"


def _libc(
    loader: str | None, needed: tuple[str, ...], versions: SymbolVersions
) -> str | None:
    is_musl = any(name.startswith(("libc.musl-", "ld-musl-")) for name in needed)
    if is_musl or "/ld-musl-" in (loader or ""):
        return "musl"
    names = itertools.chain.from_iterable(versions.values())
    is_glibc = any(name.startswith("GLIBC_") for name in names)
    # Other systems have numbers of their own, as FreeBSD's `libc.so.7`.
    return "glibc" if is_glibc or "libc.so.6" in needed else None


def _instructions(file: ElfFile, notes: list[Note]) -> str | None:
    """Return the level of x86-64 that the program needs (x86-64 psABI, Program Property)."""
    needed = 0
    for note in notes:
        if (note.name, note.kind) == (b"GNU", NT_GNU_PROPERTY):
            size = 8 if file.bits == 64 else 4  # noqa: PLR2004 - the class
            needed |= _needed_levels(View(note.content, file.view.order), size)
    return next((level for bit, level in LEVELS.items() if needed & bit), None)


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


def _is_packed(file: ElfFile) -> bool:
    """Tell a packed program: by UPX's mark, or by code that does not shrink in a file without sections.

    A program with sections is no packer's: those leave none. Compressed data next to code, as Go
    embeds it, is no sign.
    """
    header = file.header
    end = header.segments_at + header.segment_size * header.segments
    # UPX puts its own record behind the program headers.
    if UPX_MAGIC in file.view.data[end : end + 64]:
        return True
    if header.sections or file.entries:
        return False
    places = ((segment.offset, segment.size) for segment in file.code)
    return any(file.view.is_compressed(*place) for place in places)


# Damage that the loader, or the user, would find later. It would make a promise larger: what is
# overwritten with zeros needs no library and no version of one any more.


def _must_have_code(file: ElfFile) -> None:
    """Raise NotAProgramError for debug information, which has the headers of its program and no code."""
    if file.code and not any(segment.size for segment in file.code):
        raise NotAProgramError("has no code: it is the debug information of a program")


def _must_be_whole(file: ElfFile) -> None:
    """Raise BuildError for a file whose tables were overwritten."""
    if not file.of_kind(PT_LOAD):
        raise BuildError("is damaged: it has nothing to load")
    if file.of_kind(PT_DYNAMIC) and file.value(DT_STRTAB) is None:
        raise BuildError("is damaged: its dynamic segment names no string table")
    sections = list(file.sections())
    names = file.header.names
    if 0 < names < len(sections) and sections[names][1] != SHT_STRTAB:
        raise BuildError("is damaged: its sections have no names")


def _must_be_linked(
    file: ElfFile,
    loader: str | None,
    needed: tuple[str, ...],
    versions: SymbolVersions,
    symbols: frozenset[str],
) -> None:
    """Raise BuildError for a program without a part of what its loader goes by."""
    if loader is None and needed:
        raise BuildError("is damaged: it needs libraries, and names no loader")
    if loader is not None and not file.of_kind(PT_DYNAMIC):
        raise BuildError("is damaged: it names a loader, and has no dynamic segment")
    for library in versions:
        if library not in needed:
            raise BuildError(
                f"is damaged: it needs versions of `{library}`, and does not load it"
            )
    if symbols and not needed:
        raise BuildError("is damaged: it needs symbols of libraries, and loads none")


def _must_start(file: ElfFile) -> None:
    """Raise BuildError unless a program has code where it starts."""
    entry = file.header.entry
    # A descriptor of the first function, which the loader fills in (64-bit PowerPC ELF ABI, version 1).
    is_descriptor = file.header.machine == EM_PPC64 and file.header.flags & EF_PPC64_ABI < 2  # noqa: PLR2004 - the version
    for segment in file.of_kind(PT_LOAD):
        place = entry - segment.address
        if not 0 <= place < segment.size:
            continue
        size = min(FIRST_CODE, segment.size - place)
        code = file.view.take(segment.offset + place, size, "its first code")
        if is_descriptor or (segment.flags & PF_X and any(code)):
            return
    raise BuildError(f"is damaged: there is no code at {entry:#x}, where it starts")

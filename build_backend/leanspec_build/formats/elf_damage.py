"""Damage of an ELF file that its loader, or its user, would find later: it would make a promise larger.

What is overwritten with zeros needs no library and no version of one any more.
"""

from leanspec_build.errors import BuildError, NotAProgramError

from .elf_file import DT_NEEDED, DT_STRTAB, PF_X, PT_DYNAMIC, PT_LOAD, ElfFile, Segment
from .elf_symbols import imports, version_needs

SHT_STRTAB = 3
EM_PPC64, EF_PPC64_ABI = 21, 3
# The longest instruction has 15 bytes.
FIRST_CODE = 16


def must_have_code(file: ElfFile) -> None:
    """Raise NotAProgramError for debug information, which has the headers of its program and no code."""
    code = [segment for segment in file.of_kind(PT_LOAD) if segment.flags & PF_X]
    if code and not any(segment.size for segment in code):
        raise NotAProgramError("has no code: it is the debug information of a program")


def must_be_whole(file: ElfFile) -> None:
    """Raise BuildError for a file whose tables were overwritten."""
    if not file.of_kind(PT_LOAD):
        raise BuildError("is damaged: it has nothing to load")
    if file.of_kind(PT_DYNAMIC) and file.value(DT_STRTAB) is None:
        raise BuildError("is damaged: its dynamic segment names no string table")
    sections = list(file.sections())
    names = file.header.names
    if 0 < names < len(sections) and sections[names][1] != SHT_STRTAB:
        raise BuildError("is damaged: its sections have no names")


def must_be_linked(file: ElfFile, loader: str | None) -> None:
    """Raise BuildError for a program without a part of what its loader goes by."""
    needed = {file.name(value) for tag, value in file.entries if tag == DT_NEEDED}
    if loader is None and needed:
        raise BuildError("is damaged: it needs libraries, and names no loader")
    if loader is not None and not file.of_kind(PT_DYNAMIC):
        raise BuildError("is damaged: it names a loader, and has no dynamic segment")
    for library in version_needs(file):
        if library not in needed:
            raise BuildError(
                f"is damaged: it needs versions of `{library}`, and does not load it"
            )
    if not needed and any(imports(file)):
        raise BuildError("is damaged: it needs symbols of libraries, and loads none")


def must_start(file: ElfFile) -> None:
    """Raise BuildError unless a program has code where it starts."""
    entry = file.header.entry
    # A descriptor of the first function, which the loader fills in (64-bit PowerPC ELF ABI, version 1).
    is_descriptor = file.header.machine == EM_PPC64 and file.header.flags & EF_PPC64_ABI < 2  # noqa: PLR2004 - the version
    for segment in file.of_kind(PT_LOAD):
        if not segment.address <= entry < segment.address + segment.size:
            continue
        if is_descriptor or (segment.flags & PF_X and _has_code(file, segment, entry)):
            return
    raise BuildError(f"is damaged: there is no code at {entry:#x}, where it starts")


def _has_code(file: ElfFile, segment: Segment, entry: int) -> bool:
    start = entry - segment.address
    size = min(FIRST_CODE, segment.size - start)
    return any(file.view.take(segment.offset + start, size, "its first code"))

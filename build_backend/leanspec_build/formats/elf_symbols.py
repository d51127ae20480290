"""The symbols that an ELF file needs of libraries: their names, and their versions (Linux Standard Base)."""

from collections.abc import Iterator

from leanspec_build.errors import BuildError

from .elf_file import DT_STRTAB, ElfFile

DT_HASH, DT_SYMTAB, DT_VERNEED, DT_VERNEEDNUM = 4, 6, 0x6FFFFFFE, 0x6FFFFFFF
DT_VERSYM, DT_VERDEF = 0x6FFFFFF0, 0x6FFFFFFC
# Without these bits of a symbol's version: 0 is a local symbol, 1 one without a version.
VERSION_BITS, NO_VERSION = 0x7FFF, 1
# Of the records of what is needed (`VER_NEED_CURRENT`).
VERSION_OF_NEEDS = 1
SHT_DYNSYM, STB_WEAK, SHN_UNDEF = 11, 2, 0
# A large program has some hundred versions and some hundred thousand symbols.
MOST_VERSIONS, MOST_SYMBOLS = 20_000, 1_000_000
MOST_IMPORTS, LONGEST_SYMBOL = 100_000, 256


def version_needs(file: ElfFile) -> dict[str, tuple[str, ...]]:
    """Return the versions needed, by library (Symbol Version Requirements)."""
    address, needs = file.value(DT_VERNEED), file.value(DT_VERNEEDNUM) or 0
    versions: dict[str, tuple[str, ...]] = {}
    if address is None:
        _must_have_no_versions(file)
        return versions
    offset, left = file.offset(address), MOST_VERSIONS
    if not needs:
        raise BuildError("is damaged: it does not say how many version needs it has")
    for number in range(needs):
        fields = file.view.unpack("HHIII", offset, "the version needs")
        version, count, name, first, following = fields
        if version != VERSION_OF_NEEDS:
            raise BuildError(f"is damaged: its version needs are of the kind {version}")
        left -= count + 1
        if left < 0:
            raise BuildError(
                f"is damaged: it needs more than {MOST_VERSIONS} symbol versions"
            )
        library = file.name(name)
        names = _versions(file, offset + first, count)
        versions[library] = (*versions.get(library, ()), *names)
        offset = _following(offset, following, needs - number)
    return versions


def _must_have_no_versions(file: ElfFile) -> None:
    """Raise BuildError for symbols with versions, in a file that neither needs nor defines any."""
    address, symbols = file.value(DT_VERSYM), file.value(DT_SYMTAB)
    if address is None or symbols is None or file.value(DT_VERDEF) is not None:
        return
    count = _symbols(file, file.offset(symbols), file.value(DT_STRTAB) or 0)
    table = file.view.table("H", file.offset(address), count, "the versions of symbols")
    for (version,) in table:
        if version & VERSION_BITS > NO_VERSION:
            raise BuildError("is damaged: its symbols have versions that it does not name")


def imports(file: ElfFile) -> Iterator[str]:
    """Yield the undefined symbols that are not weak. Longer names than any policy speaks of are left out."""
    address, names = file.value(DT_SYMTAB), file.value(DT_STRTAB)
    if address is None or names is None:
        return
    offset, strings = file.offset(address), file.offset(names)
    count, size = 0, _symbols(file, offset, names)
    for fields in file.view.table(file.layout.symbol, offset, size, "the symbols"):
        if file.bits == 64:  # noqa: PLR2004 - the class
            name, info, _, section, _, _ = fields
        else:
            name, _, _, info, _, section = fields
        if section != SHN_UNDEF or info >> 4 == STB_WEAK or not name:
            continue
        start = strings + name
        end = file.view.data.find(b"\0", start, start + LONGEST_SYMBOL)
        if end > start:
            count += 1
            if count > MOST_IMPORTS:
                raise BuildError(f"is damaged: it imports more than {MOST_IMPORTS} symbols")
            yield file.view.data[start:end].decode("utf-8", "replace")


def _versions(file: ElfFile, offset: int, count: int) -> Iterator[str]:
    for number in range(count):
        _, _, _, name, following = file.view.unpack("IHHII", offset, "the version needs")
        yield file.name(name)
        offset = _following(offset, following, count - number)


def _following(offset: int, distance: int, left: int) -> int:
    """Return where the next of the records is that are left, this one among them."""
    if left > 1 and not distance:
        raise BuildError("is damaged: its version needs end early")
    if left == 1 and distance:
        raise BuildError("is damaged: it has more version needs than it says")
    return offset + distance


def _symbols(file: ElfFile, offset: int, names: int) -> int:
    """Return how many dynamic symbols there are: by the section, the old hash table, or the gap to the names."""
    size, table = file.view.size_of(file.layout.symbol), file.value(DT_HASH)
    sections = (fields for fields in file.sections() if fields[1] == SHT_DYNSYM)
    by_section = next((fields for fields in sections if fields[4] == offset), None)
    count: int
    if by_section is not None:
        count = by_section[5] // size
    elif table is not None:
        count = file.view.unpack("II", file.offset(table), "the hash table")[1]
    else:
        count = max(names - (file.value(DT_SYMTAB) or 0), 0) // size
    if count > MOST_SYMBOLS:
        raise BuildError(
            f"has more than {MOST_SYMBOLS} dynamic symbols, which no program has"
        )
    return count

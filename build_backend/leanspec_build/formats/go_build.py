"""What Go writes into a program about its build: modules, and settings such as `GOARM=7`.

Format: `debug/buildinfo` of Go's own library, since Go 1.18; older ones state no settings.
"""

from collections.abc import Iterable, Iterator, Mapping

from .elf_file import PT_LOAD, ElfFile
from .view import Bytes, Range, unsigned_number

MAGIC = b"\xff Go buildinf:"
HEADER_SIZE, ALIGNMENT = 32, 16
# What Go builds for if nothing else is said, which each machine of the CPU has.
BASELINES = {
    "GOAMD64": "v1",
    "GOARM64": "v8.0",
    "GOPPC64": "power8",
    "GORISCV64": "rva20u64",
}
# The flag of a header that its texts follow.
IS_INLINE = 2
# Marks around the list of modules and settings.
SENTINEL_SIZE = 16
PF_W = 2
LARGEST_TEXT = 1 << 20


def build_settings(data: Bytes, ranges: Iterable[Range]) -> dict[str, str]:
    """Return the settings by their names; none if these parts of a file have no such list."""
    settings = {}
    for kind, *fields in information(data, ranges):
        if kind == "build":
            name, _, value = fields[0].partition("=")
            settings[name] = value
    return settings


def newer_instructions(settings: Mapping[str, str]) -> str | None:
    """Return the setting of a Go program that makes it need a newer CPU, as `GOAMD64=v3`."""
    for name, baseline in BASELINES.items():
        if settings.get(name, baseline) != baseline:
            return f"{name}={settings[name]}"
    return None


def elf_data(file: ElfFile) -> Iterator[Range]:
    """Yield where the data of an ELF file are, among which Go's list is."""
    for segment in file.of_kind(PT_LOAD):
        if segment.flags & PF_W:
            yield segment.offset, segment.offset + segment.size


def information(data: Bytes, ranges: Iterable[Range]) -> list[list[str]]:
    """Return the fields of each line of Go's list, which begins in one of some parts of a file; none without a list.

    The first line is the version of Go, as in `go version -m`.
    """
    for start, end in ranges:
        place = _header(data, start, end)
        if place is None:
            continue
        if not data[place + 15] & IS_INLINE:
            return []
        version, place = _text(data, place + HEADER_SIZE, end)
        marked, _ = _text(data, place, end)
        text = marked[SENTINEL_SIZE:-SENTINEL_SIZE].decode("utf-8", "replace")
        lines = [line.split("\t") for line in text.splitlines() if "\t" in line]
        return [["go", version.decode("utf-8", "replace")], *lines]
    return []


def _text(data: Bytes, place: int, end: int) -> tuple[bytes, int]:
    """Return a text behind its size, and where it ends."""
    size, start = unsigned_number(data, place, end)
    stop = min(start + min(size, LARGEST_TEXT), end)
    return data[start:stop], stop


def _header(data: Bytes, start: int, end: int) -> int | None:
    """Return where the list's header is; None if there is none."""
    place = start
    while 0 <= (place := data.find(MAGIC, place, end)) <= end - HEADER_SIZE:
        # Elsewhere it is a text, as in programs that read such lists.
        if (place - start) % ALIGNMENT == 0:
            return place
        place += 1
    return None

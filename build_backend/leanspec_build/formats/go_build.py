"""Settings of the build that Go writes into a program, such as `GOARM=7`.

Format: `debug/buildinfo` of Go's own library, since Go 1.18; older ones state no settings.
"""

from __future__ import annotations

from .elf_file import PT_LOAD, ElfFile
from .view import unsigned_number

MAGIC = b"\xff Go buildinf:"
HEADER_SIZE, ALIGNMENT = 32, 16
# The flag of a header that its texts follow.
IS_INLINE = 2
# Marks around the list of modules and settings.
SENTINEL_SIZE = 16
PF_W = 2
LARGEST_TEXT = 1 << 20


def build_settings(file: ElfFile) -> dict[str, str]:
    """Return the settings by their names; none if the file has no such list."""
    data = file.view.data
    place, end = _information(file)
    if place == end or not data[place + 15] & IS_INLINE:
        return {}
    # The first text is the version of Go.
    size, place = unsigned_number(data, place + HEADER_SIZE, end)
    size, place = unsigned_number(data, place + size, end)
    size = min(size, LARGEST_TEXT, end - place)
    text = data[place + SENTINEL_SIZE : place + max(size - SENTINEL_SIZE, 0)]
    settings = {}
    for line in text.decode("utf-8", "replace").splitlines():
        kind, _, setting = line.partition("\t")
        if kind == "build":
            name, _, value = setting.partition("=")
            settings[name] = value
    return settings


def _information(file: ElfFile) -> tuple[int, int]:
    """Return where the list's header is, and the end of its segment; the same if there is none."""
    for segment in file.of_kind(PT_LOAD):
        end = segment.offset + segment.size
        place = segment.offset if segment.flags & PF_W else end
        while 0 <= (place := file.view.data.find(MAGIC, place, end)) <= end - HEADER_SIZE:
            # Elsewhere it is a text, as in programs that read such lists.
            if (place - segment.offset) % ALIGNMENT == 0:
                return place, end
            place += 1
    return 0, 0

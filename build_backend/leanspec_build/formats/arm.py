"""CPU and ABI of a 32-bit Arm ELF file, which decide on which systems it runs.

Standards: ELF for the Arm architecture; Addenda to the ABI for the Arm architecture, Build attributes.
"""

from __future__ import annotations

from collections.abc import Iterator

from .elf_file import PT_DYNAMIC, PT_INTERP, ElfFile
from .view import View

EF_ARM_ABI_FLOAT_HARD = 0x400  # e_flags
ARM_V7 = 10  # Tag_CPU_arch
SHT_ARM_ATTRIBUTES = 0x70000003
LARGEST_ATTRIBUTES = 1 << 16


def arm_cpu(file: ElfFile) -> str:
    """Tell 32-bit Arm with hardware floating point (armv7l, armv6l) from that without."""
    version = _arm_version(file)
    if file.view.order == ">":
        return "armeb"
    hard = file.header.flags & EF_ARM_ABI_FLOAT_HARD
    # A static program calls no library: how others pass floating point does not concern it.
    static = not file.of_kind(PT_INTERP, PT_DYNAMIC)
    if not hard and not static:
        return "armel"
    if version is None:
        return "armv7l" if hard else "armel"
    return "armv7l" if version >= ARM_V7 else "armv6l"


def _arm_version(file: ElfFile) -> int | None:
    for section in file.sections():
        if section[1] == SHT_ARM_ATTRIBUTES:
            size = min(section[5], LARGEST_ATTRIBUTES)
            return _arm_architecture(
                file.view.take(section[4], size, "the Arm attributes"), file.view.order
            )
    return None


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

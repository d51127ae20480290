"""CPU and ABI of a 32-bit Arm ELF file, which decide on which systems it runs.

Standards: ELF for the Arm architecture; Addenda to the ABI for the Arm architecture, Build attributes.
"""

from collections.abc import Iterator

from .elf_file import DT_NEEDED, PT_INTERP, ElfFile
from .view import PIECE, View, unsigned_number

# e_flags: the version of the ABI, and how it passes floating point; before version 5 the latter said something else.
EF_ARM_ABI, EF_ARM_ABI_FLOAT_HARD = 0xFF000000, 0x05000400
# The CPU of a program that does not say which Arm it needs.
UNKNOWN = "arm"
# Older ones first: each runs what is for those before it.
CPUS = ("armv5", "armv6l", "armv7l", "armv8")
# Tag_CPU_arch -> CPU. What is missing is older, or newer.
ARCHITECTURES = {6: "armv6l", 7: "armv6l", 8: "armv7l", 9: "armv6l", 10: "armv7l"}
GO_CPUS = {"5": "armv5", "6": "armv6l", "7": "armv7l"}
SHT_ARM_ATTRIBUTES = 0x70000003
LARGEST_ATTRIBUTES = 1 << 16
# The last two bytes of `movw` and `movt`, which ARMv7 loads numbers with and ARMv6 lacks: in code of 4 bytes, and
# in Thumb's first 2. Of the code of real programs they are 0.1 to 5 %, and 0.02 % in those for ARMv6, by chance.
NEWER_CODE = (
    (4, {*range(0x10), *range(0x40, 0x50)}, {0xE3}),
    (2, {*range(0x40, 0x50), *range(0xC0, 0xD0)}, {0xF2, 0xF6}),
)
NEWER_PER_WORD = 1 / 1024


def arm_cpu(file: ElfFile, go_version: str | None) -> str:
    """Return the kind of 32-bit Arm: `armv7l` and `armv6l`, or one that no tag is for.

    `go_version` is the `GOARM` of a Go program, as `7` or `7,softfloat`.
    """
    if file.view.order == ">":
        return "armeb"
    hard = file.header.flags & (EF_ARM_ABI | EF_ARM_ABI_FLOAT_HARD) == EF_ARM_ABI_FLOAT_HARD
    # A static program calls no library: how others pass floating point does not concern it.
    static = not file.of_kind(PT_INTERP) and file.value(DT_NEEDED) is None
    if not hard and not static:
        return "armel"
    statements = [_attributed_cpu(file), GO_CPUS.get((go_version or "").partition(",")[0])]
    # A Go program with C code states both, and needs the newer one.
    cpus = [cpu for cpu in statements if cpu is not None]
    cpu = max(cpus, key=CPUS.index, default=UNKNOWN)
    # A linker that does not merge attributes (LLD) leaves those of its first file, which only starts the program.
    return "armv7l" if cpu == "armv6l" and _is_newer_code(file) else cpu


def _is_newer_code(file: ElfFile) -> bool:
    """Tell whether the code is for ARMv7, whatever the attributes say."""
    words = newer = 0
    for segment in file.code:
        end = segment.offset + segment.size
        for start in range(segment.offset, end, PIECE):
            code = file.view.data[start : min(start + PIECE, end) & ~3]
            words += len(code) // 4
            newer += sum(_count(code, *kind) for kind in NEWER_CODE)
    return newer > words * NEWER_PER_WORD


def _count(code: bytes, step: int, lower: set[int], upper: set[int]) -> int:
    """Return how many instructions of `step` bytes end with a byte of each set."""
    marks = [
        int.from_bytes(
            code[place::step].translate(bytes(byte in part for byte in range(256)))
        )
        for place, part in ((step - 2, lower), (step - 1, upper))
    ]
    # Two numbers of thousands of digits are compared faster than as many bytes.
    return (marks[0] & marks[1]).bit_count()


def _attributed_cpu(file: ElfFile) -> str | None:
    for section in file.sections():
        if section[1] == SHT_ARM_ATTRIBUTES:
            size = min(section[5], LARGEST_ATTRIBUTES)
            data = file.view.take(section[4], size, "the Arm attributes")
            version = _arm_architecture(data, file.view.order)
            if version is None:
                return None
            other = CPUS[0] if version < min(ARCHITECTURES) else CPUS[-1]
            return ARCHITECTURES.get(version, other)
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
        tag, place = unsigned_number(data, place, end)
        has_number = tag not in (4, 5, 65, 67) and (tag <= 32 or tag % 2 == 0)  # noqa: PLR2004 - the standard's rule
        if has_number or tag == 32:  # noqa: PLR2004 - a number and a text
            value, place = unsigned_number(data, place, end)
            yield tag, value
        if not has_number or tag == 32:  # noqa: PLR2004
            place = data.find(b"\0", place, end) + 1 or end

"""Mach-O files, thin and universal: load commands of each slice (mach-o/loader.h, mach-o/fat.h)."""

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from leanspec_build.errors import BuildError, NoTagError, NotAProgramError

from . import signatures
from .facts import Executable, FileFormat, Signature, Version
from .go_build import build_settings, newer_instructions
from .view import Bytes, Range, View

# magic -> byte order, bits
MAGICS = {
    b"\xce\xfa\xed\xfe": ("<", 32),
    b"\xcf\xfa\xed\xfe": ("<", 64),
    b"\xfe\xed\xfa\xce": (">", 32),
    b"\xfe\xed\xfa\xcf": (">", 64),
}
FAT_MAGIC = b"\xca\xfe\xba\xbe"
FAT_MAGIC_64 = b"\xca\xfe\xba\xbf"
# magic -> one slice's entry: CPU, subtype, offset, size, alignment
FAT_ENTRIES = {FAT_MAGIC: "5I", FAT_MAGIC_64: "2I2Q2I"}
# Java's class files share the magic of a universal file. Their next word is a version of 45 or
# more, where a universal file counts its slices.
MOST_SLICES = 20
# A header is a few KiB.
LARGEST_HEADER = 1 << 16

CPUS = {0x01000007: "x86_64", 0x0100000C: "aarch64", 7: "i686"}
# A slice of these runs on some machines of its CPU alone: (CPU, subtype) -> name
SUBTYPES = {(0x01000007, 8): "x86_64h", (0x0100000C, 2): "arm64e"}
# Such a slice -> the one for all machines of its CPU.
NEWER = {"x86_64h": "x86_64"}
SUBTYPE = 0x00FFFFFF  # without the bits that state capabilities
KINDS = {
    1: "object",
    2: "execute",
    4: "core",
    6: "dylib",
    7: "dylinker",
    8: "bundle",
    10: "dSYM",
    11: "kext",
}
PROGRAM, LIBRARY = "execute", "dylib"

LC_CODE_SIGNATURE = 0x1D
SEGMENT_64 = 0x19
# A section in it: its name, that of its segment, address, size, offset, and seven words more.
SECTION = "16s16s2Q8I"
# LC_SEGMENT and LC_SEGMENT_64 -> form and place of the offset and size of what they load.
SEGMENTS = {0x1: ("2I", 32), 0x19: ("2Q", 40)}
# The section of what Go says about a build.
GO_BUILD = b"__go_buildinfo"
LC_RPATH = 0x8000001C
# LC_LOAD_DYLIB, and those that are weak, exported again, lazy or upward.
DYLIBS = (0xC, 0x80000018, 0x8000001F, 0x20, 0x80000023)
LC_UNIXTHREAD, LC_MAIN = 0x5, 0x80000028
LC_ENCRYPTION_INFO, LC_ENCRYPTION_INFO_64 = 0x21, 0x2C
# The longest instruction has 15 bytes.
FIRST_CODE = 16
LC_VERSION_MIN_MACOSX, LC_BUILD_VERSION, MACOS = 0x24, 0x32, 1
OTHER_SYSTEMS = {0x25: "iOS", 0x2F: "tvOS", 0x30: "watchOS"}


@dataclass
class Slice:
    """What the load commands of one slice say."""

    cpu: str
    order: str
    bits: int
    has_entry: bool = False
    needed: list[str] = field(default_factory=list)
    run_path: list[str] = field(default_factory=list)
    minimum: Version | None = None
    sdk: Version | None = None
    signature: Signature = Signature.NONE

    def take_over(self, other: "Slice") -> None:
        """Add what a slice for newer machines of the same CPU needs."""
        self.needed += other.needed
        self.run_path += other.run_path
        if self.minimum and other.minimum:
            self.minimum = max(self.minimum, other.minimum)
        if other.signature is Signature.BROKEN:
            self.signature = other.signature


def parse_program(data: Bytes, *, library: bool = False) -> Executable:
    """Read a program, or a library; raises BuildError for another kind of file."""
    if data[:4] == FAT_MAGIC_64 and not library:
        # The kernel's own reader knows FAT_MAGIC alone (xnu, `exec_fat_imgact`).
        raise BuildError(
            "is a universal file with 64-bit offsets, which macOS starts as no program",
            hint="join its slices by `lipo -create` without `-fat64`",
        )
    file_type = LIBRARY if library else PROGRAM
    places = _places(data)
    slices = [_slice(data, offset, size, file_type) for offset, size in places]
    cpus = tuple(part.cpu for part in slices)
    if len(set(cpus)) != len(cpus):
        raise BuildError(f"has several slices for one CPU ({', '.join(cpus)})")
    # Newer machines start the slice for them, and others the common one: what both need is needed.
    for newer in slices:
        common = next((part for part in slices if part.cpu == NEWER.get(newer.cpu)), None)
        if common is not None:
            common.take_over(newer)
            cpus = tuple(cpu for cpu in cpus if cpu != newer.cpu)
    pairs = [pair for pair in zip(slices, places, strict=True) if pair[0].cpu in cpus]
    slices = [part for part, _ in pairs]
    return Executable(
        format=FileFormat.MACH_O,
        system="darwin",
        cpus=cpus,
        bits=slices[0].bits,
        byte_order={"<": "little", ">": "big"}[slices[0].order],
        needed=tuple(dict.fromkeys(name for part in slices for name in part.needed)),
        run_path=tuple(dict.fromkeys(path for part in slices for path in part.run_path)),
        macos_minimum={part.cpu: part.minimum for part in slices if part.minimum},
        macos_sdk={part.cpu: part.sdk for part in slices if part.sdk},
        signatures={part.cpu: part.signature for part in slices},
        instructions=_instructions(data, [place for _, place in pairs]),
    )


def _instructions(data: Bytes, places: list[tuple[int, int]]) -> str | None:
    """Return what the first slice of Go's needs that says so, of those at places, an offset and a size each."""
    # An unusual slice has no list that is read.
    with contextlib.suppress(BuildError):
        for place in section_places(data, GO_BUILD, places):
            needed = newer_instructions(build_settings(data, [place]))
            if needed is not None:
                return needed
    return None


def header_cpus(data: Bytes) -> tuple[str, ...]:
    """Return the CPUs that the header of a damaged file names."""
    entry = FAT_ENTRIES.get(data[:4])
    if entry is None:
        order, _ = MAGICS[data[:4]]
        return (_cpu(*View(data, order).unpack("2I", 4, "the Mach-O header")),)
    view = View(data, ">")
    (count,) = view.unpack("I", 4, "the header of a universal file")
    table = view.table(entry, 8, min(count, MOST_SLICES), "the table of slices")
    return tuple(_cpu(*fields[:2]) for fields in table)


def _places(data: Bytes) -> list[tuple[int, int]]:
    """Return offset and size of each slice; of the whole file where it is thin."""
    entry = FAT_ENTRIES.get(data[:4])
    if entry is None:
        return [(0, len(data))]
    view = View(data, ">")
    (count,) = view.unpack("I", 4, "the header of a universal file")
    if not 0 < count <= MOST_SLICES:
        raise BuildError(f"is a universal file with {count} slices")
    table = list(view.table(entry, 8, count, "the table of slices"))
    places = [fields[2:4] for fields in table]
    end = 0
    for offset, size in sorted(places):
        view.must_hold(offset + size, "a slice")
        # Each byte is then looked at once, however many slices there are.
        if offset < end:
            raise BuildError("is damaged: its slices overlap")
        end = offset + size
    for cpu, subtype, offset, *_ in table:
        _must_be_for(data, offset, _cpu(cpu, subtype))
    return places


def _must_be_for(data: Bytes, offset: int, expected: str) -> None:
    """Raise BuildError if a slice is not for the CPU that the table states: the system goes by the table."""
    order, _ = MAGICS.get(data[offset : offset + 4], ("<", 64))
    actual = _cpu(*View(data, order, offset).unpack("2I", 4, "the Mach-O header"))
    if actual != expected:
        raise BuildError(
            f"is damaged: its table calls a slice {expected}, which is {actual}"
        )


def _slice(data: Bytes, offset: int, size: int, file_type: str) -> Slice:
    magic = data[offset : offset + 4]
    if magic not in MAGICS:
        raise BuildError("is damaged: a slice is not a Mach-O file")
    order, bits = MAGICS[magic]
    view = View(data, order, offset, size)
    _, cpu, subtype, kind, count, length, _ = view.unpack("7I", 0, "the Mach-O header")
    if KINDS.get(kind) != file_type:
        expected = "program" if file_type == PROGRAM else "library"
        raise NotAProgramError(
            f"is a Mach-O file of the type `{KINDS.get(kind, kind)}`, not a {expected}"
        )
    if length > LARGEST_HEADER:
        raise BuildError("is damaged: its load commands do not fit a header")
    start = 32 if bits == 64 else 28  # noqa: PLR2004 - the 64-bit header has one word more
    view.must_hold(start + length, "the load commands")
    result = Slice(_cpu(cpu, subtype), order, bits)
    for command, part in _commands(view, start, count, length):
        if command in OTHER_SYSTEMS:
            raise NoTagError(
                f"is for another system of Apple's than macOS ({OTHER_SYSTEMS[command]})"
            )
        _take(result, part, command, view)
    if not result.has_entry and file_type == PROGRAM:
        raise BuildError(f"is damaged: its {result.cpu} code starts nowhere")
    return result


def _commands(
    view: View, start: int, count: int, length: int
) -> Iterator[tuple[int, View]]:
    """Yield the kind and the content of each load command."""
    place = start
    for _ in range(count):
        command, step = view.unpack("2I", place, "a load command")
        if step < 8 or place + step > start + length:  # noqa: PLR2004 - its own two words
            raise BuildError("is damaged: a load command ends outside of the header")
        yield command, View(view.data, view.order, view.start + place, step)
        place += step


def section_places(
    data: Bytes, name: bytes, places: list[tuple[int, int]] | None = None
) -> Iterator[Range]:
    """Yield where in the file a section of a 64-bit program begins and ends, per slice that has it.

    `places` are the offsets and sizes of the slices, if not of all.
    """
    for offset, size in places or _places(data):
        view = View(data, "<", offset, size)
        fields = view.unpack("7I", 0, "the Mach-O header")
        for kind, command in _commands(view, 32, fields[4], fields[5]):
            if kind != SEGMENT_64:
                continue
            (count,) = command.unpack("I", 64, "a segment")
            for header in command.table(SECTION, 72, count, "the sections"):
                if header[0].rstrip(b"\0") == name:
                    view.must_hold(header[4] + header[3], "a section")
                    yield offset + header[4], offset + header[4] + header[3]


def _cpu(number: int, subtype: int) -> str:
    special = SUBTYPES.get((number, subtype & SUBTYPE))
    return special or CPUS.get(number, f"cpu-{number:#x}")


def _take(result: Slice, command: View, kind: int, whole: View) -> None:
    """Add what one load command says."""
    if kind in DYLIBS:
        result.needed.append(_text(command))
    elif kind == LC_RPATH:
        result.run_path.append(_text(command))
    elif kind in (LC_UNIXTHREAD, LC_MAIN):
        result.has_entry = kind == LC_UNIXTHREAD or _has_code(command, whole)
    elif kind in (LC_ENCRYPTION_INFO, LC_ENCRYPTION_INFO_64):
        _must_be_readable(command)
    elif kind == LC_CODE_SIGNATURE:
        start, size = command.unpack("2I", 8, "the code signature")
        whole.must_hold(start + size, "the code signature")
        result.signature = signatures.of_mach_o(whole, start, size)
    elif kind in SEGMENTS:
        layout, offset = SEGMENTS[kind]
        start, size = command.unpack(layout, offset, "a segment")
        whole.must_hold(start + size, "a segment")
    elif kind == LC_BUILD_VERSION:
        system, minimum, sdk = command.unpack("3I", 8, "the system's version")
        if system != MACOS:
            raise NoTagError(
                f"is for another system of Apple's than macOS (platform {system})"
            )
        result.minimum, result.sdk = _version(minimum), _version(sdk)
    elif kind == LC_VERSION_MIN_MACOSX and result.minimum is None:
        minimum, sdk = command.unpack("2I", 8, "the system's version")
        result.minimum, result.sdk = _version(minimum), _version(sdk)


def _has_code(command: View, whole: View) -> bool:
    (entry,) = command.unpack("Q", 8, "the entry")
    size = min(FIRST_CODE, whole.size - entry)
    return any(whole.take(entry, size, "the first code"))


def _must_be_readable(command: View) -> None:
    _, _, key = command.unpack("3I", 8, "the encryption")
    if key:
        raise BuildError(
            "is encrypted: it starts on the Mac alone that it was bought for",
            hint="package the program as the compiler left it",
        )


def _text(command: View) -> str:
    (place,) = command.unpack("I", 8, "a name")
    data = command.take(place, max(command.size - place, 0), "a name")
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def _version(packed: int) -> Version:
    """Return major and minor of a version packed as xxxx.yy.zz."""
    return packed >> 16, packed >> 8 & 0xFF


def is_java(data: Bytes) -> bool:
    """Tell a Java class file from a universal one."""
    if data[:4] != FAT_MAGIC or len(data) < 8:  # noqa: PLR2004 - the magic and the next word
        return False
    return bool(struct.unpack(">I", data[4:8])[0] > MOST_SLICES)

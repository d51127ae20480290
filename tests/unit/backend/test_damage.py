"""Damaged programs: each is refused, where its headers alone would promise it to more systems than before."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from leanspec_build.errors import BuildError, NotAProgramError
from leanspec_build.formats.executable import parse_executable
from leanspec_build.formats.mach_o import LARGEST_HEADER

from tests.support import headers
from tests.support.preconditions import needs

ENTRY = 24  # of the ELF header
PPC64 = 21
ENTRY_OF_PE, NET_OF_PE = 64 + 24 + 16, 64 + 24 + 112 + 8 * 14
VERSIONS = {"libc.so.6": ["GLIBC_2.17", "GLIBC_2.2.5"], "libm.so.6": ["GLIBC_2.29"]}


def patched(data: bytes, place: int, layout: str, *values: int) -> bytes:
    """Return a file with other numbers at a place."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, place, *values)
    return bytes(changed)


def must_be_damaged(data: bytes, words: str) -> None:
    with pytest.raises(BuildError) as error:
        parse_executable(data, "it")
    assert f"it is damaged: {words}" in error.value.message


def test_a_program_of_zeros_behind_its_header_is_damaged() -> None:
    data = headers.elf()
    must_be_damaged(data[:64] + bytes(len(data) - 64), "it has nothing to load")
    outside = patched(data, ENTRY, "<Q", len(data))
    must_be_damaged(outside, f"there is no code at {len(data):#x}, where it starts")
    read_only = patched(data, 64 + 4, "<I", 4)
    must_be_damaged(read_only, "there is no code at 0x0, where it starts")
    zeros = patched(headers.elf(code=bytes(64)), ENTRY, "<Q", len(data) + 8)
    must_be_damaged(zeros, "there is no code at")


def test_a_descriptor_of_powerpc_is_data() -> None:
    """The loader fills it in, and jumps where it points (64-bit PowerPC ELF ABI, version 1)."""
    data = patched(headers.elf("s390x", loader="/lib64/ld64.so.1"), 18, ">H", PPC64)
    assert parse_executable(patched(data, 64 + 4, ">I", 6), "it").cpus == ("ppc64",)
    second = patched(data, 48, ">I", 2)
    must_be_damaged(patched(second, 64 + 4, ">I", 6), "there is no code at 0x0")


def test_a_library_that_is_a_program_is_told_apart() -> None:
    data = headers.elf()
    place = data.index(struct.pack("<QQ", headers.DT_NEEDED, 1))
    pie = patched(data, place, "<QQ", headers.DT_FLAGS_1, 0x08000000)
    with pytest.raises(NotAProgramError, match="is a program, not a shared library"):
        parse_executable(pie, "it", library=True)


def test_a_program_without_its_dynamic_entries_is_damaged() -> None:
    data = headers.elf(versions=VERSIONS)
    place = data.index(struct.pack("<QQ", headers.DT_NEEDED, 1))
    zeros = data[:place] + bytes(len(data) - place)
    must_be_damaged(zeros, "its dynamic segment names no string table")


def test_version_needs_that_are_not_whole_are_damage() -> None:
    data = headers.elf(versions=VERSIONS)
    first = data.index(struct.pack("<HH", 1, 2))
    words = "its version needs are of the kind 0"
    must_be_damaged(patched(data, first, "<H", 0), words)
    words = "its version needs end early"
    must_be_damaged(patched(data, first + 12, "<I", 0), words)
    must_be_damaged(patched(data, first + 16 + 12, "<I", 0), words)
    words = "a name in its string table is empty"
    must_be_damaged(patched(data, first + 4, "<I", 0), words)
    must_be_damaged(patched(data, first + 16 + 8, "<I", 0), words)
    count = data.index(struct.pack("<QQ", headers.DT_VERNEEDNUM, 2))
    words = "it does not say how many version needs it has"
    must_be_damaged(patched(data, count + 8, "<Q", 0), words)


def test_more_version_needs_than_stated_are_damage() -> None:
    data = headers.elf(versions=VERSIONS)
    count = data.index(struct.pack("<QQ", headers.DT_VERNEEDNUM, 2))
    words = "it has more version needs than it says"
    must_be_damaged(patched(data, count + 8, "<Q", 1), words)
    first = data.index(struct.pack("<HH", 1, 2))
    must_be_damaged(patched(data, first + 2, "<H", 1), words)


DT_VERSYM, UNKNOWN = 0x6FFFFFF0, 0x6FFFFEF0


def test_a_program_whose_loader_would_not_load_it_is_damaged() -> None:
    data = headers.elf(versions=VERSIONS)
    parse_executable(data, "it")
    words = "it names a loader, and has no dynamic segment"
    must_be_damaged(patched(data, 64 + 2 * 56, "<I", 0), words)
    # Without a loader, only what says that it is a program is one.
    static = headers.elf(kind=2, needed=["libc.so.6"], loader=None)
    must_be_damaged(static, "it needs libraries, and names no loader")
    words = "it needs versions of `libm.so.6`, and does not load it"
    library = data.index(struct.pack("<QQ", headers.DT_NEEDED, 1 + len("libc.so.6\0")))
    must_be_damaged(patched(data, library, "<Q", UNKNOWN), words)


def dynamic_entries(data: bytes) -> dict[int, int]:
    """Return where in a file each kind of dynamic entries is, the last of a kind."""
    section = ELFFile(io.BytesIO(data)).get_section_by_name(".dynamic")
    assert section is not None
    start = section["sh_offset"]
    return {
        struct.unpack_from("<Q", data, place)[0]: place
        for place in range(start, start + section["sh_size"], 16)
    }


@needs("gcc")
def test_a_program_without_some_of_its_dynamic_entries_is_damaged(tmp_path: Path) -> None:
    source, program = tmp_path / "a.c", tmp_path / "a"
    source.write_text('#include <stdio.h>\nint main(void) { return puts("x") < 0; }\n')
    subprocess.run(["gcc", source, "-o", program], check=True)
    data = program.read_bytes()
    parse_executable(data, "it")
    entries = dynamic_entries(data)
    for kind in (headers.DT_VERNEED, headers.DT_VERNEEDNUM):
        data = patched(data, entries[kind], "<Q", UNKNOWN)
    must_be_damaged(data, "its symbols have versions that it does not name")
    for kind in (DT_VERSYM, headers.DT_NEEDED):
        data = patched(data, entries[kind], "<Q", UNKNOWN)
    must_be_damaged(data, "it needs symbols of libraries, and loads none")


def test_names_that_are_empty_are_damage() -> None:
    words = "a name in its string table is empty"
    must_be_damaged(headers.elf(needed=["", "libc.so.6"]), words)
    must_be_damaged(headers.elf(loader=""), "the name of its loader is empty")


@needs("gcc", "objcopy")
@pytest.mark.parametrize("part", [2, 4, 8])
def test_a_program_that_ends_in_zeros_promises_nothing(tmp_path: Path, part: int) -> None:
    """As a download does that broke off in a reserved place; here of a program that a compiler made."""
    source, program = tmp_path / "a.c", tmp_path / "a"
    source.write_text('#include <stdio.h>\nint main(void) { return puts("x") < 0; }\n')
    for option in ("-g", "-static"):
        subprocess.run(["gcc", option, source, "-o", program], check=True)
        data = program.read_bytes()
        parse_executable(data, "it")
        end = len(data) // part
        with pytest.raises(BuildError, match="is damaged: "):
            parse_executable(data[:-end] + bytes(end), "it")


@needs("gcc", "objcopy")
def test_debug_information_is_no_program(tmp_path: Path) -> None:
    source, program, symbols = (tmp_path / name for name in ("a.c", "a", "a.debug"))
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-g", source, "-o", program], check=True)
    subprocess.run(["objcopy", "--only-keep-debug", program, symbols], check=True)
    with pytest.raises(NotAProgramError, match="it is the debug information of a program"):
        parse_executable(symbols.read_bytes(), "it")


@needs("gcc")
def test_sections_without_names_are_damage(tmp_path: Path) -> None:
    source, program = tmp_path / "a.c", tmp_path / "a"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", source, "-o", program], check=True)
    data = program.read_bytes()
    (table,) = struct.unpack_from("<Q", data, 40)
    zeros = data[:table] + bytes(len(data) - table - 1) + b"x"
    must_be_damaged(zeros, "its sections have no names")


@pytest.mark.parametrize("whole", [headers.elf(), headers.mach_o(), headers.pe()])
def test_a_file_that_ends_in_zeros_is_damaged(whole: bytes) -> None:
    data = whole + headers.CODE * (1 << 17)
    fifth, half = len(data) // 5, len(data) // 2
    parse_executable(data[:-fifth] + bytes(fifth), "it")
    must_be_damaged(data[:-half] + bytes(half), "its end is zeros")
    in_samples = data[:-half] + bytes(half - 1) + b"\1"
    parse_executable(in_samples, "it")
    small = whole + headers.CODE * (8192 - len(whole))
    must_be_damaged(small[:-4096] + bytes(4096), "its end is zeros")
    parse_executable(small[:-4000] + bytes(4000), "it")


def test_a_program_of_windows_starts_in_code() -> None:
    data = headers.pe()
    for place in (0x9000, 0x1000 + 8, 0x10):
        words = f"there is no code at {place:#x}, where it starts"
        must_be_damaged(patched(data, ENTRY_OF_PE, "<I", place), words)
    must_be_damaged(headers.pe(flags=0x40000040), "there is no code at 0x1000")
    # One for .NET alone has no code of its own.
    net = patched(patched(data, NET_OF_PE, "<I", 0x1000), ENTRY_OF_PE, "<I", 0)
    assert parse_executable(net, "it").system == "windows"


def test_a_program_of_macos_starts_in_code() -> None:
    data = headers.mach_o("x86_64", signed=False)
    place = data.index(struct.pack("<II", 0x80000028, 24))
    words = "its x86_64 code starts nowhere"
    must_be_damaged(patched(data, place, "<I", 0x26), words)
    must_be_damaged(patched(data, place + 8, "<Q", len(data)), words)
    older = patched(data, place, "<I", 0x5)
    assert parse_executable(older, "it").cpus == ("x86_64",)


@pytest.mark.parametrize("kind", [0x21, 0x2C])
def test_an_encrypted_program_is_refused(kind: int) -> None:
    command = struct.pack("<6I", kind, 24, 0, 64, 1, 0)
    with pytest.raises(
        BuildError, match="it is encrypted: it starts on the Mac alone"
    ) as error:
        parse_executable(headers.mach_o(commands=[command]), "it")
    assert error.value.hint
    plain = struct.pack("<6I", kind, 24, 0, 64, 0, 0)
    assert parse_executable(headers.mach_o(commands=[plain]), "it").cpus == ("aarch64",)


def test_a_table_that_lies_about_its_slice_is_damage() -> None:
    data = headers.universal(headers.mach_o("x86_64"), headers.mach_o())
    arm = headers.MACH_O_CPUS["aarch64"]
    words = "its table calls a slice aarch64, which is x86_64"
    must_be_damaged(patched(data, 8, ">I", arm), words)
    # The system takes the second slice for one that arm64e machines alone run.
    words = "its table calls a slice arm64e, which is aarch64"
    must_be_damaged(patched(data, 28 + 4, ">I", 2), words)


def test_two_slices_for_one_cpu_are_refused() -> None:
    one, other = headers.mach_o(minimum=(11, 0)), headers.mach_o(minimum=(13, 0))
    words = r"it has several slices for one CPU \(aarch64, aarch64\)"
    with pytest.raises(BuildError, match=words):
        parse_executable(headers.universal(one, other), "it")


@pytest.mark.parametrize("more", [0, 8])
def test_a_header_of_macos_has_a_bound(more: int) -> None:
    size = struct.unpack_from("<I", headers.mach_o("x86_64", signed=False), 20)[0]
    length = LARGEST_HEADER - size + more
    command = struct.pack("<II", 0x26, length).ljust(length, b"\1")
    data = headers.mach_o("x86_64", signed=False, commands=[command])
    if more:
        must_be_damaged(data, "its load commands do not fit a header")
    else:
        assert parse_executable(data, "it").cpus == ("x86_64",)

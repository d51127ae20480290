"""What is read from an executable's bytes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from leanspec_build.binaries import read_binary
from leanspec_build.errors import BuildError, NoTagError
from leanspec_build.formats.elf_file import ELF_MAGIC
from leanspec_build.formats.executable import (
    LARGEST_FILE,
    parse_executable,
    read_executable,
)
from leanspec_build.formats.facts import Signature
from leanspec_build.formats.signatures import ALGORITHMS
from leanspec_build.tags.derive import platform_tags

from scripts.tools.processes import clean_environment
from tests.support import headers
from tests.support.preconditions import needs
from tests.support.surroundings import run


def test_an_elf_program_says_what_it_needs() -> None:
    data = headers.elf(
        needed=["libssl.so.3", "libc.so.6"],
        versions={
            "libssl.so.3": ["OPENSSL_3.0.0"],
            "libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.34"],
        },
        run_path="$ORIGIN/lib:/opt",
    )
    facts = parse_executable(data, "it")
    assert (facts.format, facts.system, facts.cpus, facts.bits) == (
        "elf",
        "linux",
        ("x86_64",),
        64,
    )
    assert facts.needed == ("libssl.so.3", "libc.so.6")
    assert facts.symbol_versions["libc.so.6"] == ("GLIBC_2.2.5", "GLIBC_2.34")
    assert (facts.libc, facts.loader) == ("glibc", headers.GLIBC_LOADER)
    assert facts.run_path == ("$ORIGIN/lib", "/opt")


def test_musl_static_and_big_endian_are_told_apart() -> None:
    musl = parse_executable(
        headers.elf(loader="/lib/ld-musl-x86_64.so.1", needed=["libc.musl-x86_64.so.1"]),
        "it",
    )
    static = parse_executable(headers.elf(kind=2, loader=None, needed=[]), "it")
    big = parse_executable(headers.elf("s390x", loader="/lib/ld64.so.1"), "it")
    assert musl.libc == "musl"
    assert (static.libc, static.loader, static.needed) == (None, None, ())
    assert (big.byte_order, big.cpus) == ("big", ("s390x",))


@pytest.mark.parametrize("old", [False, True])
def test_a_mach_o_program_states_its_oldest_macos(*, old: bool) -> None:
    facts = parse_executable(headers.mach_o("x86_64", minimum=(10, 12), old=old), "it")
    assert (facts.format, facts.system, facts.cpus) == ("mach-o", "darwin", ("x86_64",))
    assert facts.macos_minimum == {"x86_64": (10, 12)}
    assert facts.needed == ("/usr/lib/libSystem.B.dylib",)


def test_a_universal_file_has_a_cpu_a_slice() -> None:
    data = headers.universal(
        headers.mach_o("x86_64", minimum=(10, 12)), headers.mach_o("aarch64")
    )
    facts = parse_executable(data, "it")
    assert facts.cpus == ("x86_64", "aarch64")
    assert facts.macos_minimum == {"x86_64": (10, 12), "aarch64": (11, 0)}


def test_a_pe_program_has_a_cpu() -> None:
    facts = parse_executable(headers.pe("aarch64"), "it")
    assert (facts.format, facts.system, facts.cpus, facts.bits) == (
        "pe",
        "windows",
        ("aarch64",),
        64,
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"#!/bin/sh\nexec x\n", "a script (`#!/bin/sh`)"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "a Git LFS pointer",
        ),
        (b"\xca\xfe\xba\xbe\x00\x00\x00\x41" + bytes(60), "a Java class file"),
        (b"PK\x03\x04" + bytes(60), "neither ELF, Mach-O nor PE"),
        (headers.elf(soname="libx.so", loader=None), "a shared library"),
        (headers.pe(dll=True), "a DLL"),
        (headers.mach_o(kind=6), "not a program"),
        (headers.universal(), "with 0 slices"),
    ],
)
def test_anything_else_is_named(data: bytes, words: str) -> None:
    with pytest.raises(BuildError) as error:
        parse_executable(data, "it")
    assert words in error.value.message


@pytest.mark.parametrize(
    "whole",
    [headers.elf(), headers.mach_o(), headers.pe(), headers.universal(headers.mach_o())],
)
def test_no_truncated_program_passes(whole: bytes) -> None:
    parse_executable(whole, "it")
    for length in (*range(0, len(whole), 7), len(whole) - 1):
        with pytest.raises(BuildError):
            parse_executable(whole[:length], "it")


def test_a_program_whose_code_is_cut_off_does_not_pass() -> None:
    """Its headers are whole, and it has no section table at its end that could be missing."""
    with pytest.raises(BuildError, match="truncated: segment 0 ends at byte"):
        parse_executable(headers.elf(code=bytes(1000))[:-1], "it")


def test_a_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is a directory"):
        read_executable(tmp_path)
    with pytest.raises(BuildError, match="does not exist"):
        read_executable(tmp_path / "nothing")


def test_a_file_of_more_than_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(headers.elf())
    binary = read_binary(path)
    assert binary.source.load() == headers.elf()
    assert binary.executable == read_executable(path)
    with monkeypatch.context() as patch:
        patch.setattr("leanspec_build.formats.executable.LARGEST_FILE", len(headers.elf()))
        assert read_executable(path) == parse_executable(headers.elf(), "it")
        patch.setattr(
            "leanspec_build.formats.executable.LARGEST_FILE", len(headers.elf()) - 1
        )
        with pytest.raises(BuildError, match="more than the"):
            read_executable(path)
    os.truncate(path, LARGEST_FILE + 1)
    for read in (read_executable, read_binary):
        with pytest.raises(BuildError, match="more than the 536870912 that are read"):
            read(path)


def test_readelf_agrees_on_the_real_binaries(binaries: Path) -> None:
    for path in sorted(binaries.glob("*/binaries/linux-x64/leanspec*")):
        facts = read_executable(path)
        output = subprocess.run(
            ["readelf", "-dV", "-W", path], capture_output=True, text=True, check=True
        ).stdout
        libraries = [
            line.split("[")[1].rstrip("]")
            for line in output.splitlines()
            if "(NEEDED)" in line
        ]
        assert list(facts.needed) == libraries
        for names in facts.symbol_versions.values():
            assert all(f"Name: {name} " in output for name in names)
        assert sum(len(names) for names in facts.symbol_versions.values()) == output.count(
            "  Flags: none  Version:"
        )


def elf_files(folder: Path, most: int) -> Iterator[Path]:
    """Yield some of the programs and libraries of a folder, spread over it."""
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
    for path in paths[:: max(1, len(paths) // most)]:
        with contextlib.suppress(OSError), path.open("rb") as file:
            if file.read(4) == ELF_MAGIC and path.stat().st_size < 20_000_000:
                yield path


@pytest.mark.long
@pytest.mark.parametrize("folder", ["/usr/bin", "/usr/lib", sys.prefix])
def test_pyelftools_agrees_on_what_this_machine_has(folder: str) -> None:
    for path in elf_files(Path(folder), 200):
        data = path.read_bytes()
        read: Any = ELFFile(io.BytesIO(data))
        if read.header.e_type not in ("ET_EXEC", "ET_DYN"):
            continue
        try:
            facts = parse_executable(data, "it")
        except BuildError as error:
            if "debug information" in error.message:
                continue
            facts = parse_executable(data, "it", library=True)
        dynamic = next(
            (entry for entry in read.iter_segments() if isinstance(entry, DynamicSegment)),
            None,
        )
        tags: list[Any] = list(dynamic.iter_tags()) if dynamic else []
        assert list(facts.needed) == [
            tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"
        ], path
        section = read.get_section_by_name(".gnu.version_r")
        if section and section.header.sh_type == "SHT_NOBITS":
            continue  # the symbols of a program, split off for a debugger
        needs = section.iter_versions() if section else ()
        assert facts.symbol_versions == {
            need.name: tuple(entry.name for entry in names) for need, names in needs
        }, path
        symbols = read.get_section_by_name(".dynsym")
        names = {
            symbol.name
            for symbol in (symbols.iter_symbols() if symbols else ())
            if symbol.entry.st_shndx == "SHN_UNDEF"
            and symbol.entry.st_info.bind != "STB_WEAK"
        }
        assert facts.imports == {name for name in names if 0 < len(name) < 256}, path


@pytest.mark.parametrize("length", [4, 64, 1000, 100_000, -1])
def test_no_truncated_real_binary_passes(binaries: Path, length: int) -> None:
    data = (binaries / "cli/binaries/linux-x64/leanspec").read_bytes()
    with pytest.raises(BuildError, match="truncated"):
        parse_executable(data[:length], "it")


def with_level(data: bytes, level: int) -> bytes:
    """Add a program property note that asks for a level of x86-64, at the end with a longer table of segments."""
    note = struct.pack("<III4sIIII", 4, 16, 5, b"GNU\0", 0xC0008002, 4, level, 0)
    place, count = len(data), data[56]
    segment = struct.pack(
        "<IIQQQQQQ", 0x6474E553, 4, place, place, place, len(note), len(note), 8
    )
    table = data[64 : 64 + 56 * count] + segment
    header = bytearray(data[:64])
    struct.pack_into("<Q", header, 32, place + len(note))
    header[56] = count + 1
    return bytes(header) + data[64:] + note + table


def test_a_program_states_which_x86_64_it_needs() -> None:
    for level, expected in (
        (1, None),
        (2, "x86-64-v2"),
        (4, "x86-64-v3"),
        (7, "x86-64-v3"),
        (8, "x86-64-v4"),
    ):
        assert (
            parse_executable(with_level(headers.elf(), level), "it").instructions
            == expected
        )
    assert parse_executable(headers.elf(), "it").instructions is None


@pytest.mark.parametrize(
    ("loader", "system"),
    [
        ("/system/bin/linker64", "android"),
        ("/usr/lib/amd64/ld.so.1", "solaris"),
        ("/usr/libexec/ld.elf_so", "netbsd"),
        ("/usr/libexec/ld.so", "openbsd"),
    ],
)
def test_other_systems_are_known_by_their_loader(loader: str, system: str) -> None:
    """Their programs state `System V` in the header, as those of Linux do."""
    assert (
        parse_executable(headers.elf(loader=loader, needed=["libc.so.12"]), "it").system
        == system
    )


@pytest.mark.parametrize(
    ("subsystem", "words"),
    [
        (1, "is a driver"),
        (10, "is an EFI program"),
        (11, "is an EFI driver"),
        (12, "is an EFI driver"),
        (13, "is an EFI image"),
        (14, "is for the subsystem 14"),
    ],
)
def test_a_program_that_windows_does_not_start_is_refused(
    subsystem: int, words: str
) -> None:
    data = bytearray(headers.pe())
    struct.pack_into("<H", data, 64 + 24 + 68, subsystem)
    with pytest.raises(BuildError, match=words):
        parse_executable(bytes(data), "it")


def with_subtype(data: bytes, subtype: int) -> bytes:
    """Return a Mach-O file, or a slice, for some machines of its CPU alone."""
    return data[:8] + struct.pack("<I", subtype) + data[12:]


def test_a_slice_for_newer_machines_counts_for_its_cpu() -> None:
    """Newer machines start it in place of the common one."""
    intel = headers.mach_o("x86_64", minimum=(10, 12), signed=False)
    newer = headers.mach_o("x86_64", minimum=(10, 14), signed=False)
    arm = headers.mach_o()
    data = bytearray(headers.universal(intel, with_subtype(newer, 8), arm))
    struct.pack_into(">I", data, 8 + 20 + 4, 8)
    executable = parse_executable(bytes(data), "it")
    assert executable.cpus == ("x86_64", "aarch64")
    assert executable.macos_minimum["x86_64"] == (10, 14)
    assert platform_tags(executable).platforms == (
        "macosx_10_14_x86_64",
        "macosx_11_0_arm64",
        "macosx_10_14_universal2",
    )
    broken = headers.mach_o("x86_64").replace(b"libSystem", b"libSistem")
    data = bytearray(headers.universal(intel, with_subtype(broken, 8)))
    struct.pack_into(">I", data, 8 + 20 + 4, 8)
    # Its hash is of a header with another subtype.
    assert parse_executable(bytes(data), "it").signatures == {"x86_64": Signature.BROKEN}


def test_a_slice_without_a_tag_takes_nothing_from_the_others() -> None:
    old = headers.mach_o("x86_64", signed=False).replace(b"\7\0\0\1", b"\7\0\0\0", 1)
    intel = headers.mach_o("x86_64", minimum=(10, 12), signed=False)
    tags = platform_tags(parse_executable(headers.universal(old, intel), "it"))
    assert tags.platforms == ("macosx_10_12_x86_64",)
    with pytest.raises(NoTagError, match="no macOS platform tag for the CPU `i686`"):
        platform_tags(parse_executable(headers.universal(old), "it"))
    special = with_subtype(headers.mach_o(signed=False), 2)
    data = bytearray(headers.universal(headers.mach_o(), special))
    struct.pack_into(">I", data, 8 + 20 + 4, 2)
    with pytest.raises(NoTagError, match="no macOS platform tag for the CPU `arm64e`"):
        platform_tags(parse_executable(bytes(data), "it"))


def test_a_universal_program_with_large_offsets_is_refused() -> None:
    """Libraries may be such files: the loader of libraries reads them."""
    for kind, is_library in ((2, False), (6, True)):
        part = headers.mach_o("x86_64", kind=kind)
        table = struct.pack(">4I2Q2I", 0xCAFEBABF, 1, 0x01000007, 0, 40, len(part), 0, 0)
        if is_library:
            assert parse_executable(table + part, "it", library=True).cpus == ("x86_64",)
            continue
        with pytest.raises(BuildError, match="64-bit offsets") as caught:
            parse_executable(table + part, "it")
        words = (
            "it is a universal file with 64-bit offsets, which macOS starts as no program"
        )
        assert caught.value.message == words
        assert caught.value.hint == "join its slices by `lipo -create` without `-fat64`"


def test_special_arm_and_intel_code_of_apple_is_told_apart() -> None:
    for cpu, subtype, expected in (
        ("aarch64", 2, "arm64e"),
        ("x86_64", 8, "x86_64h"),
        ("aarch64", 0, "aarch64"),
    ):
        data = bytearray(headers.mach_o(cpu))
        struct.pack_into("<I", data, 8, 0x80000000 | subtype)
        assert parse_executable(bytes(data), "it").cpus == (expected,)


# Where a PE header of `headers.pe` has the kind of its optional header, and its imports.
OPTIONAL, IMPORT_DIRECTORY = 64 + 24, 64 + 24 + 112 + 8
FIRST_SECTION = 0x1000


def with_imports(address: int, table: bytes) -> bytes:
    """Return a PE file whose imports are at an address, with a table at the begin of its code."""
    data = bytearray(headers.pe(code=table))
    struct.pack_into("<II", data, IMPORT_DIRECTORY, address, len(table))
    return bytes(data)


def entry(name: int) -> bytes:
    """Return an entry of the import table: the fourth of its fields is the library's name."""
    return struct.pack("<5I", 1, 0, 0, name, 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (with_imports(0x9000, headers.CODE), "nothing is loaded at the address 0x9000"),
        (
            with_imports(FIRST_SECTION, entry(0x9000)),
            "nothing is loaded at the address 0x9000",
        ),
        (
            with_imports(FIRST_SECTION, entry(FIRST_SECTION + 20) + b"x" * 20_000),
            "the name of a library does not end within",
        ),
        (
            with_imports(
                FIRST_SECTION, entry(FIRST_SECTION + 20 * 5000) * 5000 + b"kernel32.dll\0"
            ),
            "it imports more than",
        ),
    ],
)
def test_imports_that_lead_nowhere_are_damage(data: bytes, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        parse_executable(data, "it")


def test_imports_are_read_up_to_the_empty_entry() -> None:
    """Two libraries, then an entry of zeros, then what is no entry any more."""
    names = FIRST_SECTION + 100
    table = entry(names) + entry(names + 6) + bytes(20) + entry(0x9000)
    data = with_imports(FIRST_SECTION, table.ljust(100, b"\0") + b"a.dll\0b.dll\0")
    assert parse_executable(data, "it").needed == ("a.dll", "b.dll")


def test_another_kind_of_optional_header_is_damage() -> None:
    data = bytearray(headers.pe())
    struct.pack_into("<H", data, OPTIONAL, 0x107)
    with pytest.raises(BuildError, match="its optional header is of the kind 0x107"):
        parse_executable(bytes(data), "it")


# Of the PE header, and of the data directories.
COUNT, LENGTH, CHARACTERISTICS = 64 + 6, 64 + 20, 64 + 22
SIGNATURE_DIRECTORY, CONFIGURATION_DIRECTORY = (
    OPTIONAL + 112 + 8 * 4,
    OPTIONAL + 112 + 8 * 10,
)
RELOCATIONS_STRIPPED = 0x0001


def test_a_program_at_a_fixed_address_is_no_dll() -> None:
    data = bytearray(headers.pe())
    struct.pack_into("<H", data, CHARACTERISTICS, 0x0022 | RELOCATIONS_STRIPPED)
    assert parse_executable(bytes(data), "it").system == "windows"


@pytest.mark.parametrize(("count", "is_loaded"), [(96, True), (97, False)])
def test_windows_loads_96_sections(count: int, *, is_loaded: bool) -> None:
    one = headers.pe()
    start = OPTIONAL + 240
    table = one[start : start + 40] * count
    data = bytearray(one[:start] + table + one[512:] + headers.CODE * 8192)
    struct.pack_into("<H", data, COUNT, count)
    if is_loaded:
        assert parse_executable(bytes(data), "it").system == "windows"
        return
    with pytest.raises(BuildError, match="it has 97 sections, and Windows loads 96"):
        parse_executable(bytes(data), "it")


def test_a_signature_beyond_the_end_is_damage() -> None:
    data = bytearray(headers.pe())
    struct.pack_into("<II", data, SIGNATURE_DIRECTORY, len(data) - 8, 8)
    assert parse_executable(bytes(data), "it").system == "windows"
    struct.pack_into("<II", data, SIGNATURE_DIRECTORY, len(data) - 8, 9)
    with pytest.raises(BuildError, match="the signature"):
        parse_executable(bytes(data), "it")


@pytest.mark.parametrize(
    ("size", "pointer", "is_hybrid"),
    [(0xD0, 1, True), (0xD0, 0, False), (0xCF, 1, False)],
)
def test_the_arm_half_of_an_intel_program_is_seen(
    size: int, pointer: int, *, is_hybrid: bool
) -> None:
    """Its load configuration has a pointer at 0xC8, if it is long enough for one."""
    table = struct.pack("<I", size).ljust(0xC8, b"\0") + struct.pack("<Q", pointer)
    data = bytearray(headers.pe(code=table))
    struct.pack_into("<II", data, CONFIGURATION_DIRECTORY, FIRST_SECTION, size)
    if not is_hybrid:
        assert parse_executable(bytes(data), "it").cpus == ("x86_64",)
        return
    with pytest.raises(BuildError, match="is an ARM64EC program"):
        parse_executable(bytes(data), "it")


EM_ARM, SHT_ARM_ATTRIBUTES, HARD_FLOAT = 40, 0x70000003, 0x05000400
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_STRSZ = 1, 5, 10
CPU_ARCH = 6  # the attribute; 10 is version 7, 6 is version 6


def attributes(*of_file: bytes, vendor: bytes = b"aeabi") -> bytes:
    """Return the attributes of one vendor, each as its tag and its value, for the whole file."""
    inside = b"".join(of_file)
    part = b"\1" + struct.pack("<I", 5 + len(inside)) + inside
    return struct.pack("<I", 5 + len(vendor) + len(part)) + vendor + b"\0" + part


def arm(
    table: bytes, *, hard: bool = True, loader: bool = False, code: bytes = b""
) -> bytes:
    """Return a 32-bit Arm program with build attributes in its only section."""
    names = b"/ld\0\0libc.so.6\0\0"  # of a length that keeps the code in line
    at_names = 52 + 3 * 32
    at_table = at_names + len(names) + len(code)
    at_dynamic = at_table + len(table)
    tags = ((DT_NEEDED, 5), (DT_STRTAB, at_names), (DT_STRSZ, len(names)), (0, 0))
    dynamic = b"".join(struct.pack("<II", *tag) for tag in tags)
    size = at_dynamic + len(dynamic)
    segments = struct.pack("<8I", PT_LOAD, 0, 0, 0, size, size, 5, 1)
    if loader:
        place = (at_names,) * 3
        segments += struct.pack("<8I", PT_INTERP, *place, 4, 4, 4, 1)
        place = (at_dynamic,) * 3
        segments += struct.pack("<8I", PT_DYNAMIC, *place, len(dynamic), len(dynamic), 4, 1)
    header = b"\x7fELF\1\1\1".ljust(16, b"\0")
    header += struct.pack("<HHIIIII", 2, EM_ARM, 1, 0, 52, size, HARD_FLOAT * hard)
    header += struct.pack("<HHHHHH", 52, 32, 1 + 2 * loader, 40, 1, 0)
    section = struct.pack(
        "<10I", 0, SHT_ARM_ATTRIBUTES, 0, 0, at_table, len(table), 0, 0, 1, 0
    )
    return header + segments.ljust(96, b"\0") + names + code + table + dynamic + section


V7, V6 = bytes([CPU_ARCH, 10]), bytes([CPU_ARCH, 6])


@pytest.mark.parametrize(
    ("table", "hard", "loader", "cpu"),
    [
        (b"A" + attributes(V7), True, True, "armv7l"),
        (b"A" + attributes(V6), True, True, "armv6l"),
        (b"A" + attributes(V7), False, True, "armel"),
        (b"A" + attributes(V7), False, False, "armv7l"),
        (b"A" + attributes(V6), False, False, "armv6l"),
        (b"A" + attributes(bytes([CPU_ARCH, 9])), True, True, "armv6l"),
        (b"A" + attributes(bytes([CPU_ARCH, 8])), True, True, "armv7l"),
        (b"A" + attributes(bytes([CPU_ARCH, 4])), False, False, "armv5"),
        (b"A" + attributes(bytes([CPU_ARCH, 14])), True, True, "armv8"),
        # An absent statement is not a statement.
        (b"", True, True, "arm"),
        (b"", False, False, "arm"),
        (b"A" + attributes(b"\x08\1"), True, True, "arm"),
        (b"B" + attributes(V6), True, True, "arm"),
        # Another vendor's come first; texts, numbers and the one with both are passed over.
        (b"A" + attributes(V7, vendor=b"gnu") + attributes(V6), True, True, "armv6l"),
        (b"A" + attributes(b"\5text\0", V6), True, True, "armv6l"),
        (b"A" + attributes(b"\4\6\0", V6), True, True, "armv6l"),
        (b"A" + attributes(b"\x41\6\0", V6), True, True, "armv6l"),
        (b"A" + attributes(b"\x43\6\0", V6), True, True, "armv6l"),
        (b"A" + attributes(b"\x20\1\6\0", V6), True, True, "armv6l"),
        (b"A" + attributes(b"\x22\1", V6), True, True, "armv6l"),
        (b"A" + attributes(b"\x21x\0", V6, b"\x22\1"), True, True, "armv6l"),
        (b"A" + attributes(b"\5\0", V6), True, True, "armv6l"),
        (b"A" + attributes(b"\x08\x86\x01", V6), True, True, "armv6l"),
        # Cut short, or of no length: no attribute is known.
        (b"A" + attributes(V6)[:-1], True, True, "arm"),
        (b"A" + struct.pack("<I", 4) + b"aeabi\0", True, True, "arm"),
    ],
)
def test_arm_is_told_apart_by_its_build_attributes(
    table: bytes, cpu: str, *, hard: bool, loader: bool
) -> None:
    facts = parse_executable(arm(table, hard=hard, loader=loader), "it")
    assert facts.cpus == (cpu,)


MOVW, MOVT = 0xE3012345, 0xE3412345
LOAD_NUMBER = 0xE59F0000  # as ARMv6 does, from memory


@pytest.mark.parametrize(
    ("code", "cpu"),
    [
        (struct.pack("<4I", MOVW, MOVT, LOAD_NUMBER, LOAD_NUMBER) * 64, "armv7l"),
        (struct.pack("<4H", 0xF241, 0x2345, 0xF6C1, 0x2345) * 64, "armv7l"),
        # By chance, and for machines that have it, after a look at which it is.
        (struct.pack("<I", LOAD_NUMBER) * 8000 + struct.pack("<2I", MOVW, MOVT), "armv6l"),
    ],
)
def test_code_for_armv7_is_seen_behind_attributes_of_a_start_file_for_armv6(
    code: bytes, cpu: str
) -> None:
    data = arm(b"A" + attributes(V6), loader=True, code=code)
    assert parse_executable(data, "it").cpus == (cpu,)
    # Code is not a statement: what says nothing remains unknown.
    assert parse_executable(arm(b"", code=code), "it").cpus == ("arm",)


def test_hard_floating_point_of_arm_is_of_the_fifth_abi() -> None:
    data = bytearray(arm(b"A" + attributes(V7), loader=True))
    data[39] = 4  # the ABI of the header
    assert parse_executable(bytes(data), "it").cpus == ("armel",)


def test_a_32_bit_program_of_windows_has_its_directories_elsewhere() -> None:
    """A PE32 header is shorter by 16 bytes than PE32+, before its directories."""
    wide = headers.pe("i686", code=b"a.dll\0".ljust(32, b"\0") + entry(FIRST_SECTION))
    data = bytearray(wide)
    struct.pack_into("<H", data, OPTIONAL, 0x10B)
    struct.pack_into("<I", data, OPTIONAL + 92, 16)
    struct.pack_into("<II", data, OPTIONAL + 96 + 8, FIRST_SECTION + 32, 40)
    facts = parse_executable(bytes(data), "it")
    assert (facts.bits, facts.cpus, facts.needed) == (32, ("i686",), ("a.dll",))


def test_a_packer_starts_in_room_that_the_file_does_not_have() -> None:
    """UPX: the section is empty in the file, and large in memory; the program begins in it."""
    data = bytearray(headers.pe(flags=0xE0000020))
    section = OPTIONAL + 240
    struct.pack_into("<I", data, section + 8, 0x8000)  # its size in memory
    struct.pack_into("<I", data, OPTIONAL + 16, FIRST_SECTION + 0x4000)  # where it starts
    assert parse_executable(bytes(data), "it").packed
    struct.pack_into("<I", data, OPTIONAL + 16, FIRST_SECTION + 0x8000)
    with pytest.raises(BuildError, match="there is no code at 0x9000, where it starts"):
        parse_executable(bytes(data), "it")


def note(name: bytes, content: bytes, kind: int = 1) -> bytes:
    """Return a note; name and content each end at a word."""
    padded = name + bytes(-len(name) % 4)
    return (
        struct.pack("<III", len(name), len(content), kind)
        + padded
        + content
        + bytes(-len(content) % 4)
    )


def test_every_note_of_a_program_is_read() -> None:
    """The system is named by the second one, behind a content of three bytes."""
    notes = note(b"GNU\0", b"abc") + note(b"NetBSD\0", b"\0" * 4)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 176, 176, 4)
    segment += struct.pack("<IIQQQQQQ", 4, 4, 176, 176, 176, len(notes), len(notes), 4)
    header = b"\x7fELF\2\1\1".ljust(16, b"\0")
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    assert parse_executable(header + segment + notes, "it").system == "netbsd"


@pytest.mark.parametrize(
    ("cms", "signature"),
    [
        (None, Signature.AD_HOC),
        (b"", Signature.AD_HOC),
        (b"a CMS message", Signature.IDENTITY),
    ],
)
def test_a_macos_program_has_its_signer(cms: bytes | None, signature: Signature) -> None:
    data = headers.mach_o(cms=cms)
    assert parse_executable(data, "x").signatures == {"aarch64": signature}
    assert parse_executable(headers.mach_o(signed=False), "x").signatures == {
        "aarch64": Signature.NONE
    }
    whole = headers.universal(headers.mach_o("x86_64"), data)
    assert parse_executable(whole, "x").signatures["aarch64"] is signature
    for size in range(len(headers.mach_o(signed=False)), len(data)):
        with contextlib.suppress(BuildError):
            parse_executable(data[:size], "x")


def test_a_macos_program_that_changed_after_it_was_signed_is_seen() -> None:
    data = headers.mach_o(cms=b"a CMS message")
    code = len(headers.mach_o(signed=False)) + 16
    for place in range(
        32 + 8, 32 + 24
    ):  # the name of the first segment: nothing else reads it
        changed = bytearray(data)
        changed[place] ^= 1
        facts = parse_executable(bytes(changed), "x").signatures
        assert facts == {"aarch64": Signature.BROKEN}
    without_hashes = data[:code] + data[code:].replace(
        b"\xfa\xde\x0c\x02", b"\xfa\xde\x0c\x01"
    )
    empty = data[:code] + bytes(len(data) - code)
    for broken in (without_hashes, empty):
        assert parse_executable(broken, "x").signatures == {"aarch64": Signature.BROKEN}


def resigned(kinds: list[int], wrong: int | None = None, **changes: int) -> Signature:
    """Return how a program is found to be signed, with a directory for each kind of hashes.

    `wrong` is a kind whose hashes are of other code, `changes` are a false count, and bytes that are
    not there.
    """
    data = headers.mach_o()
    size = len(headers.mach_o(signed=False)) + 16
    count, missing = changes.get("count", 1), changes.get("missing", 0)
    place = data.index(struct.pack("<III", 0x1D, 16, size)) + 12
    length = len(
        headers.code_signature(b"", None, *(headers.code_directory(b"", k) for k in kinds))
    )
    code = data[:place] + struct.pack("<I", length) + data[place + 4 : size]
    directories = []
    for kind in kinds:
        hashed = code[::-1] if kind == wrong else code
        directories.append(headers.code_directory(hashed + bytes(missing), kind, count))
    whole = code + headers.code_signature(b"", None, *directories)
    return parse_executable(whole, "x").signatures["aarch64"]


@pytest.mark.parametrize("kind", headers.CODE_HASHES)
def test_each_kind_of_hashes_is_known(kind: int) -> None:
    assert resigned([kind]) is Signature.AD_HOC
    assert resigned([kind], wrong=kind) is Signature.BROKEN
    assert resigned([kind], count=2) is Signature.BROKEN
    assert resigned([kind], count=0) is Signature.BROKEN


def test_the_strongest_hashes_decide() -> None:
    """As a system does: a weaker directory is for older ones."""
    for weak, strong in ((1, 2), (1, 4), (3, 2), (2, 4)):
        for kinds in ([weak, strong], [strong, weak]):
            assert resigned(kinds, wrong=weak) is Signature.AD_HOC
            assert resigned(kinds, wrong=strong) is Signature.BROKEN


def test_signed_code_beyond_the_end_is_damage() -> None:
    with pytest.raises(BuildError, match="the signed code ends at byte"):
        resigned([2], missing=2000)


def authenticode(data: bytes, algorithm: str) -> bytes:
    """Return a PE file with a signature's digest at its end, where the message would have it among others.

    By hand: the parts that a signature leaves out are set to nothing before the digest is taken.
    """
    place = 64 + 24 + 112 + 4 * 8  # the fifth data directory of PE32+
    digest = hashlib.new(
        algorithm, data[:152] + data[156:place] + data[place + 8 :]
    ).digest()
    signed_digest = ALGORITHMS[algorithm] + bytes([5, 0, 4, len(digest)]) + digest
    message = (b"message" + signed_digest).ljust(96)
    signed = bytearray(data)
    struct.pack_into("<I", signed, 152, 0x1234)  # the checksum may change afterwards
    struct.pack_into("<II", signed, place, len(data), len(message))
    return bytes(signed) + message


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384"])
def test_an_authenticode_signature_is_seen(algorithm: str) -> None:
    data = headers.pe()
    assert parse_executable(data, "x").signatures == {"x86_64": Signature.NONE}
    signed = authenticode(data, algorithm)
    assert parse_executable(signed, "x").signatures == {"x86_64": Signature.AUTHENTICODE}
    for changed in (signed + b"more", signed[:600] + b"x" + signed[601:]):
        assert parse_executable(changed, "x").signatures == {"x86_64": Signature.BROKEN}


@needs("osslsigncode")
def test_a_signature_of_another_tool_is_seen(tmp_path: Path) -> None:
    plain, signed = tmp_path / "plain.exe", tmp_path / "signed.exe"
    plain.write_bytes(headers.pe())
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make: list[str | Path] = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    make += ["-subj", "/CN=a", "-keyout", key, "-out", certificate]
    run(make, clean_environment())
    sign: list[str | Path] = ["osslsigncode", "sign", "-certs", certificate, "-key", key]
    run([*sign, "-in", plain, "-out", signed], clean_environment())
    data = signed.read_bytes()
    assert parse_executable(data, "x").signatures == {"x86_64": Signature.AUTHENTICODE}
    changed = data[:600] + b"x" + data[601:]
    assert parse_executable(changed, "x").signatures == {"x86_64": Signature.BROKEN}


def test_a_program_that_changed_after_it_was_signed_gets_no_tag() -> None:
    data = headers.mach_o("x86_64")
    changed = data.replace(b"__TEXT", b"__TEXX")
    for broken in (changed, authenticode(headers.pe(), "sha256") + b"more"):
        with pytest.raises(BuildError, match="changed after it was signed") as error:
            platform_tags(parse_executable(broken, "x"))
        assert "sign it again" in (error.value.hint or "")

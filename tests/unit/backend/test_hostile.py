"""Files made to cost time or memory: each is answered, in bounds and in the words of a message."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import headers
from tests.support.surroundings import clean

pytestmark = pytest.mark.posix

SECONDS = 10
"""Of CPU time, so that a slow machine passes; on a usual one each takes less than two."""
MOST_MEMORY = 200_000
READ = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), int(sys.argv[2])))
from leanspec_build.errors import BuildError
from leanspec_build.formats.executable import read_executable
from leanspec_build.tags.derive import platform_tags
try:
    print("tags", *platform_tags(read_executable(Path(sys.argv[1]))).platforms)
except BuildError as error:
    print("error", error.message)
used = resource.getrusage(resource.RUSAGE_SELF)
# Not `ru_maxrss`, which begins with that of the process that started this one.
status = Path("/proc/self/status")
lines = dict(line.split(":", 1) for line in status.read_text().splitlines()) if status.exists() else {}
print(used.ru_utime + used.ru_stime, lines.get("VmHWM", "0 kB").split()[0])
"""


def elf(
    *segments: tuple[int, int, int],
    size: int,
    sections: int = 0,
    machine: int = 62,
    kind: int = 2,
) -> bytearray:
    """Return a file with program headers (type, offset, size), all of it loaded at the address of its offset."""
    every = [(1, 0, size), *segments]
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    at = size - 64 * sections
    fields = (
        kind,
        machine,
        1,
        0,
        64,
        at if sections else 0,
        0,
        64,
        56,
        len(every),
        64,
        sections,
        0,
    )
    data = bytearray(ident + struct.pack("<HHIQQQIHHHHHH", *fields))
    for number, offset, length in every:
        flags = 4 if len(data) > 64 else 5  # the first one is code
        data += struct.pack(
            "<IIQQQQQQ", number, flags, offset, offset, offset, length, length, 1
        )
    data = data.ljust(size, b"\0")
    if not sections:
        data[-64:] = b"\0" + b"a" * 62 + b"\0"
    return data


def dynamic(data: bytearray, at: int, tags: list[tuple[int, int]]) -> bytes:
    """Write a dynamic segment."""
    for number, tag in enumerate(tags):
        struct.pack_into("<QQ", data, at + 16 * number, *tag)
    return bytes(data)


DYNAMIC, LOADER = 2, 3
STRTAB, STRSZ, SYMTAB, HASH, GNU_HASH, NEEDED, VERNEED, VERNEEDNUM = (
    5,
    10,
    6,
    4,
    0x6FFFFEF5,
    1,
    0x6FFFFFFE,
    0x6FFFFFFF,
)
MIB = 1 << 20
# As an Authenticode signature states one: the algorithm, no parameter, the digest.
WRONG_SHA256 = bytes.fromhex("060960864801650304020105000420") + bytes(32)


def many_dynamic_segments() -> bytes:
    return bytes(elf(*[(DYNAMIC, 4096, 4096)] * 2000, size=MIB, sections=2000))


def two_dynamic_segments() -> bytes:
    return bytes(elf((DYNAMIC, 4096, 4096), (DYNAMIC, 8192, 4096), size=MIB))


def many_names() -> bytes:
    """Return as many names as are read, each looked up in a table that is stated last, behind as many segments."""
    loader = (LOADER, MIB - 63, 63)
    data = elf(*[(4, 0, 0)] * 120, (DYNAMIC, 65536, 160_000), loader, size=MIB)
    tags = [(NEEDED, 1)] * 9_900
    return dynamic(data, 65536, [*tags, (STRTAB, MIB - 64), (STRSZ, 64)])


def many_code_segments() -> bytes:
    """Return segments that are each looked at for a packer, over the same bytes."""
    data = elf(*[(1, 65536, 900_000)] * 120, size=MIB)
    for number in range(121):
        struct.pack_into("<I", data, 64 + 56 * number + 4, 5)
    data[65536:-1] = bytes(range(256))[1:200] * ((MIB - 65537) // 199) + bytes(
        (MIB - 65537) % 199
    )
    return bytes(data)


def many_sections() -> bytes:
    data = bytearray(headers.pe(code=bytes(4 * MIB)))
    struct.pack_into("<H", data, 64 + 6, 60_000)
    return bytes(data)


def slices_of_many_commands() -> bytes:
    """Return slices for twenty CPUs over one header that is as large as is read."""
    one = bytearray(headers.mach_o())
    rest = bytes(one[32:])
    commands = (65536 - len(rest)) // 8
    one[16:24] = struct.pack("<II", commands + 1, 8 * commands + 24)
    body = bytes(one[:32]) + struct.pack("<II", 0x26, 8) * commands
    body += struct.pack("<IIQQ", 0x80000028, 24, 0, 0)
    table, bodies = b"", b""
    for number in range(20):
        table += struct.pack(">5I", number + 100, 0, 4096 + len(bodies), len(body), 0)
        bodies += body[:4] + struct.pack("<I", number + 100) + body[8:]
    return (struct.pack(">II", 0xCAFEBABE, 20) + table).ljust(4096, b"\0") + bodies


def long_names() -> bytes:
    data = elf((DYNAMIC, 4096, 40_000), size=3 * MIB)
    data[2 * MIB : 3 * MIB] = b"a" * MIB
    data[-1] = 0
    tags = [(NEEDED, number) for number in range(2000)]
    return dynamic(data, 4096, [*tags, (STRTAB, 2 * MIB), (STRSZ, MIB)])


def long_loader() -> bytes:
    data = elf((LOADER, 4096, 100 * MIB), size=101 * MIB)
    data[4096:-1] = b"/" * (len(data) - 4097)
    return bytes(data)


def many_tags() -> bytes:
    data = elf((DYNAMIC, 4096, 32 * MIB), size=33 * MIB)
    data[4096 : 4096 + 32 * MIB] = struct.pack("<QQ", NEEDED, 0) * (2 * MIB)
    return bytes(data)


def large_hash_table() -> bytes:
    data = elf((DYNAMIC, 4096, 4096), size=101 * MIB)
    struct.pack_into("<4I", data, 8192, 25_000_000, 1, 1, 6)
    tags = [(GNU_HASH, 8192), (SYMTAB, 100 * MIB), (STRTAB, 100 * MIB + 4096), (STRSZ, 16)]
    return dynamic(data, 4096, tags)


def large_old_hash_table() -> bytes:
    data = elf((DYNAMIC, 4096, 4096), size=MIB)
    struct.pack_into("<2I", data, 8192, 1, 0xFFFFFFFF)
    return dynamic(
        data, 4096, [(HASH, 8192), (SYMTAB, 16384), (STRTAB, 32768), (STRSZ, 16)]
    )


def overlapping_versions() -> bytes:
    size = 1_300_000
    data = elf((DYNAMIC, 4096, 4096), size=size)
    for place in range(8192, size - 64, 16):
        struct.pack_into("<HHIII", data, place, 1, 0xFFFF, 1, 16, 16)
    tags = [(VERNEED, 8192), (VERNEEDNUM, 80_000), (STRTAB, size - 64), (STRSZ, 64)]
    return dynamic(data, 4096, tags)


def many_arm_attributes() -> bytes:
    data = elf(size=8 * MIB, sections=1, machine=40)
    start, length = 4096, 7 * MIB
    struct.pack_into(
        "<IIQQQQIIQQ", data, len(data) - 64, 0, 0x70000003, 0, 0, start, length, 0, 0, 1, 0
    )
    data[start : start + 11] = b"A" + struct.pack("<I", length - 1) + b"aeabi\0"
    data[start + 11 : start + 16] = b"\1" + struct.pack("<I", length - 11)
    data[start + 16 : start + length] = b"\x08\x01" * ((length - 16) // 2)
    return bytes(data)


def many_notes() -> bytes:
    data = elf(*[(4, 4096, 4 * MIB)] * 60_000, size=8 * MIB)
    return bytes(data)


def many_symbols() -> bytes:
    """Return a program that exports a hundred thousand symbols: odd, and whole."""
    count = 100_500
    size = 4 * MIB
    data = elf((DYNAMIC, 8192, 4096), (LOADER, 4096, 28), size=size)
    data[4096 : 4096 + 28] = b"/lib64/ld-linux-x86-64.so.2\0"
    data[16384 : 16384 + 24 * count] = (
        struct.pack("<IBBHQQ", 1, 0x12, 0, 7, 4096, 8) * count
    )
    struct.pack_into("<2I", data, 12288, 1, count)
    return dynamic(
        data,
        8192,
        [
            (HASH, 12288),
            (SYMTAB, 16384),
            (STRTAB, size - 4096),
            (STRSZ, 4096),
            (0x6FFFFFFB, 1 << 27),
        ],
    )


def slices_over_one_header() -> bytes:
    one = bytearray(headers.mach_o())
    commands = 131_000
    one[16:24] = struct.pack("<II", commands, 8 * commands)
    body = bytes(one[:32]) + struct.pack("<II", 0x26, 8) * commands
    table = b"".join(
        struct.pack(">5I", number, 0, 4096, len(body), 0) for number in range(20)
    )
    return (struct.pack(">II", 0xCAFEBABE, 20) + table).ljust(4096, b"\0") + body


def signed(size: int, directories: int, power: int) -> bytes:
    """Return a program with directories of hashes for `size` bytes, all of them wrong, in pages of a size."""
    program = headers.mach_o()
    count = -(-size // (1 << power))
    start = 12 + 8 * directories
    index = b"".join(
        struct.pack(">II", 0x1000 * bool(n), start) for n in range(directories)
    )
    words = (44 + 32 * count, 0x20001, 2, 44, 44, 0, count, size)
    directory = struct.pack(">9I4BI", 0xFADE0C02, *words, 32, 2, 0, power, 0)
    blob = struct.pack(">III", 0xFADE0CC0, start + len(directory), directories) + index
    data = bytearray(program.ljust(size, b"\0") + blob + directory + b"\1" * (32 * count))
    place = program.index(struct.pack("<II", 0x1D, 16))
    struct.pack_into("<II", data, place + 8, size, len(data) - size)
    return bytes(data)


def many_hashes_of_few_bytes() -> bytes:
    return signed(4 * MIB, 1, 0)


def many_directories() -> bytes:
    return signed(32 * MIB, 64, 12)


def many_imports() -> bytes:
    """Return a million symbols to be found elsewhere, each with a name of its own."""
    count, size = 990_000, 30 * MIB
    strings = 16384 + 24 * count
    data = elf((DYNAMIC, 8192, 4096), (LOADER, strings + 1, 300), size=size)
    symbols = b"".join(
        struct.pack("<IBBHQQ", number + 1, 0x12, 0, 0, 0, 0) for number in range(count)
    )
    data[16384 : 16384 + len(symbols)] = symbols
    data[strings : strings + count + 300] = (
        b"\0" + (b"a" * 250 + b"\0") * (count // 251) + bytes(299 + count % 251)
    )
    struct.pack_into("<2I", data, 12288, 1, count)
    return dynamic(
        data,
        8192,
        [
            (NEEDED, 1),
            (HASH, 12288),
            (SYMTAB, 16384),
            (STRTAB, strings),
            (STRSZ, count + 300),
        ],
    )


def many_libraries() -> bytes:
    """Return a file with imports that have no end mark."""
    data = bytearray(headers.pe(code=bytes(16 * MIB)))
    struct.pack_into("<II", data, 64 + 24 + 120, 0x1000, 16 * MIB)
    data[512:] = struct.pack("<5I", 1, 0, 0, 0x1000, 1) * ((len(data) - 512) // 20) + bytes(
        (len(data) - 512) % 20
    )
    return bytes(data)


@pytest.mark.long
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (many_dynamic_segments, "2001 program headers"),
        (two_dynamic_segments, "2 dynamic segments"),
        (long_names, "a name does not end within 4096 bytes"),
        (long_loader, "the loader's name does not end within 4096 bytes"),
        (many_tags, "its dynamic segment has more than 10000 entries"),
        (large_hash_table, "tags "),
        (large_old_hash_table, "more than 1000000 dynamic symbols, which no program has"),
        (overlapping_versions, "needs more than 20000 symbol versions"),
        (many_arm_attributes, "does not say which Arm it needs"),
        (many_notes, "60001 program headers"),
        (many_names, "tags "),
        (many_code_segments, "tags "),
        (slices_of_many_commands, "no macOS platform tag"),
        (many_sections, "60000 sections"),
        (many_symbols, "tags manylinux_2_5_x86_64"),
        (many_imports, "imports more than 100000 symbols"),
        (slices_over_one_header, "its slices overlap"),
        (many_hashes_of_few_bytes, "changed after it was signed"),
        (many_directories, "changed after it was signed"),
        (many_libraries, "is damaged"),
        (lambda: headers.elf(code=headers.CODE * (100 * MIB)), "tags "),
    ],
)
def test_a_file_made_to_cost_is_answered_in_bounds(
    make: Callable[[], bytes], words: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(make())
    must_answer(tmp_path / "file", words)


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(headers.elf())
    os.truncate(path, 511 * MIB)
    must_answer(path, "is damaged: its end is zeros")
    path.write_bytes(b"")
    os.truncate(path, 511 * MIB)
    must_answer(path, "neither ELF, Mach-O nor PE")


@pytest.mark.long
@pytest.mark.parametrize("system", ["macos", "windows"])
def test_a_large_signed_file_is_looked_at_once(tmp_path: Path, system: str) -> None:
    path = tmp_path / "file"
    # A third of the largest file that is read, and of the time.
    size = 160 * MIB
    if system == "macos":
        path.write_bytes(signed(size, 64, 12))
    else:
        path.write_bytes(headers.pe())
        os.truncate(path, size + 4096)
        with path.open("r+b") as file:
            file.seek(64 + 24 + 112 + 4 * 8)
            file.write(struct.pack("<II", size, 4096))
            file.seek(size)
            file.write(WRONG_SHA256)
    # The mapped file counts as memory, as far as it is looked at.
    most = MOST_MEMORY + size // 1000
    must_answer(path, "changed after it was signed", most, SECONDS // 3)


def must_answer(
    path: Path, words: str, most: int = MOST_MEMORY, limit: int = SECONDS
) -> None:
    result = subprocess.run(
        [sys.executable, "-c", READ, path, str(limit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=clean(path.parent / "home"),
    )
    assert result.returncode == 0, result.stderr or "it ran out of time"
    answer, figures = result.stdout.splitlines()
    assert words in answer
    assert not [
        word for word in ("Error", "decoding", "struct", "mapping") if word in answer
    ]
    seconds, memory = figures.split()
    print(f"{float(seconds):.2f} s, {int(memory) // 1000} MB: {answer}")  # noqa: T201 - figures for whoever runs it
    assert int(memory) < most

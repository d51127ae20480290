"""The smallest ELF, Mach-O and PE programs, written from fields: what a loader reads, and nothing to run."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence

ELF_MACHINES = {"i686": 3, "x86_64": 62, "aarch64": 183, "riscv64": 243, "s390x": 22}
MACH_O_CPUS = {"x86_64": 0x01000007, "aarch64": 0x0100000C}
PE_MACHINES = {"x86_64": 0x8664, "aarch64": 0xAA64, "i686": 0x014C}
GLIBC_LOADER = "/lib64/ld-linux-x86-64.so.2"
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_SONAME = 1, 5, 10, 14
DT_RUNPATH, DT_FLAGS_1 = 29, 0x6FFFFFFB
DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
DT_DEPAUDIT, DT_AUDIT = 0x6FFFFEFB, 0x6FFFFEFC
# An instruction that returns, where a program starts.
CODE = b"\xc3"


class _Strings:
    """A string table, and where each text begins in it."""

    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        place = len(self.data)
        self.data += text.encode() + b"\0"
        return place


def elf(
    cpu: str = "x86_64",
    *,
    loader: str | None = GLIBC_LOADER,
    needed: Sequence[str] = ("libc.so.6",),
    versions: Mapping[str, Sequence[str]] | None = None,
    kind: int = 3,
    osabi: int = 0,
    soname: str | None = None,
    run_path: str | None = None,
    audit: str | None = None,
    alignment: int = 1 << 16,
    code: bytes = b"",
    code_first: bool = False,
) -> bytes:
    """Return a 64-bit ELF file; `kind` 3 is position-independent, 2 is not. s390x is written big-endian."""
    order = ">" if cpu == "s390x" else "<"
    strings = _Strings()
    libraries = dict.fromkeys((*needed, *(versions or {})))
    tags = [(DT_NEEDED, strings.add(name)) for name in libraries]
    if soname:
        tags.append((DT_SONAME, strings.add(soname)))
    if run_path is not None:
        tags.append((DT_RUNPATH, strings.add(run_path)))
    if audit:
        tags.append((DT_AUDIT, strings.add(audit)))
    needs = _version_needs(versions or {}, strings, order)
    interp = (loader or "").encode() + b"\0"
    count = 1 + (loader is not None) + bool(tags)
    before, code = (code, b"") if code_first else (b"", code)
    at_interp = 64 + 56 * count + len(before)
    at_strings = at_interp + len(interp)
    at_needs = at_strings + len(strings.data)
    at_dynamic = at_needs + len(needs)
    tags += [(DT_STRTAB, at_strings), (DT_STRSZ, len(strings.data))]
    if needs:
        tags += [(DT_VERNEED, at_needs), (DT_VERNEEDNUM, len(versions or {}))]
    dynamic = (
        b"".join(struct.pack(f"{order}QQ", *tag) for tag in [*tags, (0, 0)])
        if count > 1
        else b""
    )
    size = at_dynamic + len(dynamic) + len(code)
    segments = [_segment(order, PT_LOAD, 0, size, alignment)]
    if loader is not None:
        segments.append(_segment(order, PT_INTERP, at_interp, len(interp)))
    if len(segments) < count:
        segments.append(_segment(order, PT_DYNAMIC, at_dynamic, len(dynamic)))
    ident = b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1, osabi]) + bytes(8)
    places, sizes = (0, 64, 0), (64, 56, count, 64, 0, 0)
    fields = (kind, ELF_MACHINES[cpu], 1, *places, 0, *sizes)
    header = ident + struct.pack(f"{order}HHIQQQIHHHHHH", *fields)
    parts = (*segments, before, interp, strings.data, needs, dynamic, code)
    return header + b"".join(parts)


def _segment(order: str, kind: int, offset: int, size: int, alignment: int = 1) -> bytes:
    flags = 5 if kind == PT_LOAD else 4  # the code is in the one segment that is loaded
    return struct.pack(
        f"{order}IIQQQQQQ", kind, flags, offset, offset, offset, size, size, alignment
    )


def _version_needs(
    versions: Mapping[str, Sequence[str]], strings: _Strings, order: str
) -> bytes:
    result = b""
    for number, (library, names) in enumerate(versions.items()):
        last = number == len(versions) - 1
        link = 0 if last else 16 + 16 * len(names)
        result += struct.pack(
            f"{order}HHIII", 1, len(names), strings.add(library), 16, link
        )
        for place, name in enumerate(names):
            link = 0 if place == len(names) - 1 else 16
            result += struct.pack(f"{order}IHHII", 0, 0, 2, strings.add(name), link)
    return result


def mach_o(
    cpu: str = "aarch64",
    *,
    minimum: tuple[int, int] = (11, 0),
    old: bool = False,
    kind: int = 2,
    signed: bool = True,
    cms: bytes | None = None,
    commands: Sequence[bytes] = (),
) -> bytes:
    """Return a thin 64-bit Mach-O file; `old` states the minimum as before macOS 10.14, `kind` 2 is a program.

    It is signed ad hoc, or by an identity with a message `cms`. `commands` are further load commands.
    """
    packed = minimum[0] << 16 | minimum[1] << 8
    if old:
        version = struct.pack("<IIII", 0x24, 16, packed, packed)
    else:
        version = struct.pack("<IIIIII", 0x32, 24, 1, packed, packed, 0)
    name = b"/usr/lib/libSystem.B.dylib\0".ljust(32, b"\0")
    dylib = struct.pack("<IIIIII", 0xC, 24 + len(name), 24, 0, 0, 0) + name
    length = len(code_signature(b"", cms)) if signed else 0
    # It starts in its own header.
    more = struct.pack("<IIQQ", 0x80000028, 24, 0, 0) + b"".join(commands)
    size = 32 + 72 + len(version) + len(dylib) + len(more) + 16 * signed
    signature = struct.pack("<IIII", 0x1D, 16, size, length) if signed else b""
    text = struct.pack("<II16sQQQQIIII", 0x19, 72, b"__TEXT", 0, size, 0, size, 5, 5, 0, 0)
    content = text + version + dylib + more + signature
    count = 4 + len(commands) + signed
    counts = (MACH_O_CPUS[cpu], 0, kind, count, len(content), 0, 0)
    code = struct.pack("<IIIIIIII", 0xFEEDFACF, *counts) + content
    return code + code_signature(code, cms) if signed else code


def load_command(kind: int, text: str) -> bytes:
    """Return a load command of macOS that is a text: a run path, or a library."""
    start = 12 if kind == 0x8000001C else 24
    content = bytes(start - 12) + text.encode() + b"\0"
    content += bytes(-len(content) - 12 & 7)
    return struct.pack("<III", kind, 12 + len(content), start) + content


# The kinds of hashes in a directory: number -> name, size (xnu, `cs_blobs.h`).
CODE_HASHES = {1: ("sha1", 20), 2: ("sha256", 32), 3: ("sha256", 20), 4: ("sha384", 48)}


def code_directory(code: bytes, kind: int = 2, count: int = 1) -> bytes:
    """Return a directory of the hashes of code that fits one page; `count` may be false."""
    algorithm, size = CODE_HASHES[kind]
    name = b"a\0"
    hashes = 44 + len(name)
    words = (hashes + size, 0x20001, 2, hashes, 44, 0, count, len(code), size, kind)
    digest = hashlib.new(algorithm, code).digest()[:size]
    return struct.pack(">9I4BI", 0xFADE0C02, *words, 0, 12, 0) + name + digest


def code_signature(code: bytes, cms: bytes | None = None, *directories: bytes) -> bytes:
    """Return a signature, as `codesign` writes it; without directories, with that of the code."""
    listed = directories or (code_directory(code),)
    blobs = [(0x1000 + number if number else 0, blob) for number, blob in enumerate(listed)]
    if cms is not None:
        blobs.append((0x10000, struct.pack(">II", 0xFADE0B01, 8 + len(cms)) + cms))
    start, index, content = 12 + 8 * len(blobs), b"", b""
    for kind, blob in blobs:
        index += struct.pack(">II", kind, start + len(content))
        content += blob
    length = start + len(content)
    return struct.pack(">III", 0xFADE0CC0, length, len(blobs)) + index + content


def universal(*slices: bytes) -> bytes:
    """Return a universal Mach-O file of these slices."""
    offset = 8 + 20 * len(slices)
    table = b""
    for data in slices:
        cpu = struct.unpack_from("<I", data, 4)[0]
        table += struct.pack(">5I", cpu, 0, offset, len(data), 0)
        offset += len(data)
    return struct.pack(">II", 0xCAFEBABE, len(slices)) + table + b"".join(slices)


def pe(
    cpu: str = "x86_64",
    *,
    dll: bool = False,
    flags: int = 0x60000020,
    code: bytes = CODE,
    data: bytes = b"",
    data_flags: int = 0x40000040,
) -> bytes:
    """Return a PE32+ file with one section, of these flags, and perhaps one of data, and no imports."""
    size = -(-max(len(code), 512) // 512) * 512
    dos = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    kind = 0x0022 | (0x2000 if dll else 0)
    coff = struct.pack("<HHIIIHH", PE_MACHINES[cpu], 1 + bool(data), 0, 0, 0, 240, kind)
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, size, 0, 0, 0x1000, 0x1000)
    versions = (6, 0, 0, 0, 6, 0)
    fields = (0x140000000, 0x1000, 512, *versions, 0, 0x1000 + size, 512, 0, 3, 0)
    optional += struct.pack("<QIIHHHHHHIIIIHH", *fields)
    optional += struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    optional += bytes(128)
    section = struct.pack(
        "<8sIIIIIIHHI", b".text", size, 0x1000, size, 512, 0, 0, 0, 0, flags
    )
    if data:
        place = (512 + size, 0, 0, 0, 0, data_flags)
        address = 0x1000 + -(-size // 0x1000) * 0x1000
        section += struct.pack(
            "<8sIIIIIIHHI", b".data", len(data), address, len(data), *place
        )
    head = dos + b"PE\0\0" + coff + optional + section
    return head.ljust(512, b"\0") + code.ljust(size, b"\0") + data

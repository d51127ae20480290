"""The crates that a Rust program was built from, where `cargo auditable` left their list in it.

Format: https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md: a section
`.dep-v0` with JSON, compressed by zlib.
"""

import json
import zlib

from leanspec_build.errors import BuildError

from . import mach_o, pe
from .elf_file import ElfFile
from .facts import EmbeddedPackage, Executable, FileFormat
from .view import Bytes

SECTION = b".dep-v0"
# What cargo-auditable's own reader takes at the most.
MOST_BYTES = 8 << 20


def embedded_crates(data: Bytes, executable: Executable) -> list[EmbeddedPackage]:
    """Return the crates that a program lists, without itself; none if it has no list, or a damaged one."""
    try:
        packed = _section(data, executable)
        if packed is None:
            return []
        listed = json.loads(zlib.decompressobj().decompress(packed, MOST_BYTES))
        return [
            EmbeddedPackage(
                "cargo",
                str(package["name"]),
                str(package["version"]),
                is_public=package["source"] == "crates.io",
            )
            for package in listed["packages"]
            if not package.get("root") and package.get("kind", "runtime") == "runtime"
        ]
    except (BuildError, LookupError, ValueError, TypeError, AttributeError, zlib.error):
        return []


def _section(data: Bytes, executable: Executable) -> bytes | None:
    if executable.format is FileFormat.ELF:
        return ElfFile(data).section(SECTION)
    if executable.format is FileFormat.PE:
        return pe.section(data, SECTION.decode())
    return mach_o.section(data, SECTION)

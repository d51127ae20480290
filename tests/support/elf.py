"""What a program needs of a Linux, as pyelftools reads it."""

from __future__ import annotations

import io
from typing import Any

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from packaging.version import Version

# The C library of each Linux, in its parts until glibc 2.34.
C_LIBRARY = {"libc.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2"}


def needed(data: bytes) -> set[str]:
    """Return the libraries that a program needs."""
    section = ELFFile(io.BytesIO(data)).get_section_by_name(".dynamic")
    assert isinstance(section, DynamicSection)
    tags: Any = section.iter_tags("DT_NEEDED")
    return {tag.needed for tag in tags}


def newest_glibc(data: bytes) -> Version:
    """Return the newest version of glibc that a program asks for."""
    section = ELFFile(io.BytesIO(data)).get_section_by_name(".gnu.version_r")
    assert isinstance(section, GNUVerNeedSection)
    names = [
        version.name for _, versions in section.iter_versions() for version in versions
    ]
    return max(Version(name.removeprefix("GLIBC_")) for name in names if "GLIBC_" in name)

"""Packages that a program was built from, as it lists them itself: crates of Rust, modules of Go.

`cargo auditable` leaves a section `.dep-v0` with JSON, compressed by zlib; format:
https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md. Go lists its modules in each program.
"""

import json
import re
import zlib
from collections.abc import Iterator

from leanspec_build.errors import BuildError

from . import mach_o, pe
from .elf_file import ElfFile
from .facts import STANDARD_LIBRARY, EmbeddedPackage, Executable, FileFormat
from .go_build import elf_data, information
from .view import Bytes, Range

CRATES = b".dep-v0"
# What cargo-auditable's own reader takes at the most.
MOST_BYTES = 8 << 20
# A released version of Go, as in `go1.27.3 X:nocoverageredesign`.
RELEASE = re.compile(r"go(\d+\.\d+(\.\d+)?((rc|beta)\d+)?)(?![-\w.])")


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
        return ElfFile(data).section(CRATES)
    if executable.format is FileFormat.PE:
        return pe.section(data, CRATES.decode())
    places = mach_o.section_places(data, CRATES)
    return next((data[start:end] for start, end in places), None)


def embedded_modules(data: Bytes, executable: Executable) -> list[EmbeddedPackage]:
    """Return the modules that a program lists, without its own; none if it has no list, or a damaged one."""
    try:
        lines = information(data, _data(data, executable))
    except BuildError:
        return []
    modules: list[EmbeddedPackage] = []
    for kind, path, *versions in lines:
        version = versions[0] if versions else ""
        if not path or path.endswith("/"):
            continue
        if kind == "go":
            match = RELEASE.match(path)
            # One that was built from Go's repository has no public version.
            modules.append(
                _module(
                    STANDARD_LIBRARY, match[1] if match else path, is_public=bool(match)
                )
            )
        elif kind == "dep":
            modules.append(_module(path, version))
        elif kind == "=>" and modules:
            # What was built in its place; a folder of the build machine has no version.
            replaced = modules.pop()
            module = _module(replaced.name, replaced.version, is_public=False)
            modules.append(_module(path, version) if version.startswith("v") else module)
    by_reference = {(module.name, module.version): module for module in modules}
    return list(by_reference.values())


def _module(path: str, version: str, *, is_public: bool = True) -> EmbeddedPackage:
    return EmbeddedPackage("golang", path, version, is_public=is_public)


def _data(data: Bytes, executable: Executable) -> Iterator[Range]:
    if executable.format is FileFormat.ELF:
        yield from elf_data(ElfFile(data))
    elif executable.format is FileFormat.PE:
        yield from pe.writable_sections(data)
    else:
        yield from mach_o.section_places(data, mach_o.GO_BUILD)

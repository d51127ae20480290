"""Modules that a Go program was built from, which Go lists in each program, and its standard library."""

import re
from collections.abc import Iterator

from leanspec_build.errors import BuildError

from . import mach_o, pe
from .elf_file import ElfFile
from .facts import STANDARD_LIBRARY, EmbeddedPackage, Executable, FileFormat
from .go_build import Range, elf_data, information
from .view import Bytes

SECTION = b"__go_buildinfo"
# A released version of Go, as in `go1.27.3 X:nocoverageredesign`.
RELEASE = re.compile(r"go(\d+\.\d+(\.\d+)?((rc|beta)\d+)?)(?![-\w.])")


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
            modules.append(_standard_library(path))
        elif kind == "dep":
            modules.append(_module(path, version))
        elif kind == "=>" and modules:
            modules[-1] = _replaced(modules[-1], path, version)
    by_reference = {(module.name, module.version): module for module in modules}
    return list(by_reference.values())


def _standard_library(version: str) -> EmbeddedPackage:
    """Return the library that came with a version of Go; one built from its repository has no public version."""
    match = RELEASE.match(version)
    number = match[1] if match else version
    return EmbeddedPackage("golang", STANDARD_LIBRARY, number, is_public=bool(match))


def _module(path: str, version: str) -> EmbeddedPackage:
    return EmbeddedPackage("golang", path, version, is_public=True)


def _replaced(module: EmbeddedPackage, path: str, version: str) -> EmbeddedPackage:
    """Return what was built in place of a module; a folder of the build machine has no version."""
    if version.startswith("v"):
        return _module(path, version)
    return EmbeddedPackage("golang", module.name, module.version, is_public=False)


def _data(data: Bytes, executable: Executable) -> Iterator[Range]:
    if executable.format is FileFormat.ELF:
        yield from elf_data(ElfFile(data))
    elif executable.format is FileFormat.PE:
        yield from pe.writable_sections(data)
    else:
        yield from mach_o.section_places(data, SECTION)

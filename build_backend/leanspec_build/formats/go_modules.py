"""The modules that a Go program was built from, which Go lists in each program."""

from __future__ import annotations

from collections.abc import Iterator

from leanspec_build.errors import BuildError

from . import mach_o, pe
from .elf_file import ElfFile
from .facts import EmbeddedPackage, Executable, FileFormat
from .go_build import Range, elf_data, information
from .view import Bytes

SECTION = b"__go_buildinfo"


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
        if kind == "dep":
            modules.append(_module(path, version))
        elif kind == "=>" and modules:
            modules[-1] = _replaced(modules[-1], path, version)
    by_reference = {(module.name, module.version): module for module in modules}
    return list(by_reference.values())


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

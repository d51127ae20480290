"""Reading a desktop bundle: everything is taken from its content, nothing from its name."""

from __future__ import annotations

import plistlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO
from xml.parsers.expat import ExpatError

import pefile
from debian.arfile import ArError
from debian.debfile import DebError, DebFile
from leanspec_build.archives import UNREADABLE
from leanspec_build.errors import BuildError
from leanspec_build.formats import pe
from leanspec_build.formats.elf_file import ELF_MAGIC
from leanspec_build.formats.executable import LARGEST_FILE, parse_executable
from leanspec_build.formats.facts import Executable
from leanspec_build.tags.platforms import KEY_CPUS, platform_key

from leanspec_launcher.commands import CommandError


class BundleFormat(StrEnum):
    """A format of desktop bundles, by its file name extension."""

    DEB = "deb"
    INSTALLER = "exe"
    IMAGE = "dmg"


SYSTEMS = {
    BundleFormat.DEB: "linux",
    BundleFormat.INSTALLER: "windows",
    BundleFormat.IMAGE: "darwin",
}
TITLES = {
    BundleFormat.DEB: "Debian package",
    BundleFormat.INSTALLER: "NSIS installer",
    BundleFormat.IMAGE: "disk image",
}
DEBIAN_CPUS = {"amd64": "x64", "arm64": "arm64"}
# NSIS, Source/exehead/fileform.h: flags, signature, magic, length of the header, length of all that
# follows.
FIRST_HEADER = struct.Struct("<II12sII")
NSIS_SIGNATURE, NSIS_MAGIC, NSIS_NO_CHECKSUM, NSIS_BLOCK = (
    0xDEADBEEF,
    b"NullsoftInst",
    4,
    512,
)
# The trailer of a UDIF image, big endian: magic, version, its own size, flags, three places, two
# segments, an id, the checksum of the data fork, the place of the property list. The rest is not
# needed here.
TRAILER = struct.Struct(">4sIII5QII16sII128sQQ")
TRAILER_SIZE, CRC32 = 512, 2
# Far above the property list of any image: a name and a place for each of its parts.
LONGEST_LIST, BLOCK = 64 << 20, 1 << 20
# What readers of a format raise for a damaged file, when they did not foresee the damage.
BROKEN = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    struct.error,
)


@dataclass(frozen=True)
class Bundle:
    """A desktop bundle, by what its bytes say."""

    path: Path
    format: BundleFormat
    cpu: str | None
    """Where the format states it."""
    version: str | None

    @property
    def system(self) -> str:
        """The operating system that it is for."""
        return SYSTEMS[self.format]


def read_bundle(path: Path) -> Bundle:
    """Return what a file is. Raises CommandError if it is not a complete bundle of a known format."""
    with path.open("rb") as file:
        head = file.read(8)
        file.seek(max(0, path.stat().st_size - TRAILER_SIZE))
        tail = file.read()
    if head == b"!<arch>\n":
        return _debian(path)
    if head.startswith(b"MZ"):
        return _installer(path)
    if tail.startswith(b"koly"):
        return _image(path, tail)
    called = path.suffix.lstrip(".")
    aside = (
        f", though it is called `.{called}`: is it truncated?"
        if called in list(BundleFormat)
        else ""
    )
    raise CommandError(
        f"`{path}` is not a desktop bundle: neither a Debian package, nor an NSIS installer, nor a disk image{aside}",
        hint="see why its job left it; only bundles belong into a `desktop-` artifact",
    )


def _damaged(path: Path, kind: BundleFormat, why: object) -> CommandError:
    return CommandError(
        f"`{path}` is not a complete {TITLES[kind]}: {why}",
        hint="download it again, or rebuild it",
    )


def _debian(path: Path) -> Bundle:
    """Read the control data (deb-control(5)), and look at every program inside."""
    try:
        with DebFile(str(path)) as package:
            control = package.debcontrol()
            architecture, version = control["Architecture"], control["Version"]
            found = set(_cpus(package))
    # python-debian lets what its readers raise through.
    except (DebError, ArError, *UNREADABLE, *BROKEN) as error:
        raise _damaged(path, BundleFormat.DEB, error) from None
    cpu = DEBIAN_CPUS.get(architecture)
    if cpu is None:
        raise CommandError(
            f"`{path}` is for the architecture `{architecture}`, which no platform has",
            hint="build it on one of the known platforms",
        )
    wrong = found - {f"linux-{cpu}"}
    if wrong:
        raise CommandError(
            f"`{path}` says `Architecture: {architecture}`, and holds a program for `{min(wrong)}`",
            hint="rebuild it on a machine with that CPU",
        )
    return Bundle(path, BundleFormat.DEB, cpu, version)


def _cpus(package: DebFile) -> Iterator[str]:
    """Yield the platform of each program and library. Raises ValueError for a damaged one."""
    archive = package.data.tgz()
    for member in archive:
        content = archive.extractfile(member) if member.isfile() else None
        # Any file may be large, and a sparse one large for nothing: most are not looked at.
        head = content.read(len(ELF_MAGIC)) if content else b""
        if content is None or head != ELF_MAGIC:
            continue
        if member.size > LARGEST_FILE:
            raise ValueError(f"`{member.name}` has {member.size} bytes")
        yield str(platform_key(_program_or_library(head + content.read(), member.name)))


def _program_or_library(data: bytes, name: str) -> Executable:
    """Read an ELF file of either kind: a static program has nothing of a library, and the other way round."""
    try:
        return parse_executable(data, name)
    except BuildError:
        try:
            return parse_executable(data, name, library=True)
        except BuildError as error:
            raise ValueError(error.message) from None


def _installer(path: Path) -> Bundle:
    """Read the PE header, NSIS's own first header behind it, and the version resource."""
    if path.stat().st_size > LARGEST_FILE:
        size = path.stat().st_size
        raise _damaged(path, BundleFormat.INSTALLER, f"{size} bytes are more than one has")
    data = path.read_bytes()
    try:
        program = pefile.PE(data=data, fast_load=True)
        program.parse_data_directories(
            [pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_RESOURCE"]]
        )
    # pefile lets what its readers raise through.
    except (pefile.PEFormatError, *BROKEN) as error:
        raise _damaged(path, BundleFormat.INSTALLER, error) from None
    start = program.get_overlay_data_start_offset() or len(data)
    start += -start % NSIS_BLOCK
    if len(data) < start + FIRST_HEADER.size:
        raise _damaged(
            path, BundleFormat.INSTALLER, "nothing follows the program: it installs nothing"
        )
    flags, signature, magic, _, length = FIRST_HEADER.unpack_from(data, start)
    if (signature, magic) != (NSIS_SIGNATURE, NSIS_MAGIC):
        raise CommandError(
            f"`{path}` is a Windows program, but not a complete NSIS installer",
            hint="build it with `nsis`",
        )
    end = start + length
    if not start + FIRST_HEADER.size + 4 <= end <= len(data):
        raise _damaged(
            path, BundleFormat.INSTALLER, f"{end} bytes are stated, {len(data)} are there"
        )
    stated = struct.unpack_from("<I", data, end - 4)[0]
    if not flags & NSIS_NO_CHECKSUM and zlib.crc32(data[NSIS_BLOCK : end - 4]) != stated:
        raise _damaged(path, BundleFormat.INSTALLER, "its checksum is another one")
    # NSIS's usual stub is 32-bit for every CPU, so it does not name one.
    cpu = KEY_CPUS.get(pe.CPUS.get(program.FILE_HEADER.Machine, ""))
    return Bundle(path, BundleFormat.INSTALLER, cpu, _product_version(program))


def _product_version(program: pefile.PE) -> str | None:
    """Return `ProductVersion` of the version resource (VS_VERSIONINFO); None if there is none."""
    for block in getattr(program, "FileInfo", []):
        for part in block:
            for table in getattr(part, "StringTable", []):
                found = table.entries.get(b"ProductVersion")
                if found:
                    return str(found.decode("utf-8", "replace"))
    return None


def _image(path: Path, tail: bytes) -> Bundle:
    """Read the trailer; verify that all parts it names exist, and the checksum of the data."""
    if len(tail) < TRAILER.size:
        raise _damaged(path, BundleFormat.IMAGE, f"its trailer has {len(tail)} bytes")
    (
        _, version, own, _, _, data_start, data_length, _, _, _, _, _, kind, _, checksum, list_start, list_length
    ) = TRAILER.unpack_from(tail)  # fmt: skip
    end = path.stat().st_size - TRAILER_SIZE
    if (
        own != TRAILER_SIZE
        or data_start + data_length > end
        or list_start + list_length > end
        or list_length > LONGEST_LIST
    ):
        raise _damaged(
            path,
            BundleFormat.IMAGE,
            f"its trailer (version {version}) names more than the {end} bytes before it",
        )
    with path.open("rb") as file:
        file.seek(data_start)
        found = _checksum(file, data_length)
        file.seek(list_start)
        try:
            plistlib.loads(file.read(list_length))
        except (plistlib.InvalidFileException, ExpatError, *BROKEN) as error:
            raise _damaged(
                path, BundleFormat.IMAGE, f"its property list cannot be read ({error})"
            ) from None
    if kind == CRC32 and found != int.from_bytes(checksum[:4], "big"):
        raise _damaged(path, BundleFormat.IMAGE, "the checksum of its data is another one")
    return Bundle(path, BundleFormat.IMAGE, None, None)  # both are inside, compressed


def _checksum(file: BinaryIO, size: int) -> int:
    """Return the CRC-32 of the next bytes of a file, which may be gigabytes."""
    total = 0
    while block := file.read(min(size, BLOCK)):
        total = zlib.crc32(block, total)
        size -= len(block)
    return total

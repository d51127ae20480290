"""Desktop bundles: their name by Tauri, their first bytes, and the checksum from the machine that built them."""

import re
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher._tables import PLATFORMS, Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest

# Tauri names a bundle after its product, version and CPU: `LeanSpec_0.3.1_x64-setup.exe`.
NAME = re.compile(r".+_(?P<version>[^_]+)_(?P<cpu>[a-z0-9]+)(?:-setup)?\.[a-z]+")
CHECKSUM = ".sha256"
UNIVERSAL = "universal"
"""Tauri's word for the CPU of an application that runs on both of macOS."""


@dataclass(frozen=True)
class BundleFormat:
    """A format of desktop bundles."""

    title: str
    extension: str
    tauri: str
    """Tauri's word for it: the value of its option, and the folder of its output."""
    magic: bytes
    place: int = 0
    """Where the magic is; from the end if negative."""
    target: str = ""
    """The target of Tauri's build, if it is not the machine's own."""


# By the first part of a platform's key. A disk image has no magic but the one of its trailer, the
# last 512 bytes (UDIF).
FORMATS = {
    "linux": BundleFormat("Debian package", ".deb", "deb", b"!<arch>\ndebian-binary"),
    "windows": BundleFormat("NSIS installer", "-setup.exe", "nsis", b"MZ"),
    "darwin": BundleFormat(
        "disk image", ".dmg", "dmg", b"koly", -512, "universal-apple-darwin"
    ),
}


@dataclass(frozen=True)
class Bundle:
    """A desktop bundle for a platform, or for both of macOS."""

    path: Path
    format: BundleFormat
    version: str
    label: str
    """The platform's key, or `darwin-universal`."""
    platforms: tuple[str, ...]


def format_for(platform: Platform) -> BundleFormat:
    """Return the format of a platform's bundle."""
    return FORMATS[platform.key.partition("-")[0]]


def read_bundle(path: Path, platform: Platform) -> Bundle:
    """Return the bundle for a platform. Raises CommandError if its name or its bytes are not those of one."""
    expected = format_for(platform)
    name = NAME.fullmatch(path.name)
    if name is None or not path.name.endswith(expected.extension):
        raise CommandError(
            f"`{path}` does not have the name of a {expected.title} by Tauri",
            hint="only the bundle for this platform belongs there",
        )
    label = platform.key
    system, _, cpu = label.partition("-")
    platforms: tuple[str, ...] = (label,)
    if system == "darwin" and name["cpu"] == UNIVERSAL:
        label = f"{system}-{UNIVERSAL}"
        platforms = tuple(key for key in PLATFORMS if key.startswith(f"{system}-"))
    elif name["cpu"] not in (cpu, *platform.machines):
        raise CommandError(
            f"`{path}` is for the CPU `{name['cpu']}`, expected `{platform.key}`",
            hint="check what its job built",
        )
    if not _has_magic(path, expected):
        raise CommandError(
            f"`{path}` is not a complete {expected.title}", hint="build it again"
        )
    return Bundle(
        path=path,
        format=expected,
        version=name["version"],
        label=label,
        platforms=platforms,
    )


def _has_magic(path: Path, expected: BundleFormat) -> bool:
    place = expected.place
    if place < 0:
        place += path.stat().st_size
    if place < 0:
        return False
    with path.open("rb") as file:
        file.seek(place)
        return file.read(len(expected.magic)) == expected.magic


def write_checksum(path: Path) -> None:
    """Write the checksum of a file next to it, as `sha256sum --check` reads it."""
    target = path.with_name(path.name + CHECKSUM)
    target.write_text(f"{digest(str(path))}  {path.name}\n", "utf-8")


def verify_checksum(path: Path) -> None:
    """Compare a file with its checksum. Raises CommandError if it is another, or there is none."""
    source = path.with_name(path.name + CHECKSUM)
    if not source.is_file():
        raise CommandError(
            f"`{source}` is missing", hint="`collect desktop` writes it next to the bundle"
        )
    if source.read_text("utf-8") != f"{digest(str(path))}  {path.name}\n":
        raise CommandError(
            f"`{path}` does not have the sha256 of its `{source.name}`",
            hint="download it again, or build it again",
        )

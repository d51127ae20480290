"""What other programs say of a wheel: its form, its content and its tags."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import macholib.MachO
import pefile
from macholib.mach_o import CPU_TYPE_NAMES, LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX
from packaging.utils import parse_wheel_filename

from leanspec_launcher.commands import CommandError
from scripts.tools.installers import create_environment, pip_install
from scripts.tools.processes import capture, clean_environment, must_succeed, own_program

PE_TAGS = {
    "IMAGE_FILE_MACHINE_AMD64": "win_amd64",
    "IMAGE_FILE_MACHINE_ARM64": "win_arm64",
    "IMAGE_FILE_MACHINE_I386": "win32",
}
FIRST_ARM_MACOS = 11
AUDITWHEEL_TAG = re.compile(r'following\s+platform\s+tag:\s+"([^"]+)"')
# A wheel of nothing but programs has no library, which is meant.
IGNORED = ("--ignore", "W007")


class Checkers:
    """Programs that check wheels, installed for this one run."""

    def __init__(self, folder: Path) -> None:
        self._programs = create_environment(folder)
        pip_install(self._programs, "check-wheel-contents", "wheel")

    def objections(self, wheel: Path) -> list[str]:
        """Return what the checkers have against a wheel; nothing if they accept it."""
        commands = (
            [own_program("twine"), "check", "--strict", str(wheel)],
            [str(self._programs / "check-wheel-contents"), *IGNORED, str(wheel)],
        )
        found = []
        for command in commands:
            done = capture(command, env=clean_environment(NO_COLOR="1"))
            if done.returncode:
                lines = (done.stdout + done.stderr).split()
                found.append(f"{Path(command[0]).name}: {' '.join(lines)}")
        return [*found, *self._repacked(wheel), *tag_objections(wheel)]

    def _repacked(self, wheel: Path) -> Iterator[str]:
        """Unpack and pack with the reference tool: the same files have to come out, under the same name."""
        with tempfile.TemporaryDirectory() as folder:
            self._do("unpack", "--dest", folder, str(wheel))
            (unpacked,) = Path(folder).iterdir()
            self._do("pack", "--dest-dir", folder, str(unpacked))
            packed = Path(folder, wheel.name)
            if not packed.is_file():
                yield "wheel pack: another name"
            elif _sums(packed) != _sums(wheel):
                yield "wheel pack: other files"

    def _do(self, *arguments: str) -> None:
        command = [str(self._programs / "wheel"), *arguments]
        must_succeed(capture(command, env=clean_environment()), f"`wheel {arguments[0]}`")


def _sums(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            info.filename: info.CRC
            for info in archive.infolist()
            if not info.is_dir() and not info.filename.endswith("/RECORD")
        }


def tag_objections(wheel: Path) -> Iterator[str]:
    """Compare a wheel's tags with what other readers of its programs see."""
    said = {tag.platform for tag in parse_wheel_filename(wheel.name)[3]}
    found = set(_tags(wheel))
    if not found or not found <= said:
        yield f"other readers see {', '.join(sorted(found)) or 'no program'}"


def _tags(wheel: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if "/scripts/" not in name:
                continue
            data = archive.read(name)
            if data.startswith(b"\x7fELF"):
                yield _by_auditwheel(wheel)
            elif data.startswith(b"MZ"):
                machine = pefile.PE(data=data, fast_load=True).FILE_HEADER.Machine
                yield PE_TAGS[pefile.MACHINE_TYPE[machine]]
            else:
                yield from _by_macholib(Path(archive.extract(name, folder)))


def _by_auditwheel(wheel: Path) -> str:
    done = capture([own_program("auditwheel"), "show", str(wheel)], env=clean_environment())
    match = AUDITWHEEL_TAG.search(done.stdout)
    if match is None:
        raise CommandError(f"auditwheel does not name a tag for `{wheel.name}`")
    return match[1]


def _by_macholib(path: Path) -> Iterator[str]:
    for header in macholib.MachO.MachO(str(path)).headers:
        for load, command, _ in header.commands:
            if load.cmd == LC_BUILD_VERSION:
                packed = int(command.minos)
            elif load.cmd == LC_VERSION_MIN_MACOSX:
                packed = int(command.version)
            else:
                continue
            cpu = CPU_TYPE_NAMES[header.header.cputype].lower()
            major, minor = packed >> 16, packed >> 8 & 0xFF
            if cpu == "arm64":
                major, minor = max((major, minor), (FIRST_ARM_MACOS, 0))
            if major >= FIRST_ARM_MACOS:
                major, minor = major + (minor > 0), 0
            yield f"macosx_{major}_{minor}_{cpu}"

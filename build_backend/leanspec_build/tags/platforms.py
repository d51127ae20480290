"""The names of platforms, as `linux-x64`: a system and a CPU."""

import platform
import sys
from collections.abc import Iterable

from leanspec_build.formats.facts import Executable

from .model import Promise

# Our platform keys name CPUs as Node does, and everything else as Linux does.
KEY_CPUS = {"x86_64": "x64", "aarch64": "arm64"}
# What names of platforms begin with, by the family of systems that a tag promises.
FAMILY_SYSTEMS = {
    "manylinux": "linux",
    "musllinux": "linux",
    "macosx": "darwin",
    "win": "windows",
    "win32": "windows",
}
MACHINE_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}


def platform_key(executable: Executable) -> str | None:
    """Return the name of the platform that an executable is for, as `linux-x64`.

    None for a universal file: it is for several.
    """
    keys = platform_keys(executable)
    return next(iter(keys)) if len(keys) == 1 else None


def platform_keys(executable: Executable) -> dict[str, str]:
    """Return the names of all platforms that an executable is for, each with its CPU."""
    return {f"{executable.system}-{KEY_CPUS.get(cpu, cpu)}": cpu for cpu in executable.cpus}


def possible_platforms(
    system: str, cpus: Iterable[str], libc: str | None = None
) -> frozenset[str]:
    """Return the names of all platforms that a program may be for: of both C libraries, if it names none."""
    endings = {"": libc != "musl", "-musl": libc != "glibc" and system == "linux"}
    names = [f"{system}-{KEY_CPUS.get(cpu, cpu)}" for cpu in cpus]
    return frozenset(
        name + ending for name in names for ending, is_one in endings.items() if is_one
    )


def machine_names(machines: Promise) -> set[str]:
    """Return the names of the platforms of machines, as `linux-x64`, or `linux-x64-musl` for those with musl."""
    return {_machine_name(family, cpu) for family, cpu in machines}


def _machine_name(family: str, cpu: str) -> str:
    # Windows and macOS have names of their own for the CPUs; `win32` has its CPU in its family.
    cpu = MACHINE_ALIASES.get(cpu, cpu) or "i686"
    libc = "-musl" if family == "musllinux" else ""
    return f"{FAMILY_SYSTEMS[family]}-{KEY_CPUS.get(cpu, cpu)}{libc}"


def host_platform_key() -> str:
    """Return the name of the platform that this Python runs on."""
    system = {"win32": "windows"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    cpu = MACHINE_ALIASES.get(machine, machine)
    return f"{system}-{KEY_CPUS.get(cpu, cpu)}"

"""The names of platforms, as `linux-x64`: a system and a CPU."""

from __future__ import annotations

import platform
import sys

from leanspec_build.formats.facts import Executable

# Our platform keys name CPUs as Node does, and everything else as Linux does.
KEY_CPUS = {"x86_64": "x64", "aarch64": "arm64"}
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


def host_platform_key() -> str:
    """Return the name of the platform that this Python runs on."""
    system = {"win32": "windows"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    cpu = MACHINE_ALIASES.get(machine, machine)
    return f"{system}-{KEY_CPUS.get(cpu, cpu)}"

"""Which machines may a wheel with this executable be promised to? All tag policy is here.

Standards: PEP 425 (compatibility tags), PEP 600 (manylinux), PEP 656 (musllinux), and the platform compatibility tags
page of the packaging specifications for macOS and Windows. The manylinux and musllinux policies are auditwheel's own
data.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .errors import BuildError
from .executable import Executable

WINDOWS_TAGS = {"x86_64": "win_amd64", "aarch64": "win_arm64", "i686": "win32"}
MACOS_CPUS = {"x86_64": "x86_64", "aarch64": "arm64"}
# Our platform keys name CPUs as Node does, and everything else as Linux does.
KEY_CPUS = {"x86_64": "x64", "aarch64": "arm64"}
MACHINE_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Tags:
    """Name the platforms that an executable may be promised to, and say why."""

    platforms: tuple[str, ...]
    """Platform tags, most specific first."""
    publishable: bool
    """Whether a public index takes a wheel with these tags: `linux_*` it refuses."""
    reasons: tuple[str, ...]


def platform_key(executable: Executable) -> str | None:
    """Return the name of the platform that an executable is for, as `linux-x64`.

    None for a universal file: it is for several.
    """
    if len(executable.cpus) != 1:
        return None
    return f"{executable.system}-{KEY_CPUS.get(executable.cpus[0], executable.cpus[0])}"


def host_platform_key() -> str:
    """Return the name of the platform that this Python runs on."""
    system = {"win32": "windows"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    cpu = MACHINE_ALIASES.get(machine, machine)
    return f"{system}-{KEY_CPUS.get(cpu, cpu)}"


def platform_tags(executable: Executable) -> Tags:
    """Derive the platform tags of an executable.

    Raises BuildError where no tag exists for its system or CPU.
    """
    if executable.format == "pe":
        return _windows_tags(executable)
    if executable.format == "mach-o":
        return _macos_tags(executable)
    if executable.system != "linux":
        raise BuildError(f"there is no platform tag for the system `{executable.system}`")
    return _linux_tags(executable)


def _windows_tags(executable: Executable) -> Tags:
    cpu = executable.cpus[0]
    if cpu not in WINDOWS_TAGS:
        raise BuildError(f"there is no Windows platform tag for the CPU `{cpu}`")
    return Tags((WINDOWS_TAGS[cpu],), publishable=True, reasons=(f"it is a PE file for {cpu}",))


def _macos_tags(executable: Executable) -> Tags:
    tags, reasons = [], []
    for cpu in executable.cpus:
        if cpu not in MACOS_CPUS:
            raise BuildError(f"there is no macOS platform tag for the CPU `{cpu}`")
        if cpu not in executable.macos_minimum:
            raise BuildError(f"the file does not say which macOS its {cpu} code needs at least")
        major, minor = executable.macos_minimum[cpu]
        # From macOS 11 on only the major version counts, and pip and packaging know minor 0 alone.
        floor = (major + (minor > 0), 0) if major > 10 else (major, minor)  # noqa: PLR2004 - macOS 10.x
        if cpu == "aarch64":
            floor = max(floor, (11, 0))  # the first macOS on this CPU
        tags.append(f"macosx_{floor[0]}_{floor[1]}_{MACOS_CPUS[cpu]}")
        reasons.append(f"its {cpu} code needs macOS {major}.{minor}")
    return Tags(tuple(tags), publishable=True, reasons=tuple(reasons))


def _linux_tags(executable: Executable) -> Tags:
    cpu = executable.cpus[0]
    if executable.loader is None and not executable.needed:
        return _static_linux_tags(cpu)
    family = "musllinux" if executable.libc == "musl" else "manylinux"
    policies = [policy for policy in _policies(family) if cpu in policy["symbol_versions"]]
    if not policies:
        return _local_only(cpu, f"there is no {family} policy for the CPU `{cpu}`")
    for policy in policies:
        if not any(_objections(executable, policy, cpu)):
            names = (policy["name"], *policy["aliases"])
            return Tags(
                tuple(f"{name}_{cpu}" for name in names),
                publishable=True,
                reasons=(_floor_reason(executable, policy["name"]),),
            )
    return _local_only(cpu, *_objections(executable, policies[-1], cpu))


def _static_linux_tags(cpu: str) -> Tags:
    lowest = [
        next((policy for policy in _policies(family) if cpu in policy["symbol_versions"]), None)
        for family in ("manylinux", "musllinux")
    ]
    names = [name for policy in lowest if policy is not None for name in (policy["name"], *policy["aliases"])]
    if not names:
        return _local_only(cpu, f"there is no manylinux policy for the CPU `{cpu}`")
    reason = "it is statically linked and needs no libc of the system's"
    return Tags(tuple(f"{name}_{cpu}" for name in names), publishable=True, reasons=(reason,))


def _local_only(cpu: str, *reasons: str) -> Tags:
    return Tags((f"linux_{cpu}",), publishable=False, reasons=reasons)


def _objections(executable: Executable, policy: dict[str, Any], cpu: str) -> Iterator[str]:
    """Say what in the executable a policy does not allow."""
    libraries = set(policy["lib_whitelist"])
    for library in executable.needed:
        # The loader itself counts as part of libc, as in auditwheel.
        if library not in libraries and not library.startswith(("ld-linux", "ld64.so.", "libc.musl-", "ld-musl-")):
            yield f"`{library}` is not among the libraries that `{policy['name']}` allows"
    known = policy["symbol_versions"][cpu]
    for library, versions in executable.symbol_versions.items():
        if library not in libraries and not library.startswith(("ld-linux", "ld64.so.")):
            continue  # named above already
        for version in versions:
            prefix, _, number = version.partition("_")
            if prefix in known and number not in known[prefix]:
                yield f"`{version}` of `{library}` is newer than `{policy['name']}`"


def _floor_reason(executable: Executable, name: str) -> str:
    highest = max(
        (
            (tuple(int(part) for part in version.removeprefix("GLIBC_").split(".")), version, library)
            for library, versions in executable.symbol_versions.items()
            for version in versions
            if version.startswith("GLIBC_") and version.removeprefix("GLIBC_").replace(".", "").isdigit()
        ),
        default=None,
    )
    if highest is None:
        return f"`{name}` allows all that it needs"
    return f"it needs {highest[1]} of `{highest[2]}`; `{name}` is the lowest policy that allows all that it needs"


@functools.cache
def _policies(family: str) -> list[dict[str, Any]]:
    """Return auditwheel's policies of a family, the oldest system first."""
    data = importlib.resources.files("auditwheel").joinpath(f"policy/{family}-policy.json").read_text("utf-8")
    policies = [policy for policy in json.loads(data) if policy["name"] != "linux"]
    return sorted(policies, key=lambda policy: -int(policy["priority"]))

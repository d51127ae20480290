"""Which machines may a wheel with this executable be promised to? All tag policy is here.

Standards: PEP 425 (compatibility tags), PEP 600 (manylinux), PEP 656 (musllinux), and the platform
compatibility tags page of the packaging specifications for macOS and Windows. The manylinux and
musllinux policies are auditwheel's own data.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import BuildError
from .facts import Executable, Format, Signature
from .system_libraries import VISUAL_CPP, foreign_on_macos, foreign_on_windows

WINDOWS_TAGS = {"x86_64": "win_amd64", "aarch64": "win_arm64", "i686": "win32"}
MACOS_CPUS = {"x86_64": "x86_64", "aarch64": "arm64"}
# Our platform keys name CPUs as Node does, and everything else as Linux does.
KEY_CPUS = {"x86_64": "x64", "aarch64": "arm64"}
MACHINE_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}
# The loader that every system of a CPU has (the psABI of each); another one is there on the build
# machine alone.
GLIBC_LOADERS = {
    "i686": "/lib/ld-linux.so.2",
    "x86_64": "/lib64/ld-linux-x86-64.so.2",
    "aarch64": "/lib/ld-linux-aarch64.so.1",
    "armv7l": "/lib/ld-linux-armhf.so.3",
    "ppc64le": "/lib64/ld64.so.2",
    "s390x": "/lib/ld64.so.1",
    "riscv64": "/lib/ld-linux-riscv64-lp64d.so.1",
    "loongarch64": "/lib64/ld-linux-loongarch-lp64d.so.1",
}
MUSL_LOADER = re.compile(r"/lib/ld-musl-[a-z0-9_]+\.so\.1")
LOADER_LIBRARY = re.compile(
    r"ld-linux.*\.so\.\d|ld64\.so\.\d|ld-musl-.*\.so\.1|libc\.musl-.*\.so\.1"
)
FIRST_ARM_MACOS = (11, 0)
# What the public index takes (its own upload check, 2026); it refuses every other platform tag.
INDEX_TAGS = re.compile(
    r"win32|win_amd64|win_arm64|linux_armv[67]l"
    r"|macosx_(10_\d+|(11|12|13|14|15|26)_0)_(x86_64|arm64|universal2)"
    r"|manylinux(1|2010)_(x86_64|i686)|manylinux2014_(x86_64|i686|aarch64|armv7l|ppc64|ppc64le|s390x)"
    r"|manylinux_\d+_\d+_(x86_64|i686|aarch64|armv7l|ppc64|ppc64le|s390x|riscv64)"
    r"|musllinux_\d+_\d+_(x86_64|i686|aarch64|armv7l|ppc64le|s390x|riscv64)"
)


@dataclass(frozen=True)
class Floor:
    """The oldest system that a project promises: `linux` with a glibc, or `darwin`."""

    system: str
    number: tuple[int, int]


# The older names of three policies (PEP 600).
LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


@dataclass(frozen=True)
class Tags:
    """Name the platforms that an executable may be promised to, and say why."""

    platforms: tuple[str, ...]
    """Platform tags, most specific first."""
    reasons: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    """What a tag cannot say, and a user may still stumble over."""

    @property
    def publishable(self) -> bool:
        """Whether a public index takes a wheel with these tags."""
        return bool(self.platforms) and all(
            INDEX_TAGS.fullmatch(tag) for tag in self.platforms
        )


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


def platform_tags(
    executable: Executable, bundled: Mapping[str, Executable] | None = None
) -> Tags:
    """Derive the platform tags of an executable.

    `bundled` are the shared libraries that the wheel brings along, by their file name. Raises
    BuildError where no tag exists for its system or CPU, or where no machine would run it.
    """
    if Signature.BROKEN in executable.signatures.values():
        raise BuildError(
            "it was changed after it was signed, so the system stops it, or warns of it",
            hint="sign it again, after `strip` and whatever else changes it",
        )
    if executable.format is Format.PE:
        return _windows_tags(executable)
    if executable.format is Format.MACH_O:
        return _macos_tags(executable)
    if executable.system != "linux":
        raise BuildError(f"there is no platform tag for the system `{executable.system}`")
    return _linux_tags(executable, bundled or {})


def of_all(parts: list[Tags]) -> Tags:
    """Return the tags of several programs that a wheel carries together: what each of them allows."""
    every = dict.fromkeys(tag for part in parts for tag in part.platforms)
    common = [
        tag for tag in every if all(_is_allowed(tag, part.platforms) for part in parts)
    ]
    cpus = {split_tag(tag)[2] for tag in every}
    local = [tag for tag in every if tag.startswith("linux_")]
    if local and len(cpus) == 1:
        common = local[:1]  # one of them is for this machine alone, so all are
    reasons = dict.fromkeys(reason for part in parts for reason in part.reasons)
    remarks = dict.fromkeys(remark for part in parts for remark in part.remarks)
    return Tags(tuple(common), tuple(reasons), tuple(remarks))


def _is_allowed(tag: str, allowed: tuple[str, ...]) -> bool:
    """Tell whether all machines of a tag are machines of one of the allowed tags."""
    family, number, cpu = split_tag(tag)
    others = map(split_tag, allowed)
    return any(
        (other, each) == (family, cpu) and number >= oldest
        for other, oldest, each in others
    )


def split_tag(tag: str) -> tuple[str, tuple[int, int], str]:
    """Return the family of systems that a platform tag promises, its oldest version, and the CPU."""
    versioned = re.fullmatch(r"(manylinux|musllinux|macosx)_(\d+)_(\d+)_(.+)", tag)
    if versioned:
        return versioned[1], (int(versioned[2]), int(versioned[3])), versioned[4]
    family, _, cpu = tag.partition("_")
    if family in LEGACY:
        return "manylinux", LEGACY[family], cpu
    return family, (0, 0), cpu


def read_floor(text: str) -> Floor:
    """Read a promised floor, as `glibc 2.28` or `macos 11.0`; raises BuildError for another form."""
    match = re.fullmatch(r"(glibc|macos) (\d+)\.(\d+)", text)
    if match is None:
        raise BuildError(
            f"the floor `{text}` is not of the form `glibc 2.28` or `macos 11.0`"
        )
    return Floor(
        {"glibc": "linux", "macos": "darwin"}[match[1]], (int(match[2]), int(match[3]))
    )


def exceeds(
    executable: Executable, cpu: str, floor: Floor, bundled: Mapping[str, Executable]
) -> str | None:
    """Say what in the code for a CPU is above a promised floor; None if nothing is.

    The derived tags decide, so that whatever raises one counts; for what gets none, the symbol
    versions do. Raises BuildError if the floor is of another system than the executable.
    """
    if executable.system != floor.system:
        raise BuildError(
            f"a floor of {floor.system} says nothing of an executable for {executable.system}"
        )
    if floor.system == "darwin":
        need = executable.macos_minimum.get(cpu)
        return (
            f"its {cpu} code needs macOS {_dotted(need)}"
            if need and need > floor.number
            else None
        )
    tags = platform_tags(executable, bundled)
    promised = [_manylinux(tag) for tag in tags.platforms]
    needed = executable.highest("GLIBC")
    lowest = min((number for number in promised if number), default=_numbers(needed or "0"))
    return tags.reasons[0] if lowest > floor.number else None


def _manylinux(tag: str) -> tuple[int, ...]:
    """Return the glibc that a manylinux tag promises; nothing for another tag, and for the old names of some."""
    match = re.match(r"manylinux_(\d+)_(\d+)_", tag)
    return (int(match[1]), int(match[2])) if match else ()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _windows_tags(executable: Executable) -> Tags:
    cpu = executable.cpus[0]
    if cpu not in WINDOWS_TAGS:
        raise BuildError(f"there is no Windows platform tag for the CPU `{cpu}`")
    if executable.packed:
        raise BuildError(
            "it is packed (by UPX, or another packer), which hides the libraries that it needs",
            hint="package the program as the compiler left it: virus scanners stop packed ones",
        )
    _must_need_nothing_foreign(foreign_on_windows(executable), "a clean Windows")
    runtime = [f"`{name}`" for name in executable.needed if VISUAL_CPP.fullmatch(name)]
    remarks = []
    if runtime:
        remedy = "link the C runtime in (`-C target-feature=+crt-static`)"
        remarks.append(
            f"it needs {', '.join(runtime)}, which a clean Windows lacks: {remedy}"
        )
    return Tags((WINDOWS_TAGS[cpu],), (f"it is a PE file for {cpu}",), tuple(remarks))


def _must_need_nothing_foreign(foreign: Iterator[str], where: str) -> None:
    """Raise BuildError for libraries that are on the machine that built a program, and not on its users' ones."""
    names = ", ".join(f"`{name}`" for name in foreign)
    if names:
        raise BuildError(
            f"it needs {names}, which {where} does not have",
            hint="link it statically: for OpenSSL, with the crate's feature `vendored`",
        )


def _macos_tags(executable: Executable) -> Tags:
    _must_need_nothing_foreign(
        foreign_on_macos(executable), "a macOS without Homebrew and the like"
    )
    floors = {cpu: _macos_floor(executable, cpu) for cpu in executable.cpus}
    reasons = tuple(
        f"its {cpu} code needs macOS {_dotted(executable.macos_minimum[cpu])}"
        for cpu in executable.cpus
    )
    tags = [
        f"macosx_{major}_{minor}_{MACOS_CPUS[cpu]}"
        for cpu, (major, minor) in floors.items()
    ]
    # A universal2 tag of macOS 10.x is taken by every Apple silicon, whose first system is 11.0:
    # where the arm64 code needs a newer one, only the two thin tags are true.
    if set(floors) == set(MACOS_CPUS) and floors["aarch64"] <= max(
        FIRST_ARM_MACOS, floors["x86_64"]
    ):
        tags.append("macosx_{}_{}_universal2".format(*floors["x86_64"]))
    return Tags(tuple(tags), reasons)


def _macos_floor(executable: Executable, cpu: str) -> tuple[int, int]:
    """Return the oldest macOS that a slice may be promised to, in the numbers that tags use."""
    if cpu not in MACOS_CPUS:
        raise BuildError(f"there is no macOS platform tag for the CPU `{cpu}`")
    if cpu not in executable.macos_minimum:
        raise BuildError(f"the file does not say which macOS its {cpu} code needs at least")
    if cpu == "aarch64" and executable.signatures[cpu] is Signature.NONE:
        raise BuildError(
            "its arm64 code is not signed, and Apple silicon kills what is not",
            hint="sign it on a Mac with `codesign --sign -`, or elsewhere with `rcodesign sign`",
        )
    major, minor = executable.macos_minimum[cpu]
    if cpu == "aarch64":
        major, minor = max((major, minor), FIRST_ARM_MACOS)
    # From macOS 11 on the major version counts, and tags have minor 0; 11.3 is not there on all of
    # 11.
    return (major + (minor > 0), 0) if major > 10 else (major, minor)  # noqa: PLR2004 - macOS 10.x


def _linux_tags(executable: Executable, bundled: Mapping[str, Executable]) -> Tags:
    cpu = executable.cpus[0]
    if executable.packed:
        return _local_only(
            cpu,
            "it is packed (by UPX, or another packer), which hides the libc and the libraries that it needs",
        )
    if executable.instructions:
        return _local_only(
            cpu,
            f"it says that it needs {executable.instructions}, which older machines do not have",
        )
    if executable.static:
        return _static_linux_tags(cpu)
    family = "musllinux" if executable.libc == "musl" else "manylinux"
    policies = [policy for policy in _policies(family) if cpu in policy["symbol_versions"]]
    if family == "musllinux":
        policies = policies[
            -1:
        ]  # musl has no symbol versions: nothing in the bytes justifies an older one
    if not policies:
        return _local_only(cpu, f"there is no {family} policy for the CPU `{cpu}`")
    parts = [executable, *bundled.values()]
    found: list[str] = []
    for policy in policies:
        lower = found
        every = [
            objection
            for part in parts
            for objection in _objections(part, policy, cpu, bundled)
        ]
        newer = _newer_versions(_versions_of_all(parts), policy, cpu)
        found = list(dict.fromkeys([*every, *newer]))
        if not found:
            names = (policy["name"], *policy["aliases"])
            reason = _lowest(policy["name"], cpu, lower)
            if family == "musllinux":
                reason = "it is linked to musl, whose version the bytes do not say"
            return Tags(tuple(f"{name}_{cpu}" for name in names), (reason,))
    return _local_only(cpu, *found)


def _lowest(policy: str, cpu: str, lower: list[str]) -> str:
    """Say why a policy is the lowest for a program, by what the one below it objects to."""
    if not lower:
        return f"it needs nothing that `{policy}` lacks, the lowest policy for {cpu}"
    return (
        f"{', '.join(lower)}; `{policy}` is the lowest policy that allows all that it needs"
    )


def _static_linux_tags(cpu: str) -> Tags:
    lowest = [
        next(
            (policy for policy in _policies(family) if cpu in policy["symbol_versions"]),
            None,
        )
        for family in ("manylinux", "musllinux")
    ]
    names = [
        name
        for policy in lowest
        if policy is not None
        for name in (policy["name"], *policy["aliases"])
    ]
    if not names:
        return _local_only(cpu, f"there is no manylinux policy for the CPU `{cpu}`")
    return Tags(
        tuple(f"{name}_{cpu}" for name in names),
        ("it is statically linked and needs no libc of the system's",),
    )


def _local_only(cpu: str, *reasons: str) -> Tags:
    return Tags((f"linux_{cpu}",), reasons)


def _objections(
    executable: Executable,
    policy: dict[str, Any],
    cpu: str,
    bundled: Mapping[str, Executable],
) -> Iterator[str]:
    """Say what in the executable a policy does not allow."""
    name, libraries = policy["name"], set(policy["lib_whitelist"])
    yield from _loader_objection(executable, cpu)
    for library in executable.needed:
        # The loader itself counts as part of libc, as in auditwheel.
        if (
            library not in libraries
            and library not in bundled
            and not LOADER_LIBRARY.fullmatch(library)
        ):
            yield f"`{library}` is not among the libraries that `{name}` allows"
    for library, symbols in policy["blacklist"].items():
        if library in executable.needed:
            yield from (
                f"`{name}` does not allow `{each}` of `{library}`"
                for each in sorted(executable.imports & set(symbols))
            )


def _versions_of_all(parts: list[Executable]) -> dict[str, tuple[str, ...]]:
    """Return the symbol versions that a program and what it brings along need together."""
    found: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for library, versions in part.symbol_versions.items():
            found[library] = found.get(library, ()) + versions
    return found


def _newer_versions(
    needed: Mapping[str, tuple[str, ...]], policy: dict[str, Any], cpu: str
) -> Iterator[str]:
    """Say which symbol versions a policy does not know."""
    known = policy["symbol_versions"][cpu]
    for library, versions in needed.items():
        # Any other is named as a library, or brought along.
        if library in policy["lib_whitelist"] or LOADER_LIBRARY.fullmatch(library):
            for version in _too_new(versions, known):
                yield f"`{version}` of `{library}` is newer than `{policy['name']}`"


def _too_new(versions: tuple[str, ...], known: Mapping[str, list[str]]) -> list[str]:
    """Return the highest version of each kind (`GLIBC`, `GLIBCXX`) that a policy does not know."""
    highest: dict[str, str] = {}
    for version in sorted(versions, key=_natural):
        prefix, _, number = version.partition("_")
        if prefix in known and number not in known[prefix]:
            highest[prefix] = version
    return list(highest.values())


def _natural(version: str) -> tuple[list[tuple[int, str]], str]:
    """Return what orders versions by their numbers; not int(), which refuses a number of thousands of digits."""
    numbers = [digits.lstrip("0") for digits in re.findall(r"\d+", version)]
    return [(len(number), number) for number in numbers], version


def _loader_objection(executable: Executable, cpu: str) -> Iterator[str]:
    loader = executable.loader
    usual = GLIBC_LOADERS.get(cpu)
    if loader is not None and loader != usual and not MUSL_LOADER.fullmatch(loader):
        yield f"it asks for the loader `{loader}`, which other systems do not have (`{usual}` is the usual one)"


@functools.cache
def _policies(family: str) -> list[dict[str, Any]]:
    """Return auditwheel's policies of a family, the oldest system first."""
    data = (
        importlib.resources.files("auditwheel")
        .joinpath(f"policy/{family}-policy.json")
        .read_text("utf-8")
    )
    policies = [policy for policy in json.loads(data) if policy["name"] != "linux"]
    return sorted(policies, key=lambda policy: -int(policy["priority"]))

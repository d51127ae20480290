"""Tags of a Linux program: the lowest policy that allows all that it needs.

Standards: PEP 600 (manylinux) and PEP 656 (musllinux). The policies are auditwheel's own data.
"""

import functools
import importlib.resources
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from leanspec_build.errors import NoTagError
from leanspec_build.formats.arm import UNKNOWN as UNKNOWN_ARM
from leanspec_build.formats.facts import Executable, Libraries

from .model import IN_NO_POLICY, Tags, newer_machines
from .run_path import run_path_remarks, unsafe_folders

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
# The CPUs whose machines name themselves so; an installer has no name for any other.
LINUX_CPUS = {*GLIBC_LOADERS, "armv6l", "ppc64"}
# CPU without policies -> the one that runs its code, too, whose policies hold for both.
NEWER_CPUS = {"armv6l": "armv7l"}
# A policy of auditwheel, as its JSON has it.
Policy = dict[str, Any]
# The CPUs of which some systems have large pages.
LARGE_PAGES = ("aarch64", "ppc64", "ppc64le")
LARGEST_PAGE = 1 << 16
MUSL_LOADER = re.compile(r"/lib/ld-musl-[a-z0-9_]+\.so\.1")
LOADER_LIBRARY = re.compile(
    r"ld-linux.*\.so\.\d|ld64\.so\.\d|ld-musl-.*\.so\.1|libc\.musl-.*\.so\.1"
)


def linux_tags(executable: Executable, bundled: Libraries) -> Tags:
    """Return the tags of an ELF file with the libraries that the wheel brings along."""
    cpu = executable.cpus[0]
    if cpu == UNKNOWN_ARM:
        raise NoTagError(
            "it does not say which Arm it needs",
            hint="leave the section `.ARM.attributes` in, or Go's build information, which Go 1.18 and newer write",
        )
    if cpu not in LINUX_CPUS:
        raise NoTagError(f"there is no Linux platform tag for the CPU `{cpu}`")
    newer = NEWER_CPUS.get(cpu, cpu)
    tags = _tags([executable, *bundled.values()], bundled, newer)
    platforms, reasons = tags.platforms, tags.reasons
    if newer != cpu:
        more = () if tags.is_local else platforms
        platforms = (f"linux_{cpu}", *more)
        reasons += (f"{newer} machines run code for {cpu}",) * bool(more)
    return Tags(platforms, reasons, _remarks(executable), tags.is_local)


def _tags(parts: list[Executable], bundled: Libraries, cpu: str) -> Tags:
    """Return the tags for a CPU of a program, which is the first part, and what it brings along."""
    executable = parts[0]
    family = "musllinux" if executable.libc == "musl" else "manylinux"
    libraries = _libraries_of_all(family, cpu)
    foreign = [
        f"`{library}` {IN_NO_POLICY.format(family)}"
        for part in parts
        for library in part.needed
        # The loader itself counts as part of libc, as in auditwheel.
        if library not in {*libraries, *bundled} and not LOADER_LIBRARY.fullmatch(library)
    ]
    obstacles = [obstacle for part in parts for obstacle in _obstacles(part)]
    if obstacles:
        return _local_only(cpu, *foreign, *obstacles)
    if executable.static:
        return _static_linux_tags(cpu)
    policies = _policies(family, cpu)
    if not policies:
        return _without_policy(family, cpu)
    if family == "musllinux":
        # musl has no symbol versions: nothing in the bytes justifies an older one.
        policies = policies[-1:]
    objections: list[str] = []
    for policy in policies:
        lower = objections
        objections = [
            *foreign,
            *(line for part in parts for line in _objections(part, policy, cpu)),
            *_newer_versions(parts, policy, cpu),
        ]
        if not objections:
            reason = _lowest(policy["name"], cpu, lower)
            if family == "musllinux":
                reason = "it is linked to musl, whose version the bytes do not say"
            return Tags(_names(policy, cpu), (reason,))
    return _local_only(cpu, *objections)


def _remarks(executable: Executable) -> tuple[str, ...]:
    cpu, alignment = executable.cpus[0], executable.alignment
    remarks = () if executable.static else run_path_remarks(executable)
    if cpu not in LARGE_PAGES or alignment is None or alignment >= LARGEST_PAGE:
        return remarks
    pages = (
        f"its segments are aligned to {alignment} bytes, so it does not start on {cpu} systems"
        f" with larger pages: link it with `-Wl,-z,max-page-size={LARGEST_PAGE}`"
    )
    return (*remarks, pages)


def _obstacles(executable: Executable) -> Iterator[str]:
    """Say why an executable cannot be promised to any other machine."""
    if executable.packed:
        yield "it is packed (by UPX, or another packer), which hides the libc and the libraries that it needs"
    if executable.instructions:
        yield newer_machines(executable.instructions)
    if executable.static:
        return
    for folder in unsafe_folders(executable):
        yield (
            f"it looks for libraries in {folder} first, where others may put one:"
            " `patchelf --remove-rpath` takes it out"
        )
    for library in executable.audit_libraries:
        yield f"it has the loader run the audit library `{library}`, which other systems do not have"


def _lowest(policy: str, cpu: str, lower: list[str]) -> str:
    """Say why a policy is the lowest for a program, by what the one below it objects to."""
    if not lower:
        return f"it needs nothing that `{policy}` lacks, the lowest policy for {cpu}"
    objections = ", ".join(dict.fromkeys(lower))
    return f"{objections}; `{policy}` is the lowest policy that allows all that it needs"


def _static_linux_tags(cpu: str) -> Tags:
    tags: list[str] = []
    for family in ("manylinux", "musllinux"):
        for policy in _policies(family, cpu)[:1]:
            tags += _names(policy, cpu)
    if not tags:
        return _without_policy("manylinux", cpu)
    return Tags(tuple(tags), ("it is statically linked and needs no libc of the system's",))


def _names(policy: Policy, cpu: str) -> tuple[str, ...]:
    return tuple(f"{name}_{cpu}" for name in (policy["name"], *policy["aliases"]))


def _local_only(cpu: str, *lines: str) -> Tags:
    reasons = tuple(dict.fromkeys(lines))
    # The index takes `linux_armv7l` from whoever made it, so the tag alone does not tell.
    return Tags((f"linux_{cpu}",), reasons, is_local=True)


def _without_policy(family: str, cpu: str) -> Tags:
    reason = f"there is no {family} policy for the CPU `{cpu}`"
    return Tags((f"linux_{cpu}",), (reason,))


def _objections(executable: Executable, policy: Policy, cpu: str) -> Iterator[str]:
    """Say what in the executable a policy does not allow, besides libraries of no policy, and versions."""
    name, libraries = policy["name"], policy["lib_whitelist"]
    loader, usual = executable.loader, GLIBC_LOADERS.get(cpu)
    if loader is not None and loader != usual and not MUSL_LOADER.fullmatch(loader):
        yield f"it asks for the loader `{loader}`, which other systems do not have (`{usual}` is the usual one)"
    others = _libraries_of_all(name.partition("_")[0], cpu).difference(libraries)
    for library in executable.needed:
        if library in others:
            yield f"`{library}` is not among the libraries that `{name}` allows"
    for library, symbols in policy["blacklist"].items():
        if library in executable.needed:
            for symbol in sorted(executable.imports & set(symbols)):
                yield f"`{name}` does not allow `{symbol}` of `{library}`"


def _newer_versions(parts: list[Executable], policy: Policy, cpu: str) -> Iterator[str]:
    """Say which symbol versions a policy does not know, of those that all parts need together."""
    needs: dict[str, list[str]] = {}
    for part in parts:
        for library, versions in part.symbol_versions.items():
            needs.setdefault(library, []).extend(versions)
    for library, all_versions in needs.items():
        # Any other is named as a library, or brought along.
        if library in policy["lib_whitelist"] or LOADER_LIBRARY.fullmatch(library):
            for version in _too_new(all_versions, policy["symbol_versions"][cpu]):
                yield f"`{version}` of `{library}` is newer than `{policy['name']}`"


def _too_new(versions: list[str], allowed: Mapping[str, list[str]]) -> list[str]:
    """Return the highest version of each kind (`GLIBC`, `GLIBCXX`) that a policy does not know."""
    highest: dict[str, str] = {}
    for version in sorted(versions, key=_natural):
        prefix, _, number = version.partition("_")
        if prefix in allowed and number not in allowed[prefix]:
            highest[prefix] = version
    return list(highest.values())


def _natural(version: str) -> tuple[list[tuple[int, str]], str]:
    """Return what orders versions by their numbers; not int(), which refuses a number of thousands of digits."""
    numbers = [digits.lstrip("0") for digits in re.findall(r"\d+", version)]
    return [(len(number), number) for number in numbers], version


@functools.cache
def _libraries_of_all(family: str, cpu: str) -> frozenset[str]:
    """Return the libraries that any policy of a family allows."""
    lists = (policy["lib_whitelist"] for policy in _policies(family, cpu))
    return frozenset(itertools.chain.from_iterable(lists))


@functools.cache
def _policies(family: str, cpu: str) -> list[Policy]:
    """Return auditwheel's policies of a family for a CPU, the oldest system first."""
    file = importlib.resources.files("auditwheel") / f"policy/{family}-policy.json"
    policies = [
        policy
        for policy in json.loads(file.read_text("utf-8"))
        if policy["name"] != "linux" and cpu in policy["symbol_versions"]
    ]
    return sorted(policies, key=lambda policy: -int(policy["priority"]))

"""The programs of one wheel, and the machines that they are for."""

import dataclasses
from collections.abc import Mapping

from leanspec_build.binaries import Binary
from leanspec_build.formats.facts import Version
from leanspec_build.tags.macos import FIRST_ARM_MACOS
from leanspec_build.tags.model import Promise, Tags, split_tag
from leanspec_build.tags.platforms import machine_names

# The families of systems whose C library a program for this machine alone may be linked to.
LIBC_FAMILIES = {
    "glibc": ("manylinux",),
    "musl": ("musllinux",),
    None: ("manylinux", "musllinux"),
}


@dataclasses.dataclass(frozen=True)
class ProgramSet:
    """The programs of one wheel."""

    places: tuple[str, ...]
    """The folders and archives that they are from, mostly one."""
    binaries: Mapping[str, Binary]
    """By the name that the project states, in its order."""
    tags: Tags

    @property
    def place(self) -> str:
        """Where they are from, for people."""
        return " and ".join(self.places)

    @property
    def contents(self) -> tuple[str, ...]:
        """The digest of each program."""
        return tuple(binary.source.sha256 for binary in self.binaries.values())

    @property
    def machines(self) -> Promise:
        """The machines of the tags, by the C library and the CPU, each with its oldest system."""
        oldest: Promise = {}
        for tag in self.tags.platforms:
            for machine, number in self.machines_of(tag).items():
                oldest[machine] = min(number, oldest.get(machine, number))
        return oldest

    def machines_of(self, tag: str) -> Promise:
        """Return the machines of one of the tags: of both CPUs, and of each C library that it may be for."""
        family, number, cpu = split_tag(tag)
        if cpu == "universal2":
            arm_number = max(number, FIRST_ARM_MACOS)
            return {(family, "x86_64"): number, (family, "arm64"): arm_number}
        if family != "linux":
            return {(family, cpu): number}
        libcs = {binary.executable.libc for binary in self.binaries.values()}
        # A static program among others runs where they do.
        libc = next(iter(libcs - {None}), None)
        return {(name, cpu): number for name in LIBC_FAMILIES[libc]}

    def newest(self, platform: str) -> Version:
        """Return the version of the newest system that a tag for a platform names."""
        numbers = [
            number
            for tag in self.tags.platforms
            for number in self.machines_of(tag).values()
            if platform in machine_names(self.machines_of(tag))
        ]
        return max(numbers, default=(0, 0))

    @property
    def is_thin(self) -> bool:
        """Whether each program is for one CPU alone."""
        return all(len(binary.executable.cpus) == 1 for binary in self.binaries.values())

    @property
    def platforms(self) -> set[str]:
        """The names of the platforms of the tags, as `linux-x64`."""
        return machine_names(self.machines)

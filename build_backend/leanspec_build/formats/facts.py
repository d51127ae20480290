"""Facts of an executable from its headers, in one form for every format."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# Major and minor, of a macOS or a glibc.
Version = tuple[int, int]
# Library -> the symbol versions needed of it, as in `{"libc.so.6": ("GLIBC_2.34",)}`.
SymbolVersions = Mapping[str, tuple[str, ...]]
# The name under which databases of vulnerabilities have Go's standard library.
STANDARD_LIBRARY = "stdlib"


class FileFormat(enum.StrEnum):
    """Format of an executable."""

    ELF = "elf"
    MACH_O = "mach-o"
    PE = "pe"


class Signature(enum.StrEnum):
    """Signer of an executable, as far as the file names one."""

    NONE = "not signed"
    AD_HOC = "signed ad hoc"
    IDENTITY = "signed by an identity"
    AUTHENTICODE = "signed (Authenticode)"
    BROKEN = "changed after it was signed"


@dataclass(frozen=True)
class Executable:
    """The facts in a file's headers.

    The CPU names are those of the Linux platform tags (`x86_64`, `aarch64`, `i686`, ...) for every
    format.
    """

    format: FileFormat
    system: str
    """`linux`, `darwin`, `windows`, or another system that the file names."""
    cpus: tuple[str, ...]
    """One for a thin file, one a slice for a universal file, in the file's order."""
    bits: int
    byte_order: str
    loader: str | None = None
    """The program interpreter that an ELF file asks for; None where it needs none."""
    libc: str | None = None
    """`glibc` or `musl`; None where no libc is linked dynamically."""
    needed: tuple[str, ...] = ()
    """The shared libraries that the loader must find, in the file's order."""
    symbol_versions: SymbolVersions = field(default_factory=dict)
    run_path: tuple[str, ...] = ()
    """The folders that libraries are looked for in before those of the system."""
    audit_libraries: tuple[str, ...] = ()
    """The libraries that an ELF file has the loader run before it."""
    alignment: int | None = None
    """The least alignment of an ELF file's segments: a system with larger pages cannot load it."""
    imports: frozenset[str] = frozenset()
    """The symbols that an ELF file must find in libraries; a weak one may be missing."""
    packed: bool = False
    """Whether a packer (such as UPX) hides what the program inside needs."""
    instructions: str | None = None
    """The instructions that a file says it needs beyond those that each machine of its CPU has, as `x86-64-v3`."""
    macos_minimum: Mapping[str, Version] = field(default_factory=dict)
    """CPU -> the oldest macOS on which its slice starts."""
    macos_sdk: Mapping[str, Version] = field(default_factory=dict)
    """CPU -> the SDK that its slice was built with."""
    signatures: Mapping[str, Signature] = field(default_factory=dict)
    """CPU -> how its code is signed; nothing for ELF, which has no signatures."""

    @property
    def static(self) -> bool:
        """Whether an ELF file needs neither a loader nor a library."""
        return self.format is FileFormat.ELF and self.loader is None and not self.needed

    def highest(self, prefix: str) -> str | None:
        """Return the highest symbol version needed of a kind, as `GLIBC` -> `2.34`."""
        numbers = [
            version.removeprefix(f"{prefix}_")
            for versions in self.symbol_versions.values()
            for version in versions
            if re.fullmatch(rf"{prefix}_[0-9.]+", version)
        ]
        return max(
            numbers,
            key=lambda number: [int(part) for part in number.split(".") if part],
            default=None,
        )


# The shared libraries that a wheel brings along, by their file name.
Libraries = Mapping[str, Executable]


@dataclass(frozen=True)
class EmbeddedPackage:
    """A package that a program was built from, as the program itself lists it."""

    kind: str
    """The kind of its package URL: `cargo`, `golang`."""
    name: str
    version: str
    is_public: bool
    """Whether it is what the registry of its kind has under this name and version."""

    @property
    def path(self) -> str:
        """The path in its package URL: Go itself calls its standard library `std`."""
        return "std" if self.name == STANDARD_LIBRARY else self.name

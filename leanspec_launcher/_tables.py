"""The launcher's tables: the programs, the platforms, and the settings of a user.

On the hot path: each start loads this, so it imports nothing that the interpreter has not loaded.
"""

import os
import sys

# Environment variables. `LEANSPEC_CLI_BINARY` and its siblings belong to a program.
DIRECTORY_VARIABLE = "LEANSPEC_BINARIES_DIR"
VERIFY_VARIABLE = "LEANSPEC_VERIFY"
DEBUG_VARIABLE = "LEANSPEC_DEBUG"
# Not a setting: how many scripts that `LEANSPEC_*_BINARY` names have started each other.
SCRIPTS_VARIABLE = "LEANSPEC_SCRIPTS"
NPM_UI_VARIABLE = "LEANSPEC_NPM_UI"
ANYWHERE_VARIABLE = "LEANSPEC_MCP_ANYWHERE"
TYPESCRIPT_VARIABLE, TYPESCRIPT_OPTION = "LEANSPEC_USE_TS", "--use-typescript"
ON = ("1", "true", "yes", "on")


class Program:
    """A program of LeanSpec, and what its parts are called."""

    __slots__ = ("answers", "command", "ended", "extra", "name", "typescript")

    def __init__(
        self,
        name: str,
        command: str,
        *,
        extra: str = "",
        answers: "tuple[str, ...]" = (),
        typescript: bool = False,
        ended: str = "",
    ) -> None:
        self.name = name
        # The executable's name without `.exe`, and the command that starts it.
        self.command = command
        # The extra of `lean-spec` that brings it; empty if `lean-spec` itself does.
        self.extra = extra
        # Arguments that, alone, the launcher answers because the binary cannot: an exception to the
        # launch contract. `leanspec-mcp` 0.3.0 reads no argument and waits for its input.
        self.answers = answers
        # Whether 0.3 can still start its last release in TypeScript, which the pins name.
        self.typescript = typescript
        # The first version of LeanSpec without it; empty if this one has it. Its row stays, and its
        # command says what happened.
        self.ended = ended

    @property
    def package(self) -> str:
        """The import package that contains the executable."""
        return f"leanspec_{self.name}_bin"

    @property
    def distribution(self) -> str:
        """The distribution that contains the import package."""
        return f"leanspec-{self.name}-bin"

    @property
    def variable(self) -> str:
        """The environment variable that names another executable."""
        return f"LEANSPEC_{self.name.upper()}_BINARY"

    @property
    def requirement(self) -> str:
        """What a user installs to get it, without a version."""
        return f"lean-spec[{self.extra}]" if self.extra else "lean-spec"


class Programs(dict[str, Program]):
    """The programs of this release. One that LeanSpec no longer has is found by its name alone."""

    def __missing__(self, name: str) -> Program:
        """Return a program that LeanSpec no longer has."""
        return ENDED[name]


_PROGRAMS = (
    Program("cli", "leanspec", typescript=True),
    Program("mcp", "leanspec-mcp", answers=("--version", "--help")),
    Program("http", "leanspec-http", extra="ui"),
)
PROGRAMS = Programs({program.name: program for program in _PROGRAMS if not program.ended})
ENDED = {program.name: program for program in _PROGRAMS if program.ended}


class Platform:
    """A platform, and its names for us, Python, Rust and people."""

    __slots__ = ("key", "label", "machines", "suffix", "system", "target")

    def __init__(self, key: str, target: str, label: str) -> None:
        system, _, cpu = key.partition("-")
        self.key = key
        # `sys.platform`
        self.system = "win32" if system == "windows" else system
        # The system's names for the CPU, in lower case.
        self.machines = MACHINES.get(cpu, (cpu,))
        # Rust's target triple for a build of this platform on itself.
        self.target = target
        self.label = label
        # What the name of an executable ends with.
        self.suffix = ".exe" if system == "windows" else ""


# Names of a CPU, by the last part of a platform's key.
MACHINES = {"x64": ("x86_64", "amd64"), "arm64": ("arm64", "aarch64")}
PLATFORMS = {
    platform.key: platform
    for platform in (
        Platform("darwin-x64", "x86_64-apple-darwin", "macOS on Intel"),
        Platform("darwin-arm64", "aarch64-apple-darwin", "macOS on Apple silicon"),
        Platform("linux-x64", "x86_64-unknown-linux-gnu", "Linux on x86-64"),
        Platform("linux-arm64", "aarch64-unknown-linux-gnu", "Linux on arm64"),
        Platform("windows-x64", "x86_64-pc-windows-msvc", "Windows on x86-64"),
        Platform("windows-arm64", "aarch64-pc-windows-msvc", "Windows on arm64"),
    )
}


def machine() -> str:
    """Return what the system calls the CPU that this Python runs on, in lower case."""
    if sys.platform != "win32":
        return os.uname().machine.lower()
    # As sysconfig.get_platform(): the interpreter's own CPU, which is what an installer goes by.
    version = sys.version.lower()
    if "arm64" in version:
        return "arm64"
    return "amd64" if "amd64" in version else "x86"


def current() -> "Platform | None":
    """Return the platform of this machine; None if the table has none for it."""
    if sys.maxsize < 2**32:
        return None  # a 32-bit Python: its installer took no 64-bit wheel
    name = machine()
    for platform in PLATFORMS.values():
        if platform.system == sys.platform and name in platform.machines:
            return platform
    return None


def is_on(variable: str) -> bool:
    """Tell whether an environment variable says yes."""
    return os.environ.get(variable, "").lower() in ON

"""The one table of platforms, and which of them this machine is."""

import os
import sys


class Platform:
    """Hold how one platform is called: by us, by Python, by Rust, by people."""

    __slots__ = ("key", "label", "machines", "suffix", "system", "target")

    def __init__(
        self, key: str, system: str, machines: "tuple[str, ...]", target: str, label: str, suffix: str = ""
    ) -> None:
        self.key = key
        # `sys.platform`
        self.system = system
        # What the system calls the CPU, in lower case.
        self.machines = machines
        # Rust's target triple for a build of this platform on itself.
        self.target = target
        self.label = label
        # What the name of an executable ends with.
        self.suffix = suffix


_X64 = ("x86_64", "amd64")
_ARM64 = ("arm64", "aarch64")
PLATFORMS = {
    platform.key: platform
    for platform in (
        Platform("darwin-x64", "darwin", _X64, "x86_64-apple-darwin", "macOS on Intel"),
        Platform("darwin-arm64", "darwin", _ARM64, "aarch64-apple-darwin", "macOS on Apple silicon"),
        Platform("linux-x64", "linux", _X64, "x86_64-unknown-linux-gnu", "Linux on x86-64"),
        Platform("linux-arm64", "linux", _ARM64, "aarch64-unknown-linux-gnu", "Linux on arm64"),
        Platform("windows-x64", "win32", _X64, "x86_64-pc-windows-msvc", "Windows on x86-64", ".exe"),
        Platform("windows-arm64", "win32", _ARM64, "aarch64-pc-windows-msvc", "Windows on arm64", ".exe"),
    )
}


def machine() -> str:
    """Return what the system calls the CPU that this Python runs on, in lower case."""
    if sys.platform == "win32":
        # As sysconfig.get_platform() does: the interpreter's own CPU, which is what an installer goes by.
        version = sys.version.lower()
        return "arm64" if "arm64" in version else "amd64" if "amd64" in version else "x86"
    return os.uname().machine.lower()


def current() -> "Platform | None":
    """Return the platform of this machine; None where the table has none for it."""
    if sys.maxsize < 2**32:
        return None  # a 32-bit Python: its installer took no 64-bit wheel
    name = machine()
    for platform in PLATFORMS.values():
        if platform.system == sys.platform and name in platform.machines:
            return platform
    return None

"""This machine, and the builds of a release that come near it."""

import json
import os
import re
import sys

from leanspec_launcher._pins import SHA256
from leanspec_launcher._search import SITE
from leanspec_launcher._tables import PLATFORMS, Platform, Program, machine
from leanspec_launcher.verify.loader import musl_version

STUB_NAME = "stub.json"
VERSIONED = {"manylinux": "glibc", "musllinux": "musl", "macosx": "macOS"}
LEGACY = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
SYSTEMS = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}


def describe() -> str:
    """Name this machine: system and version, libc and its version, CPU, emulation."""
    parts = [
        f"{SYSTEMS.get(sys.platform, sys.platform)} {_version()}".strip(),
        f"CPU {machine()}",
    ]
    libc, number = libc_version()
    if libc:
        parts.append(f"{libc} {number}".strip())
    return ", ".join([*parts, *emulation()])


def os_release() -> "dict[str, str]":
    """Return what os-release(5) says of this Linux; nothing if there is no such file."""
    path = next(
        filter(os.path.exists, ("/etc/os-release", "/usr/lib/os-release")), os.devnull
    )
    with open(path, encoding="utf-8", errors="replace") as file:
        pairs = [line.strip().partition("=") for line in file]
    return {name: value.strip("'\"") for name, _, value in pairs}


def _version() -> str:
    if sys.platform == "win32":
        # Not platform.version(), which asks a service (WMI) that may be slow or absent.
        version = sys.getwindowsversion()
        return f"{version.major}.{version.minor}.{version.build}"
    if sys.platform == "darwin":
        import platform

        return platform.mac_ver()[0]
    return ""


def emulation() -> "list[str]":
    """Say in which ways this Python is not one for this machine."""
    remarks = []
    if sys.maxsize < 2**32:
        remarks.append("a 32-bit Python")
    if sys.platform == "win32":
        from leanspec_launcher.windows.native import native_machine

        native = native_machine()
        if native not in ("", machine()):
            remarks.append(f"emulated on {native}")
    if sys.platform == "darwin" and _translated():
        remarks.append("an Intel Python on Apple silicon (Rosetta)")
    return remarks


def _translated() -> bool:
    """Tell whether Rosetta runs this process (sysctl.proc_translated, absent where there is no Rosetta)."""
    import ctypes

    value = ctypes.c_int(0)
    size = ctypes.c_size_t(ctypes.sizeof(value))
    call = ctypes.CDLL(None).sysctlbyname
    arguments = (ctypes.byref(value), ctypes.byref(size), None, 0)
    failure = call(b"sysctl.proc_translated", *arguments)
    return failure == 0 and value.value == 1


def libc_version() -> "tuple[str, str]":
    """Return the libc that this Python runs on, and its version; empty texts if there is no such thing."""
    if sys.platform != "linux":
        return "", ""
    try:
        name, _, number = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except AttributeError:
        return "", ""  # Android
    except (ValueError, OSError):
        return "musl", musl_version()
    return name, number


def available(program: Program) -> "list[str]":
    """Return the platforms that this release has a build for, by name."""
    pins = SHA256.get(program.name, {})
    return [PLATFORMS[key].label for key in pins if key in PLATFORMS]


def builds(program: Program) -> "dict[str, list[str]] | None":
    """Return the platform tags of each build of the release, by platform, as the installed stub states them.

    None if no stub is installed.
    """
    path = os.path.join(SITE, program.package, STUB_NAME)
    try:
        with open(path, encoding="utf-8") as file:
            stub = json.load(file)["builds"]
        return {str(key): [str(tag) for tag in tags] for key, tags in stub.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def nearest(stub: "dict[str, list[str]]", platform: "Platform | None") -> str:
    """Say which build comes nearest to this machine, and why it does not fit."""
    if platform is None or platform.key not in stub:
        for key in stub:
            if key in PLATFORMS and PLATFORMS[key].system == sys.platform:
                return f"the one for {PLATFORMS[key].label} is for another CPU"
        return "none of them is for this system"
    if fits(stub[platform.key]):
        return f"the one for {platform.label} fits, but the installer did not choose it"
    requirements = "; ".join(dict.fromkeys(needs(tag) for tag in stub[platform.key]))
    return f"the one for {platform.label} needs {requirements}"


def fits(tags: "list[str]") -> bool:
    """Tell whether this machine's glibc is new enough for one of a build's tags (PEP 600)."""
    name, number = libc_version()
    if name != "glibc":
        return False
    version = [int(part) for part in re.findall(r"\d+", number)[:2]]
    versions = [re.match(r"manylinux_(\d+)_(\d+)_", tag) for tag in tags]
    oldest = [[int(part) for part in match.groups()] for match in versions if match]
    return any(version >= number for number in oldest)


def needs(tag: str) -> str:
    """Say in words what a platform tag asks of a machine."""
    match = re.match(r"(manylinux|musllinux|macosx)_(\d+)_(\d+)_", tag)
    if match:
        return f"{VERSIONED[match[1]]} {match[2]}.{match[3]} or newer"
    name = tag.split("_", 1)[0]
    if name in LEGACY:
        return f"glibc {LEGACY[name]} or newer"
    return (
        "a Linux like the one it was built on" if name == "linux" else "Windows 10 or newer"
    )

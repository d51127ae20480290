"""What a test may need of a machine, and where it may be missing: the only reasons for a skip.

A precondition that is missing where it may be skips the test, anywhere else it fails it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from filelock import FileLock

from leanspec_launcher._tables import current
from scripts.environment import Group
from scripts.locked import EXACTLY, entry
from scripts.tools.processes import clean_environment
from tests.support.versions import REAL

REASON = "needs "
in_ci = False
"""Whether this run's verdict counts: set by conftest.py, before the environment is replaced."""


@dataclass(frozen=True)
class Precondition:
    """A property of a machine, and when a machine may lack it."""

    exists: Callable[[], bool]
    excuses: tuple[str, ...] = ()
    """Preconditions; without one of them this one may be missing."""
    is_optional: bool = False
    """Whether any machine may lack it."""
    is_optional_outside_ci: bool = False
    """Whether a contributor's machine may lack it."""


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


@functools.cache
def _reaches_the_index() -> bool:
    """Ask pip, which alone knows where its index is and how to get there."""
    with tempfile.TemporaryDirectory() as folder:
        requirement = Path(folder, "requirement.txt")
        requirement.write_text(entry(Group.DEV.lock, "flit-core"), "utf-8")
        options = ("--quiet", "--retries", "3", "--timeout", "15", "--dest", folder)
        command = [sys.executable, "-m", "pip", "download", *options, *EXACTLY]
        done = subprocess.run(
            [*command, "--requirement", requirement],
            env=clean_environment(PIP_NO_CACHE_DIR="1"),
            capture_output=True,
            check=False,
        )
    return done.returncode == 0


def _installs_packages() -> bool:
    return all(map(is_met, ("root", "apt-get", "network")))


@functools.cache
def _from_debian(program: str, package: str) -> bool:
    """Tell whether a program is there, installed with apt first if that can be done."""
    if shutil.which(program) is not None:
        return True
    if not _installs_packages():
        return False
    # apt serves one process at a time.
    with FileLock(Path(tempfile.gettempdir(), "apt.lock")):
        if shutil.which(program) is None:
            install = ["install", "-y", "--no-install-recommends", package]
            for command in (["update"], ["-o", "DPkg::Lock::Timeout=300", *install]):
                subprocess.run(["apt-get", *command], capture_output=True, check=False)
    return shutil.which(program) is not None


def _has_browser() -> bool:
    """Tell whether there is a browser with its driver: one without the other waits for minutes."""
    if shutil.which("google-chrome") and shutil.which("chromedriver"):
        return True
    pairs = (("chromium", "chromium"), ("chromedriver", "chromium-driver"))
    return all(_from_debian(program, package) for program, package in pairs)


def _has_package(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _has_cargo() -> bool:
    """Tell whether cargo starts: that of rustup does not until the user has a toolchain."""
    command = shutil.which("cargo")
    if command is None:
        return False
    version = [command, "--version"]
    return subprocess.run(version, capture_output=True, check=False).returncode == 0


def _program(name: str) -> Precondition:
    """Return the precondition of a program that a contributor may not have."""
    return Precondition(lambda: shutil.which(name) is not None, is_optional_outside_ci=True)


def _debian(program: str, package: str = "") -> Precondition:
    """Return the precondition of a program that root can install on a Debian."""
    return Precondition(
        lambda: _from_debian(program, package or program),
        excuses=("root", "apt-get", "network"),
    )


def _package(name: str) -> Precondition:
    """Return the precondition of a package that has no wheel for a few machines."""
    return Precondition(lambda: _has_package(name), excuses=("a common CPU",))


def _has_system_python() -> bool:
    """Tell whether a Python for the maintainers' commands lies where every user may start it."""
    check = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    command = ["/usr/bin/python3", "-c", check]
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


def _has_common_cpu() -> bool:
    """Tell whether compiled packages have wheels for this machine (see `dev` in pyproject.toml)."""
    machine = platform.machine().lower()
    return (sys.platform, machine) not in {("darwin", "x86_64"), ("win32", "arm64")}


def _mounts() -> bool:
    """Tell whether this process may mount a file system: root in a container often may not."""
    if not _is_root() or shutil.which("unshare") is None:
        return False
    mount = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def _has_file_attributes() -> bool:
    """Tell whether the file system of temporary files keeps attributes and ACLs."""
    if sys.platform != "linux":
        return False
    with tempfile.NamedTemporaryFile() as file, contextlib.suppress(OSError):
        os.setxattr(file.name, "user.test", b"1")
        return True
    return False


def _has_ports_for_root() -> bool:
    """Tell whether only root may listen on port 80: in some containers, everybody may."""
    first = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    return first.exists() and int(first.read_text()) > 80


def _has_openssl() -> bool:
    folders = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64")
    return any(Path(folder, "libssl.so.3").exists() for folder in folders)


def _platform_key() -> str:
    platform = current()
    return platform.key if platform else ""


# What a machine simply is, or has for other reasons.
ANY = functools.partial(Precondition, is_optional=True)
PRECONDITIONS = {
    "Linux": ANY(lambda: sys.platform == "linux"),
    "Linux on x86-64": ANY(lambda: _platform_key() == "linux-x64"),
    "POSIX": ANY(lambda: sys.platform != "win32"),
    "root": ANY(_is_root),
    "another user than root": ANY(lambda: not _is_root()),
    "a common CPU": ANY(_has_common_cpu),
    "a platform of npm's LeanSpec": ANY(lambda: _platform_key() in REAL),
    "a platform that npm has no LeanSpec for": ANY(lambda: _platform_key() not in REAL),
    "ports for root alone": ANY(_has_ports_for_root),
    "apt-get": ANY(lambda: shutil.which("apt-get") is not None),
    "a Python for every user": ANY(_has_system_python),
    "CPython 3.12": ANY(lambda: False),
    "locales": ANY(lambda: Path("/usr/share/i18n").is_dir()),
    "a change since it passed": ANY(lambda: False),
    "minisign -W": ANY(lambda: False),
    "the MCP registry's schema": ANY(lambda: False),
    "/dev/full": Precondition(lambda: Path("/dev/full").exists(), excuses=("Linux",)),
    "OpenSSL 3": Precondition(
        _has_openssl, excuses=("Linux on x86-64",), is_optional_outside_ci=True
    ),
    "file attributes": Precondition(
        _has_file_attributes, excuses=("Linux",), is_optional_outside_ci=True
    ),
    "mounts": Precondition(_mounts, excuses=("root",), is_optional_outside_ci=True),
    "network": Precondition(_reaches_the_index, is_optional_outside_ci=True),
    "cargo": Precondition(_has_cargo, is_optional_outside_ci=True),
    **{name: _program(name) for name in ("cc", "git", "localedef", "node", "npm")},
    **{name: _program(name) for name in ("objcopy", "readelf")},
    **{name: _package(name) for name in ("cryptography", "httpx", "filelock", "minisign")},
    "a browser": Precondition(_has_browser, excuses=("root", "apt-get", "network")),
    "debootstrap": _debian("debootstrap"),
    "dpkg-deb": _debian("dpkg-deb", "dpkg"),
    "gcc": _debian("gcc"),
    "gh": _debian("gh"),
    "llvm-lipo-14": _debian("llvm-lipo-14", "llvm-14"),
    "make": _debian("make"),
    "makensis": _debian("makensis", "nsis"),
    "minisign program": _debian("minisign"),
    "musl-gcc": _debian("musl-gcc", "musl-tools"),
    "openssl": _debian("openssl"),
    "osslsigncode": _debian("osslsigncode"),
    "perl": _debian("perl"),
    "pypy3": _debian("pypy3", "pypy3-venv"),
    "qemu-aarch64-static": _debian("qemu-aarch64-static", "qemu-user-static"),
    "setarch": _debian("setarch", "util-linux"),
    "setpriv": _debian("setpriv", "util-linux"),
    "strace": _debian("strace"),
    "unshare": _debian("unshare", "util-linux"),
}


@functools.cache
def is_met(name: str) -> bool:
    """Tell whether this machine has a precondition, installed first if that can be done."""
    return PRECONDITIONS[name].exists()


def require(*names: str) -> None:
    """Skip the test if a precondition is missing; fail it if nothing explains that."""
    for name in names:
        if not is_met(name):
            missing(name)


def missing(name: str, detail: str = "") -> NoReturn:
    """Skip the test, or fail it if the machine should have what is missing."""
    precondition = PRECONDITIONS[name]
    reason = f"{REASON}{name}" + (f": {detail}" if detail else "")
    excused = (
        precondition.is_optional
        or (precondition.is_optional_outside_ci and not in_ci)
        or not all(map(is_met, precondition.excuses))
    )
    if not excused:
        pytest.fail(f"{reason}, and nothing explains that it is missing", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def needs(*names: str) -> pytest.MarkDecorator:
    """Mark tests with what they need of a machine."""
    unknown = set(names) - set(PRECONDITIONS)
    assert not unknown, f"tests/support/preconditions.py does not list {unknown}"
    return pytest.mark.needs(*names)


def is_listed(reason: str) -> bool:
    """Tell whether a skip's reason names a precondition of the list."""
    name = reason.removeprefix(REASON).partition(":")[0]
    return reason.startswith(REASON) and name in PRECONDITIONS

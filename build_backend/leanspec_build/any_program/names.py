"""File names of programs: the program's own, or with the machine that it is for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from leanspec_build.project.keys import WINDOWS_SUFFIX

# What builds append to a program's name, as in `tool-v1.2.3-x86_64-unknown-linux-musl.exe`.
# It says that the file is the program, and never which machine it is for.
MACHINE_WORDS = {
    *("32bit", "386", "64bit", "aarch64", "aix", "amd64", "android", "apple", "arm"),
    *("arm64", "armel", "armhf", "armv5", "armv6", "armv6l", "armv7", "armv7l"),
    *("armv8", "darwin", "freebsd", "glibc", "gnu", "gnueabi", "gnueabihf"),
    *("hardfloat", "i386", "i586", "i686", "illumos", "intel", "linux", "linux32"),
    *("linux64", "loong64", "loongarch64", "mac", "macos", "macosx", "mips", "mips64"),
    *("mips64le", "mipsle", "msvc", "musl", "musleabi", "musleabihf", "netbsd"),
    *("openbsd", "osx", "pc", "powerpc64", "powerpc64le", "ppc64", "ppc64le"),
    *("riscv64", "riscv64gc", "s390x", "silicon", "softfloat", "solaris", "static"),
    *("universal", "universal2", "unknown", "win", "win32", "win64", "windows", "x64"),
    *("x86"),
}
VERSION = re.compile(r"v?\d+|(rc|alpha|beta|nightly|dev)\d*")


def program_of(file: str, names: Iterable[str]) -> tuple[str, str] | None:
    """Return the program that a file is by its name, and the rest of the name; None for other files."""
    stem = file.removesuffix(WINDOWS_SUFFIX)
    # Of `uv` and `uvx-linux`, the longer one is meant.
    for name in sorted(names, key=len, reverse=True):
        if stem.startswith(name) and _is_machine(stem.removeprefix(name)):
            return name, file.removeprefix(name)
    return None


def _is_machine(text: str) -> bool:
    """Tell whether a rest of a name is empty, or says a machine and perhaps a version."""
    if not text:
        return True
    if text[0] not in "-_.@":
        return False
    words = [
        word
        for word in re.split(r"[-_.@+]", text.casefold().replace("x86_64", "x64"))
        if word
    ]
    return any(word in MACHINE_WORDS for word in words) and all(
        word in MACHINE_WORDS or VERSION.fullmatch(word) for word in words
    )

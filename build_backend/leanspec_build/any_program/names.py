"""File names of programs: the program's own, or with the machine that it is for."""

import contextlib
import re
from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

from leanspec_build.errors import listed
from leanspec_build.formats.facts import Executable
from leanspec_build.project.names import without_exe


def _meanings(table: str) -> dict[str, set[str]]:
    """Read lines of words, each with what all of them may stand for; without that, each stands for itself."""
    meanings = {}
    for line in table.strip().splitlines():
        words, _, targets = line.partition(":")
        for word in words.split():
            meanings[word] = set(targets.split()) or {word}
    return meanings


# What builds append to a program's name, as in `tool-v1.2.3-x86_64-unknown-linux-musl.exe`. It says
# that the file is the program, and never decides which machine it is for: that is in the bytes.
# Each word has the systems, CPUs or C libraries that it may stand for.
DISTRIBUTIONS = (
    *("almalinux", "alpine", "amazonlinux", "centos", "debian", "fedora", "rhel", "rocky"),
    "ubuntu",
)
SYSTEMS = _meanings(f"""
linux linux32 linux64 linuxmusl manylinux musllinux: linux android
{" ".join(DISTRIBUTIONS)}: linux
apple darwin mac macos macosx osx: darwin
cygwin mingw msvc win win32 win64 windows: windows
aix android dragonfly freebsd fuchsia haiku ios netbsd ohos openbsd plan9 redox
illumos solaris sunos: solaris illumos
""")
CPUS = _meanings("""
386 i386 i586 i686 ia32: i686
amd64 amd64v1 amd64v2 amd64v3 amd64v4 x64: x86_64
intel x86: i686 x86_64
aarch aarch64 arm64 arm64v8 silicon: aarch64
arm64ec: aarch64 x86_64
arm armv8: arm armeb armel armv5 armv6l armv7l armv8 aarch64
arm5 arm6 arm7 arm32 arm32v5 arm32v6 arm32v7 armel armhf: arm armeb armel armv5 armv6l armv7l armv8
armhfp armv5te armv6hf armv7hf armv7hl thumbv7neon: arm armeb armel armv5 armv6l armv7l armv8
armv5 armv6 armv6l armv7 armv7a armv7l: arm armeb armel armv5 armv6l armv7l armv8
powerpc64 ppc64: ppc64 ppc64le
powerpc64le ppc64le: ppc64le
riscv64 riscv64gc: riscv64
loong64 loongarch64: loongarch64
s390x
""")
LIBCS = _meanings("""
glibc gnu gnuabi64 gnueabi gnueabihf gnux32 manylinux: glibc
alpine linuxmusl musl muslabi64 musleabi musleabihf musllinux: musl
""")
OTHER_WORDS = """
32bit 64bit androideabi eabi eabihf gnullvm hardfloat ibm mips mips64 mips64el mips64le mipsel mipsle pc
powerpc ppc riscv32 s390 softfloat sparc64 sparcv9 sse2 static sun uclibc universal universal2 unknown uwp w64
"""
MACHINE_WORDS = {*SYSTEMS, *CPUS, *LIBCS, *OTHER_WORDS.split()}
# Without another word, these may be a part of a program's name: `tool-debian` may make packages.
DOUBTFUL_WORDS = {
    *DISTRIBUTIONS,
    *("fuchsia", "ios", "ohos", "redox", "ibm", "sun"),
}
FULL_VERSION = re.compile(
    r"[-_.@](?P<version>v?\d+(\.\d+)+([-_.~]?(a|alpha|b|beta|c|rc|pre|preview|dev|post)[-_.]?\d*)?)(?![0-9a-z])"
)
# Packages and compressed files of a program, in forms that are not read here.
PACKAGES = """
.apk .appimage .appx .br .cab .conda .cpio .crate .deb .dmg .flatpak .gem .gzip .img .ipk .iso .jar .lrz
.lz .lz4 .lzma .lzo .msi .msix .msixbundle .nupkg .part .pkg .rpm .run .sif .snap .squashfs .udeb .vsix
.wasm .xar .xbps .z .001
"""
# Files about a program: checksums, signatures, bills of materials, debug information, texts, our wheels.
COMPANIONS = """
.asc .att .b2sum .b3 .blake3 .blockmap .bundle .cdx .cert .conf .crt .d .dbg .debug .dwp .exp .gpg .html
.json .jsonl .lib .log .map .md .md5 .md5sum .minisig .pdb .pem .provenance .ps1 .pub .rb .sbom .sh .sha1
.sha1sum .sha256 .sha256sum .sha3-512 .sha384 .sha512 .sha512sum .sig .sign .sigstore .spdx .sum .sym
.symbols .toml .txt .whl .xml .yaml .yml .zsync
"""
# As `tool-1.0-setup.exe`, which installs the program.
INSTALLER = re.compile(r".*[-_. ](setup|install|installer)\b.*\.exe")
# Cargo's copies and tests, as `tool-0123456789abcdef`.
COPY = re.compile(r".*-[0-9a-f]{16}(\.exe)?")
# Parts of a version, or of the name of a runner: as in `tool-v1.2-rc.1`, `tool-macos-latest-large`.
VERSION_WORD = re.compile(
    r"v?\d+|(rc|alpha|beta|nightly|dev|latest|stable|snapshot|large|xlarge|all)\d*"
)


def program_of(file: str, names: Iterable[str]) -> tuple[str, str] | None:
    """Return the program that a file is by its name, and the rest of the name; None for other files."""
    stem = without_exe(file)
    # Of `uv` and `uvx-linux`, the longer one is meant.
    for name in sorted(names, key=len, reverse=True):
        if stem.startswith(name) and _is_machine(stem.removeprefix(name)):
            return name, file.removeprefix(name)
    return None


def is_other_form(file: str, names: Iterable[str]) -> bool:
    """Tell whether a file is a program by its name, in a form that is not read."""
    lower = file.casefold()
    is_installer = INSTALLER.fullmatch(lower) and not program_of(file, names)
    if is_installer or lower.endswith(tuple(PACKAGES.split())):
        return lower.startswith(tuple(map(str.casefold, names)))
    return False


def is_companion(file: str) -> bool:
    """Tell whether a file is about a program by its ending."""
    return file.casefold().endswith(tuple(COMPANIONS.split()))


def is_variant(file: str, names: Iterable[str]) -> bool:
    """Tell whether a file is called after a program, but has another word or another spelling."""
    starts = [f"{name}{mark}".casefold() for name in names for mark in "-_"]
    lower = file.casefold()
    if is_companion(file):
        return False
    if not lower.startswith(tuple(starts)) and not is_spelling(file, names):
        return False
    return not program_of(file, names) and not COPY.fullmatch(lower)


def is_spelling(file: str, names: Iterable[str]) -> bool:
    """Tell whether a file is called like a program, but for case or what is between its words."""
    plain = {_plain(name) for name in names}
    return _plain(file).startswith(tuple(plain)) and _plain(own_name(file)) in plain


def _plain(name: str) -> str:
    return re.sub("[-_]", "", name.casefold())


def is_match(file: str, names: Iterable[str]) -> bool:
    """Tell whether a file that a glob matches is a program by its name, wherever in it the machine is."""
    if program_of(file, names) or own_name(file).casefold() in map(str.casefold, names):
        return True
    if is_nameless(file):
        return True
    is_other = file.casefold().endswith(tuple(PACKAGES.split() + COMPANIONS.split()))
    return not is_other and has_any_ending(file, names)


def has_any_ending(file: str, names: Iterable[str]) -> bool:
    """Tell whether a name says a machine: then it is a program whatever it ends with."""
    dots = [match.start() for match in re.finditer(r"\.", file)]
    matches = [program_of(file[:dot], names) for dot in dots]
    return any(match and without_exe(match[1]) for match in matches)


def is_nameless(file: str) -> bool:
    """Tell whether a file is called by a machine alone, as `linux-amd64`."""
    return _is_machine(f"-{without_exe(file)}")


def own_name(file: str) -> str:
    """Return the name of a program without the machine and the version in the name of its file."""
    stem = without_exe(file)
    first, *parts = re.split(r"([-_.@+])", re.sub("(?i)x86_64", "x64", stem))
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    removed = MACHINE_WORDS - DOUBTFUL_WORDS
    if any(_is_one_of(removed, word) for _, word in pairs):
        removed = MACHINE_WORDS
    words = [pair for pair in pairs if not _is_one_of(removed, pair[1])]
    if not _is_one_of(MACHINE_WORDS - DOUBTFUL_WORDS, first):
        words.insert(0, ("", first))
    return "".join(map("".join, words)).lstrip("-_.@+") or stem


def _is_one_of(machine_words: set[str], text: str) -> bool:
    """Tell whether a part of a name is one of the words, or belongs to a version."""
    word = text.casefold()
    return _without_number(word) in machine_words or bool(VERSION_WORD.fullmatch(word))


def other_name(file: str, names: Iterable[str]) -> str:
    """Say how a program is called that is none of the project's by its name."""
    name = own_name(file)
    if name in names:
        name = file
    return f"is called `{name}`, not {listed(names, ' or ')}"


def wrong_word(file: str, names: Iterable[str], executable: Executable) -> str | None:
    """Return the word of a file name that says another machine than its bytes; None if no word does."""
    _, rest = program_of(file, names) or ("", "")
    return _contradicted_word(without_exe(rest), executable)


def is_another(file: str, name: str, executable: Executable) -> bool:
    """Tell whether a word in front of a program's name belongs to it, as in `win-tool`.

    No code is for it, or the name says its system or its CPU once more.
    """
    lower = without_exe(file).casefold()
    mark = "[-_.@+]"
    whole = rf"(?:^|{mark}){re.escape(name.casefold())}(?:$|{mark})"
    front, *rest = re.split(whole, lower, maxsplit=1)
    words, others = _words(front), _words("".join(rest))
    is_twice = any(
        not meanings.keys().isdisjoint(words) and not meanings.keys().isdisjoint(others)
        for meanings in (SYSTEMS, CPUS)
    )
    return is_twice or _contradicted_word(front, executable) is not None


def _contradicted_word(text: str, executable: Executable) -> str | None:
    # A static program needs no C library, and runs where any of them is.
    libcs = {executable.libc} if executable.libc else {"glibc", "musl"}
    return _wrong_word(text, {executable.system}, {*executable.cpus}, libcs)


def is_for_another(file: str, names: Iterable[str], platform: str) -> bool:
    """Tell whether the name of an archive says another platform than one that is asked for, as `linux-x64-musl`."""
    lower = file.casefold()
    starts = [name for name in map(str.casefold, names) if lower.startswith(name)]
    system, cpu, *libc = platform.split("-")
    cpus = CPUS.get(cpu, {cpu})
    rest = lower.removeprefix(max(starts, key=len, default=""))
    return _wrong_word(rest, {system}, cpus, {*libc} or {"glibc"}) is not None


def _wrong_word(
    text: str, systems: set[str], cpus: set[str], libcs: set[str]
) -> str | None:
    """Return the word of a text that says another machine than these; None if no word does."""
    words = _words(text)
    statements = ((SYSTEMS, systems), (CPUS, cpus), (LIBCS, libcs))
    for meanings, actual in statements:
        # A universal file may be called by both of its CPUs.
        relevant = [word for word in words if word in meanings]
        if relevant and all(actual.isdisjoint(meanings[word]) for word in relevant):
            return relevant[0]
    return None


def wrong_version(file: str, names: Iterable[str], version: Version) -> str | None:
    """Return another version than the project's that a file name has; None if it has none, or less of the same."""
    lower = file.casefold()
    # Of a longer name, the shorter one may be the beginning.
    for name in sorted(map(str.casefold, names), key=len, reverse=True):
        rest = lower.removeprefix(name)
        if rest == lower or rest[:1] not in tuple("-_.@"):
            continue
        # Behind any other word, it may be that of a system, a C library or another program.
        match = FULL_VERSION.match(rest)
        if match and {*SYSTEMS, *LIBCS}.isdisjoint(_words(name)[-1:]):
            text = match["version"]
            with contextlib.suppress(InvalidVersion):
                return text if _differs(Version(text), version) else None
        break
    return None


def _differs(named: Version, version: Version) -> bool:
    is_part = version.release[: len(named.release)] == named.release
    is_less = len(named.release) < len(version.release) and not named.is_prerelease
    # A post-release has the programs of the release before it.
    is_base = version.is_postrelease and named.public == version.base_version
    if is_base or (is_part and is_less):
        return False
    return Version(named.public) != Version(version.public)


def _is_machine(text: str) -> bool:
    """Tell whether a rest of a name is empty, or says a machine and perhaps a version."""
    if not text:
        return True
    if text[0] not in "-_.@":
        return False
    words = _words(text)
    others = [word for word in words if word not in MACHINE_WORDS]
    is_doubtful = len(words) == 1 and words[0] in DOUBTFUL_WORDS
    return (
        not is_doubtful
        and len(others) < len(words)
        and all(map(VERSION_WORD.fullmatch, others))
    )


def _words(text: str) -> list[str]:
    plain = text.casefold().replace("x86_64", "x64")
    return [_without_number(word) for word in re.split(r"[-_.@+]", plain) if word]


def _without_number(word: str) -> str:
    """Return a word without the version of its system or C library, as in `gnu2.17` and `macosx14.0`."""
    name = word.rstrip("0123456789")
    is_versioned = word not in MACHINE_WORDS and name in {*SYSTEMS, *LIBCS}
    return name if is_versioned else word

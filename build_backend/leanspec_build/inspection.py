"""Inspecting an executable or a wheel: its facts, its tags, and whether a wheel's name is true."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from .archives import UNREADABLE
from .errors import BuildError
from .formats.elf_file import ELF_MAGIC
from .formats.executable import LARGEST_FILE, parse_executable, read_executable
from .formats.facts import Executable, Format
from .tags.derive import platform_tags
from .tags.model import Tags, split_tag
from .tags.platforms import platform_key

# What an ELF header calls a file that a system loads (ET_EXEC, ET_DYN), in either byte order.
ELF_LOADED = (b"\2\0", b"\3\0", b"\0\2", b"\0\3")
FETCH = "fetch the file again, under the name that its index gives it"
# (family, CPU) -> the oldest version of the family's system that is promised
Promise = dict[tuple[str, str], tuple[int, int]]


class Verdict(StrEnum):
    """Whether the tags in a wheel's name are true, too strict or too loose."""

    TRUE = "true"
    STRICT = "too strict"
    LOOSE = "too loose"


@dataclass(frozen=True)
class ProgramFacts:
    """The facts of a program; the names are those of `inspect --json`."""

    file: str
    format: Format
    platform: str | None
    cpus: tuple[str, ...]
    libc: str | None
    libc_floor: str | None
    macos_minimum: dict[str, str] | None
    needed: tuple[str, ...]
    signatures: dict[str, str]
    platform_tags: tuple[str, ...]
    publishable: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class WheelFacts:
    """The facts of a wheel; the names are those of `inspect --json`."""

    file: str
    format: str
    platform_tags: tuple[str, ...]
    verdict: Verdict
    reasons: tuple[str, ...]
    executables: tuple[ProgramFacts, ...]


@dataclass(frozen=True)
class Report:
    """The result of inspecting one file."""

    facts: ProgramFacts | WheelFacts
    notes: tuple[str, ...] = ()

    @property
    def programs(self) -> tuple[ProgramFacts, ...]:
        """The programs in a wheel, or the program itself."""
        return (
            self.facts.executables if isinstance(self.facts, WheelFacts) else (self.facts,)
        )


def inspect_file(path: Path) -> Report:
    """Inspect an executable or a wheel; raises BuildError if the file is neither, or is damaged."""
    if path.suffix == ".whl":
        return _inspect_wheel(path)
    return _report(read_executable(path), str(path), {})


def _report(executable: Executable, file: str, bundled: dict[str, Executable]) -> Report:
    try:
        tags = platform_tags(executable, bundled)
    except BuildError as error:
        tags = Tags((), (error.message,))
    minimum = {
        cpu: f"{major}.{minor}" for cpu, (major, minor) in executable.macos_minimum.items()
    }
    facts = ProgramFacts(
        file=file,
        format=executable.format,
        platform=platform_key(executable),
        cpus=executable.cpus,
        libc=executable.libc,
        libc_floor=executable.highest("GLIBC"),
        macos_minimum=minimum or None,
        needed=executable.needed,
        signatures={cpu: str(each) for cpu, each in executable.signatures.items()},
        platform_tags=tags.platforms,
        publishable=tags.publishable,
        reasons=tags.reasons,
    )
    return Report(facts, (*_notes(executable), *tags.remarks))


def _notes(executable: Executable) -> Iterator[str]:
    """Yield further facts, for people."""
    kind = "static" if executable.static else "dynamic"
    linking = f", {kind}" if executable.format is Format.ELF else ""
    yield f"{executable.bits} bit, {executable.byte_order} endian{linking}"
    if executable.loader:
        yield f"loader {executable.loader}"
    for prefix in ("GCC", "GLIBCXX", "CXXABI"):
        highest = executable.highest(prefix)
        if highest:
            yield f"needs {prefix}_{highest}"
    if executable.run_path:
        yield f"run path {':'.join(executable.run_path)}"
    for cpu, (major, minor) in executable.macos_sdk.items():
        yield f"{cpu}: SDK {major}.{minor}"


def _inspect_wheel(path: Path) -> Report:
    try:
        tags = tuple(sorted({tag.platform for tag in parse_wheel_filename(path.name)[3]}))
        with zipfile.ZipFile(path) as archive:
            # An archive may state any size; zipfile reads no further than that.
            inflated = sum(info.file_size for info in archive.infolist())
            if inflated > LARGEST_FILE:
                raise BuildError(
                    f"`{path}` unpacks to {inflated} bytes, more than the {LARGEST_FILE} that are read",
                    hint=FETCH,
                )
            contents = {
                info.filename: archive.read(info)
                for info in archive.infolist()
                if not info.is_dir()
            }
    except InvalidWheelFilename as error:
        raise BuildError(
            f"`{path.name}` is not the name of a wheel: {error}", hint=FETCH
        ) from None
    except UNREADABLE as error:
        raise BuildError(f"`{path}` is not a readable wheel: {error}", hint=FETCH) from None
    bundled = dict(_libraries(contents))
    reports = [
        _report(parse_executable(data, f"`{name}` in `{path.name}`"), name, bundled)
        for name, data in contents.items()
        if _is_program(data, name)
    ]
    programs = tuple(program for report in reports for program in report.programs)
    promises = [_promise(program.platform_tags) for program in programs]
    verdict, reasons = judge(_promise(tags), _all_of(promises))
    damaged = [
        f"`{name}` is damaged: it starts nowhere"
        for name, data in contents.items()
        if _is_damaged(data, name)
    ]
    if damaged:
        verdict, reasons = Verdict.LOOSE, damaged
    facts = WheelFacts(str(path), "wheel", tags, verdict, tuple(reasons), programs)
    return Report(facts, tuple(note for report in reports for note in report.notes))


def _is_program(data: bytes, name: str) -> bool:
    try:
        parse_executable(data, name)
    except BuildError:
        return False
    return True


def _is_damaged(data: bytes, name: str) -> bool:
    """Tell whether this claims to be an ELF program or library, and is neither."""
    if not data.startswith(ELF_MAGIC) or data[16:18] not in ELF_LOADED:
        return False
    try:
        parse_executable(data, name, library=True)
    except BuildError:
        return not _is_program(data, name)
    return False


def _libraries(contents: dict[str, bytes]) -> Iterator[tuple[str, Executable]]:
    """Find the shared libraries that a wheel brings along: those of auditwheel's folder."""
    for name, data in contents.items():
        folder, _, file = name.rpartition("/")
        if folder.endswith(".libs") and data.startswith(ELF_MAGIC):
            yield file, parse_executable(data, f"`{name}`", library=True)


def _promise(tags: tuple[str, ...]) -> Promise:
    """Return the oldest system version that platform tags promise, per family of systems and CPU."""
    promise: Promise = {}
    for tag in tags:
        family, number, cpu = split_tag(tag)
        key = (family, cpu)
        promise[key] = min(number, promise.get(key, number))
    return promise


def _all_of(promises: list[Promise]) -> Promise:
    """Return the systems that all executables of a wheel run on, each with its newest floor."""
    if not promises:
        return {("any", ""): (0, 0)}
    common = set.intersection(*(set(promise) for promise in promises))
    # A set has no order, and what is said of a wheel has one.
    return {key: max(promise[key] for promise in promises) for key in sorted(common)}


def judge(said: Promise, derived: Promise) -> tuple[Verdict, list[str]]:
    """Compare the tags in a wheel's name with its executables; return the verdict and its reasons."""
    loose = [
        f"it promises {_words(key, number)}, "
        + (
            f"its content needs {_words(key, derived[key])}"
            if key in derived
            else "its content does not run there"
        )
        for key, number in said.items()
        if key not in derived or number < derived[key]
    ]
    if loose:
        return Verdict.LOOSE, loose
    strict = [
        f"its content runs on {_words(key, number)}, "
        + (
            f"it promises {_words(key, said[key])} only"
            if key in said
            else "which it does not promise"
        )
        for key, number in derived.items()
        if not _covered(key, said) or (key in said and said[key] > number)
    ]
    return (Verdict.STRICT, strict) if strict else (Verdict.TRUE, [])


def _covered(key: tuple[str, str], said: Promise) -> bool:
    # A universal2 tag speaks for both CPUs of macOS.
    return key in said or (key[0] == "macosx" and ("macosx", "universal2") in said)


def _words(key: tuple[str, str], number: tuple[int, int]) -> str:
    family, cpu = key
    version = f" {number[0]}.{number[1]}" if number != (0, 0) else ""
    return f"{family}{version} {cpu}".strip()

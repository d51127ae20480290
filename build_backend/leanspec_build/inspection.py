"""Inspection of an executable or a wheel: its facts, its tags, and whether a wheel's name is true."""

import dataclasses
import functools
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from .archives import Bounds, read_members
from .errors import BuildError, NotAWheelError, listed
from .formats.elf_file import ELF_MAGIC
from .formats.executable import must_be_file, parse_executable, read_executable
from .formats.facts import Executable, FileFormat, Libraries, Version
from .tags.beside import with_libraries
from .tags.derive import platform_tags
from .tags.model import Promise, System, Tags, dotted, oldest_systems
from .tags.platforms import platform_key
from .wheel_record import must_match_record

# What an ELF header calls a file that a system loads (ET_EXEC, ET_DYN), in either byte order.
ELF_LOADED = (b"\2\0", b"\3\0", b"\0\2", b"\0\3")
FETCH = "fetch the file again, under the name that its index gives it"
# The places of files in an environment, and how to read a library there.
Files = Mapping[str, Callable[[], Executable | None]]
# Wheels of whole toolkits have tens of thousands of files.
BOUNDS = Bounds(members=1_000_000)


class Verdict(StrEnum):
    """Whether the tags in a wheel's name are true, too strict or too loose."""

    TRUE = "true"
    STRICT = "too strict"
    LOOSE = "too loose"


@dataclass(frozen=True)
class ExecutableFacts:
    """The facts of an executable; the names are those of `inspect --json`."""

    file: str
    format: FileFormat
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
    executables: tuple[ExecutableFacts, ...]


@dataclass(frozen=True)
class Inspection:
    """The result of inspecting one file."""

    facts: ExecutableFacts | WheelFacts
    notes: tuple[str, ...]
    """Further facts, for people."""

    @property
    def executables(self) -> tuple[ExecutableFacts, ...]:
        """The executables in a wheel, or the executable itself."""
        if isinstance(self.facts, WheelFacts):
            return self.facts.executables
        return (self.facts,)

    @property
    def promises_too_much(self) -> bool:
        """Whether it is a wheel that would be installed where its executable cannot start."""
        return isinstance(self.facts, WheelFacts) and self.facts.verdict is Verdict.LOOSE


def show(files: list[Path], *, as_json: bool) -> int:
    """Show all files that can be read; return 1 if a wheel promises too much.

    Raises BuildError for the files that cannot be read, after the others are shown.
    """
    inspections, errors = [], []
    for file in files:
        try:
            inspections.append(inspect_file(file))
        except BuildError as error:
            errors.append(error)
    if as_json:
        print(json.dumps(as_objects(inspections), indent=2))  # noqa: T201
    else:
        for inspection in inspections:
            print("\n".join(lines(inspection)))  # noqa: T201
    if errors:
        hints = dict.fromkeys(error.hint for error in errors if error.hint)
        messages = "\n".join(error.message for error in errors)
        raise BuildError(messages, hint="; ".join(hints) or None)
    return int(any(inspection.promises_too_much for inspection in inspections))


def as_objects(inspections: Iterable[Inspection]) -> list[dict[str, Any]]:
    """Return the facts of files as JSON has them."""
    return [dataclasses.asdict(inspection.facts) for inspection in inspections]


def lines(inspection: Inspection) -> Iterator[str]:
    """Yield what is printed of a file."""
    yield from _facts_lines(dataclasses.asdict(inspection.facts), "")
    for note in inspection.notes:
        yield f"  {'':14} {note}"


def _facts_lines(facts: dict[str, Any], indent: str) -> Iterator[str]:
    yield f"{indent}{facts['file']}"
    for key, value in facts.items():
        if key in ("file", "executables") or value in (None, (), {}):
            continue
        for line in value if key == "reasons" else [value]:
            text = str(line)
            if isinstance(line, dict):
                text = ", ".join(f"{name} {word}" for name, word in line.items())
            elif isinstance(line, tuple):
                text = ", ".join(map(str, line))
            if key == "verdict":
                text = f"its tags are {text}"
            yield f"{indent}  {key.replace('_', ' '):14} {text}"
    for executable in facts.get("executables", []):
        yield from _facts_lines(executable, f"{indent}  ")


def inspect_file(path: Path) -> Inspection:
    """Inspect an executable or a wheel; raises BuildError if the file is neither, or is damaged."""
    if path.suffix == ".whl":
        return _inspect_wheel(path)
    return _inspect(read_executable(path), str(path), {}, {})


def _inspect(
    executable: Executable, file: str, bundled: Libraries, installed: Files
) -> Inspection:
    folder = posixpath.dirname(_installed_place(file))
    program, beside = with_libraries(executable, folder, installed)
    try:
        tags = platform_tags(program, {**bundled, **beside})
    except BuildError as error:
        tags = Tags((), (error.message,))
    minimum = {cpu: dotted(version) for cpu, version in executable.macos_minimum.items()}
    platform = platform_key(executable)
    if platform is not None and executable.libc == "musl":
        platform += "-musl"
    facts = ExecutableFacts(
        file=file,
        format=executable.format,
        platform=platform,
        cpus=executable.cpus,
        libc=executable.libc,
        libc_floor=executable.highest("GLIBC"),
        macos_minimum=minimum or None,
        needed=executable.needed,
        signatures={cpu: str(text) for cpu, text in executable.signatures.items()},
        platform_tags=tags.platforms,
        publishable=tags.publishable,
        reasons=tags.reasons,
    )
    return Inspection(facts, (*_notes(executable), *tags.remarks))


def _notes(executable: Executable) -> Iterator[str]:
    kind = "static" if executable.static else "dynamic"
    linking = f", {kind}" if executable.format is FileFormat.ELF else ""
    yield f"{executable.bits} bit, {executable.byte_order} endian{linking}"
    if executable.loader:
        yield f"loader {executable.loader}"
    for prefix in ("GCC", "GLIBCXX", "CXXABI"):
        highest = executable.highest(prefix)
        if highest:
            yield f"needs {prefix}_{highest}"
    if executable.run_path:
        yield f"run path {listed(executable.run_path)}"
    for library in executable.audit_libraries:
        yield f"audit library {library}"
    for cpu, version in executable.macos_sdk.items():
        yield f"{cpu}: SDK {dotted(version)}"


def _inspect_wheel(path: Path) -> Inspection:
    must_be_file(path)
    try:
        _, _, _, name_tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise NotAWheelError(
            f"`{path.name}` is not the name of a wheel: {error}", hint=FETCH
        ) from None
    tags = tuple(sorted({tag.platform for tag in name_tags}))
    contents = _contents(path)
    bundled = dict(_libraries(contents))
    parsed = {name: _parsed(data) for name, data in contents.items()}
    programs = {name: program for name, program in parsed.items() if program}
    installed: Files = {
        _installed_place(name): functools.partial(_parsed, data, library=True)
        for name, data in contents.items()
    }
    inspections = [
        _inspect(program, name, bundled, installed) for name, program in programs.items()
    ]
    executables = tuple(part for inner in inspections for part in inner.executables)
    content = _common([oldest_systems(part.platform_tags) for part in executables])
    promise = oldest_systems(tags)
    if all(program.static for program in programs.values()):
        # A static program needs no libc: the oldest policy is the limit of the policies, not of it.
        promise = {key: max(promise[key], content.get(key, (0, 0))) for key in promise}
    verdict, reasons = judge(promise, content)
    # What claims to be an ELF program or library, and is neither.
    damaged = [
        f"`{name}` is damaged: it starts nowhere"
        for name, data in contents.items()
        if data.startswith(ELF_MAGIC) and data[16:18] in ELF_LOADED
        if not (parsed[name] or _parsed(data, library=True))
    ]
    if damaged:
        verdict, reasons = Verdict.LOOSE, damaged
    facts = WheelFacts(str(path), "wheel", tags, verdict, tuple(reasons), executables)
    return Inspection(facts, tuple(note for inner in inspections for note in inner.notes))


def _installed_place(name: str) -> str:
    """Return where an environment has a file of a wheel (Binary distribution format, The .data directory)."""
    match = re.fullmatch(r"[^/]+\.data/([^/]+)/(.+)", name)
    if match is None:
        return f"site-packages/{name}"
    folders = {"scripts": "bin/", "data": ""}
    return folders.get(match[1], "site-packages/") + match[2]


def _contents(path: Path) -> dict[str, bytes]:
    """Return the files of a wheel; raises NotAWheelError if it is damaged, or not what its RECORD says."""
    contents: dict[str, bytes] = {}
    try:
        for member, data in read_members(path, lambda _: True, FETCH, BOUNDS):
            if member.name in contents:
                raise BuildError(f"`{path}` has two files `{member.name}`", hint=FETCH)
            contents[member.name] = data
    except BuildError as error:
        raise NotAWheelError(error.message, hint=error.hint) from None
    must_match_record(str(path), contents)
    return contents


def _parsed(data: bytes, *, library: bool = False) -> Executable | None:
    try:
        return parse_executable(data, "it", library=library)
    except BuildError:
        return None


def _libraries(contents: dict[str, bytes]) -> Iterator[tuple[str, Executable]]:
    """Find the shared libraries that a wheel brings along: those of auditwheel's folder."""
    for name, data in contents.items():
        folder, _, file = name.rpartition("/")
        if folder.endswith(".libs") and data.startswith(ELF_MAGIC):
            yield file, parse_executable(data, f"`{name}`", library=True)


def _common(promises: list[Promise]) -> Promise:
    """Return the systems that all executables of a wheel run on, each with its newest floor."""
    if not promises:
        return {("any", ""): (0, 0)}
    keys = set.intersection(*(set(promise) for promise in promises))
    # A set has no order, and what is said of a wheel has one.
    return {key: max(promise[key] for promise in promises) for key in sorted(keys)}


def judge(name: Promise, content: Promise) -> tuple[Verdict, list[str]]:
    """Compare what a wheel's name promises with what its executables run on; return verdict and reasons."""
    loose, strict = [], []
    for key, number in name.items():
        promise = _system(key, number)
        if key not in content:
            loose.append(f"it promises {promise}, its content does not run there")
        elif number < content[key]:
            need = _system(key, content[key])
            loose.append(f"it promises {promise}, its content needs {need}")
    for key, number in content.items():
        need = _system(key, number)
        # A universal2 tag speaks for both CPUs of macOS.
        is_covered = key[0] == "macosx" and ("macosx", "universal2") in name
        if name.get(key, number) > number:
            promise = _system(key, name[key])
            strict.append(f"its content runs on {need}, it promises {promise} only")
        elif key not in name and not is_covered:
            strict.append(f"its content runs on {need}, which it does not promise")
    if loose:
        return Verdict.LOOSE, loose
    return (Verdict.STRICT, strict) if strict else (Verdict.TRUE, [])


def _system(key: System, number: Version) -> str:
    family, cpu = key
    version = f" {number[0]}.{number[1]}" if number != (0, 0) else ""
    return f"{family}{version} {cpu}".strip()

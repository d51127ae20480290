"""What is read from an executable's bytes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from leanspec_build.errors import BuildError
from leanspec_build.executable import parse_executable, read_executable

from tests import headers


def test_an_elf_program_says_what_it_needs() -> None:
    data = headers.elf(
        needed=["libssl.so.3", "libc.so.6"],
        versions={"libssl.so.3": ["OPENSSL_3.0.0"], "libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.34"]},
        run_path="$ORIGIN/lib:/opt",
    )
    found = parse_executable(data, "it")
    assert (found.format, found.system, found.cpus, found.bits) == ("elf", "linux", ("x86_64",), 64)
    assert found.needed == ("libssl.so.3", "libc.so.6")
    assert found.symbol_versions["libc.so.6"] == ("GLIBC_2.2.5", "GLIBC_2.34")
    assert (found.libc, found.loader) == ("glibc", headers.GLIBC_LOADER)
    assert found.run_path == ("$ORIGIN/lib", "/opt")


def test_musl_static_and_big_endian_are_told_apart() -> None:
    musl = parse_executable(headers.elf(loader="/lib/ld-musl-x86_64.so.1", needed=["libc.musl-x86_64.so.1"]), "it")
    static = parse_executable(headers.elf(kind=2, loader=None, needed=[]), "it")
    big = parse_executable(headers.elf("s390x", loader="/lib/ld64.so.1"), "it")
    assert musl.libc == "musl"
    assert (static.libc, static.loader, static.needed) == (None, None, ())
    assert (big.byte_order, big.cpus) == ("big", ("s390x",))


@pytest.mark.parametrize("old", [False, True])
def test_a_mach_o_program_states_its_oldest_macos(*, old: bool) -> None:
    found = parse_executable(headers.mach_o("x86_64", minimum=(10, 12), old=old), "it")
    assert (found.format, found.system, found.cpus) == ("mach-o", "darwin", ("x86_64",))
    assert found.macos_minimum == {"x86_64": (10, 12)}
    assert found.needed == ("/usr/lib/libSystem.B.dylib",)


def test_a_universal_file_has_a_cpu_a_slice() -> None:
    data = headers.universal(headers.mach_o("x86_64", minimum=(10, 12)), headers.mach_o("aarch64"))
    found = parse_executable(data, "it")
    assert found.cpus == ("x86_64", "aarch64")
    assert found.macos_minimum == {"x86_64": (10, 12), "aarch64": (11, 0)}


def test_a_pe_program_has_a_cpu() -> None:
    found = parse_executable(headers.pe("aarch64"), "it")
    assert (found.format, found.system, found.cpus, found.bits) == ("pe", "windows", ("aarch64",), 64)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"#!/bin/sh\nexec x\n", "a script (`#!/bin/sh`)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer"),
        (b"\xca\xfe\xba\xbe\x00\x00\x00\x41" + bytes(60), "a Java class file"),
        (b"PK\x03\x04" + bytes(60), "neither ELF, Mach-O nor PE"),
        (headers.elf(soname="libx.so", loader=None), "a shared library"),
        (headers.pe(dll=True), "a DLL"),
        (headers.mach_o(kind=6), "not a program"),
        (headers.universal(), "with 0 slices"),
    ],
)
def test_anything_else_is_named(data: bytes, words: str) -> None:
    with pytest.raises(BuildError) as error:
        parse_executable(data, "it")
    assert words in error.value.message


@pytest.mark.parametrize("whole", [headers.elf(), headers.mach_o(), headers.pe(), headers.universal(headers.mach_o())])
def test_no_truncated_program_passes(whole: bytes) -> None:
    parse_executable(whole, "it")
    for length in (*range(0, len(whole), 7), len(whole) - 1):
        with pytest.raises(BuildError):
            parse_executable(whole[:length], "it")


def test_a_program_whose_code_is_cut_off_does_not_pass() -> None:
    """Its headers are whole, and it has no section table at its end that could be missing."""
    with pytest.raises(BuildError, match="truncated: segment 0 ends at byte"):
        parse_executable(headers.elf(code=bytes(1000))[:-1], "it")


def test_a_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is a directory"):
        read_executable(tmp_path)
    with pytest.raises(BuildError, match="does not exist"):
        read_executable(tmp_path / "nothing")


def test_readelf_agrees_on_the_real_binaries(binaries: Path) -> None:
    for path in sorted(binaries.glob("*/binaries/linux-x64/leanspec*")):
        found = read_executable(path)
        said = subprocess.run(["readelf", "-dV", "-W", path], capture_output=True, text=True, check=True).stdout
        libraries = [line.split("[")[1].rstrip("]") for line in said.splitlines() if "(NEEDED)" in line]
        assert list(found.needed) == libraries
        for names in found.symbol_versions.values():
            assert all(f"Name: {name} " in said for name in names)
        assert sum(len(names) for names in found.symbol_versions.values()) == said.count("  Flags: none  Version:")


@pytest.mark.parametrize("length", [4, 64, 1000, 100_000, -1])
def test_no_truncated_real_binary_passes(binaries: Path, length: int) -> None:
    data = (binaries / "cli/binaries/linux-x64/leanspec").read_bytes()
    with pytest.raises(BuildError, match="truncated"):
        parse_executable(data[:length], "it")

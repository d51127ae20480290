"""Which platform tags follow from which bytes."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from leanspec_build.errors import BuildError
from leanspec_build.formats.executable import parse_executable
from leanspec_build.tags.derive import exceeds, platform_tags, read_floor
from leanspec_build.tags.linux import GLIBC_LOADERS
from leanspec_build.tags.model import Tags, of_all
from leanspec_build.tags.platforms import platform_key
from leanspec_build.tags.windows import WINDOWS_DRIVERS, WINDOWS_LIBRARIES
from packaging.tags import mac_platforms

from scripts.tools.processes import clean_environment
from tests.support import headers


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
def test_the_lowest_manylinux_that_has_every_symbol(
    versions: list[str], expected: tuple[str, ...]
) -> None:
    assert (
        tags_of(headers.elf(versions={"libc.so.6": versions} if versions else {}))
        == expected
    )


def test_a_library_outside_the_policy_is_named_and_not_publishable() -> None:
    tags = platform_tags(
        parse_executable(headers.elf(needed=["libssl.so.3", "libc.so.6"]), "it")
    )
    assert tags.platforms == ("linux_x86_64",)
    assert not tags.publishable
    assert "libssl.so.3" in tags.reasons[0]


def test_a_symbol_that_a_policy_forbids_is_named() -> None:
    """Programs that reach into zlib's inside break with the next zlib."""
    plain = parse_executable(headers.elf(needed=["libz.so.1", "libc.so.6"]), "it")
    assert platform_tags(plain).publishable
    inside = platform_tags(replace(plain, imports=frozenset({"inflate", "_dist_code"})))
    assert not inside.publishable
    assert "does not allow `_dist_code` of `libz.so.1`" in inside.reasons[0]
    unused = replace(plain, needed=("libc.so.6",), imports=frozenset({"_dist_code"}))
    assert platform_tags(unused).publishable


def test_the_loader_counts_as_part_of_libc() -> None:
    needed = ["libc.so.6", "ld-linux-x86-64.so.2"]
    versions = {"ld-linux-x86-64.so.2": ["GLIBC_2.35"]}
    assert tags_of(headers.elf(needed=needed, versions=versions)) == (
        "manylinux_2_35_x86_64",
    )


def test_a_bundled_library_counts_like_the_program() -> None:
    program = parse_executable(headers.elf(needed=["libown.so", "libc.so.6"]), "it")
    newer = headers.elf(
        soname="libown.so", loader=None, versions={"libc.so.6": ["GLIBC_2.31"]}
    )
    bundled = {"libown.so": parse_executable(newer, "it", library=True)}
    assert platform_tags(program, bundled).platforms == ("manylinux_2_31_x86_64",)
    assert exceeds(program, "x86_64", read_floor("glibc 2.28"), bundled) is not None
    assert exceeds(program, "x86_64", read_floor("glibc 2.31"), bundled) is None


def test_the_reason_names_the_cpu_whose_policy_it_is() -> None:
    """`manylinux_2_17` lists GLIBC_2.18 on aarch64, and there alone."""
    versions = {"libc.so.6": ["GLIBC_2.18"]}
    arm = parse_executable(
        headers.elf("aarch64", loader="/lib/ld-linux-aarch64.so.1", versions=versions), "it"
    )
    reason = "it needs nothing that `manylinux_2_17` lacks, the lowest policy for aarch64"
    assert platform_tags(arm).reasons == (reason,)


def test_a_tag_has_the_reason_that_decided() -> None:
    """Here not glibc, but the library of C++; of several versions, the highest."""
    versions = {
        "libc.so.6": ["GLIBC_2.17"],
        "libstdc++.so.6": ["GLIBCXX_3.4.9", "GLIBCXX_3.4.21", "GLIBCXX_3.4.20"],
    }
    program = headers.elf(needed=["libstdc++.so.6", "libc.so.6"], versions=versions)
    (reason,) = platform_tags(parse_executable(program, "it")).reasons
    newer, lowest = reason.split("; ")
    assert newer == "`GLIBCXX_3.4.21` of `libstdc++.so.6` is newer than `manylinux_2_17`"
    assert lowest == "`manylinux_2_24` is the lowest policy that allows all that it needs"


def test_other_cpus_have_their_own_lowest_policy() -> None:
    assert (
        tags_of(headers.elf("aarch64", loader="/lib/ld-linux-aarch64.so.1"))[0]
        == "manylinux_2_17_aarch64"
    )
    assert tags_of(headers.elf("riscv64", loader="/lib/ld-linux-riscv64-lp64d.so.1")) == (
        "manylinux_2_31_riscv64",
    )


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
def test_macos_tags_promise_no_older_system(
    cpu: str, minimum: tuple[int, int], expected: str
) -> None:
    assert tags_of(headers.mach_o(cpu, minimum=minimum)) == (expected,)


def test_a_cpu_that_windows_has_no_tag_for() -> None:
    unknown = replace(parse_executable(headers.pe("x86_64"), "it"), cpus=("mips",))
    with pytest.raises(BuildError, match="no Windows platform tag for the CPU `mips`"):
        platform_tags(unknown)


def test_a_runtime_of_visual_cpp_is_remarked() -> None:
    plain = parse_executable(headers.pe("x86_64"), "it")
    assert platform_tags(plain).remarks == ()
    needs = platform_tags(replace(plain, needed=("KERNEL32.dll", "VCRUNTIME140.dll")))
    remedy = "link the C runtime in (`-C target-feature=+crt-static`)"
    words = "it needs `VCRUNTIME140.dll`, which a clean Windows lacks: "
    assert needs.remarks == (words + remedy,)


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
    for wheel in dist.glob("leanspec_*linux*.whl"):
        command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
        output = " ".join(
            subprocess.run(
                command, capture_output=True, text=True, check=True
            ).stdout.split()
        )
        ours = wheel.stem.split("-")[-1]
        assert f'the following platform tag: "{ours}"' in output


def test_a_universal_file_gets_the_set_that_pip_needs() -> None:
    """Pip's own list for Apple silicon holds universal2 tags of macOS 10.x too."""
    both = headers.universal(
        headers.mach_o("x86_64", minimum=(10, 12)), headers.mach_o("aarch64")
    )
    tags = tags_of(both)
    assert tags == ("macosx_10_12_x86_64", "macosx_11_0_arm64", "macosx_10_12_universal2")
    for arch, oldest in (("arm64", (11, 0)), ("x86_64", (10, 12))):
        assert set(tags) & set(mac_platforms(oldest, arch))
    assert not set(tags) & set(mac_platforms((10, 11), "x86_64"))


@pytest.mark.parametrize("cpu", ["armv6l", "armv7l"])
def test_a_local_arm_program_is_not_publishable(cpu: str) -> None:
    """The index takes `linux_armv7l`, as of a program that needs no policy, and not what one machine has."""
    intel = parse_executable(headers.elf(), "it")
    program = replace(
        intel, cpus=(cpu,), loader="/lib/ld-linux-armhf.so.3", symbol_versions={}
    )
    plain = platform_tags(program)
    assert plain.publishable
    foreign = replace(program, run_path=("/tmp/libraries",))  # noqa: S108 - to refuse it
    tags = platform_tags(foreign)
    assert tags.platforms == (f"linux_{cpu}",)
    assert not tags.publishable
    assert not of_all([tags, plain]).publishable
    other = replace(program, needed=("libother.so.1", "libc.so.6"))
    assert not platform_tags(other).publishable
    assert "`libother.so.1` is in no manylinux policy" in platform_tags(other).reasons


def test_unsigned_arm64_code_is_refused() -> None:
    with pytest.raises(BuildError, match="not signed"):
        tags_of(headers.mach_o("aarch64", signed=False))
    assert tags_of(headers.mach_o("x86_64", signed=False)) == ("macosx_11_0_x86_64",)


# What a packer leaves of code: it does not shrink any more.
NOISE = random.Random(1).randbytes(300_000)  # noqa: S311 - the same bytes each time


@pytest.mark.parametrize(
    "data",
    [
        headers.pe(flags=0xE0000020),  # code that writes itself, as UPX has it
        headers.pe(code=NOISE),
    ],
)
def test_a_packed_program_of_windows_is_refused(data: bytes) -> None:
    words = "it is packed .*, which hides the libraries that it needs"
    with pytest.raises(BuildError, match=words) as error:
        tags_of(data)
    assert error.value.hint


def test_compressed_data_beside_code_packs_nothing() -> None:
    """As Go and Rust embed assets."""
    assert tags_of(headers.pe(data=NOISE)) == ("win_amd64",)
    code = b"".join(number.to_bytes(2, "little") for number in range(60_000))
    half = headers.elf(kind=2, loader=None, needed=[], code=code + NOISE[:100_000])
    assert "manylinux_2_5_x86_64" in tags_of(half)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            headers.elf(loader="/nix/store/x-glibc/lib/ld-linux-x86-64.so.2"),
            "asks for the loader `/nix/store",
        ),
        (
            headers.elf(
                kind=2, loader=None, needed=[], code=b"\0\0\0\0UPX!", code_first=True
            ),
            "it is packed",
        ),
        (
            headers.elf(
                kind=3, loader=None, needed=[], code=b"\0\0\0\0UPX!", code_first=True
            ),
            "another packer), which hides the libc and the libraries that it needs",
        ),
        (headers.elf(kind=2, loader=None, needed=[], code=NOISE), "it is packed"),
        (
            headers.elf(
                needed=["libgcc_s.so.1", "libc.musl-x86_64.so.1"],
                loader="/lib/ld-musl-x86_64.so.1",
            ),
            "libgcc_s",
        ),
    ],
)
def test_a_program_without_a_policy_is_for_local_use(data: bytes, words: str) -> None:
    tags = platform_tags(parse_executable(data, "it"))
    assert tags.platforms == ("linux_x86_64",)
    assert not tags.publishable
    assert words in tags.reasons[0]


@pytest.mark.parametrize(
    ("data", "floor", "words"),
    [
        (headers.elf(versions={"libc.so.6": ["GLIBC_2.34"]}), "glibc 2.34", None),
        (
            headers.elf(versions={"libc.so.6": ["GLIBC_2.34"]}),
            "glibc 2.28",
            "`GLIBC_2.34` of `libc.so.6` is newer",
        ),
        (headers.elf(versions={"libc.so.6": ["GLIBC_2.9"]}), "glibc 2.28", None),
        # Packed relative relocations: no number, and glibc 2.36 all the same.
        (
            headers.elf(versions={"libc.so.6": ["GLIBC_2.3", "GLIBC_ABI_DT_RELR"]}),
            "glibc 2.34",
            "DT_RELR",
        ),
        (
            headers.elf(versions={"libc.so.6": ["GLIBC_2.3", "GLIBC_ABI_DT_RELR"]}),
            "glibc 2.36",
            None,
        ),
        (
            headers.elf(needed=["libssl.so.3"], versions={"libc.so.6": ["GLIBC_2.38"]}),
            "glibc 2.34",
            "libssl.so.3",
        ),
        (headers.elf(kind=2, loader=None, needed=[]), "glibc 2.17", None),
        (headers.mach_o(minimum=(11, 0)), "macos 11.0", None),
        (
            headers.mach_o(minimum=(13, 0)),
            "macos 11.0",
            "its aarch64 code needs macOS 13.0",
        ),
    ],
)
def test_a_promised_floor_is_kept(data: bytes, floor: str, words: str | None) -> None:
    executable = parse_executable(data, "it")
    problem = exceeds(executable, executable.cpus[0], read_floor(floor), {})
    assert problem is None if words is None else words in str(problem)


@pytest.mark.parametrize("floor", ["2.28", "glibc 2", "musl 1.2"])
def test_a_floor_that_says_nothing_is_refused(floor: str) -> None:
    with pytest.raises(BuildError, match="the floor"):
        read_floor(floor)


def test_a_floor_of_another_system_is_refused() -> None:
    with pytest.raises(
        BuildError, match="a floor of darwin says nothing of an executable for linux"
    ):
        exceeds(
            parse_executable(headers.elf(), "it"), "x86_64", read_floor("macos 11.0"), {}
        )


def test_each_slice_of_a_universal_file_keeps_its_floor() -> None:
    both = parse_executable(
        headers.universal(headers.mach_o("x86_64"), headers.mach_o(minimum=(13, 0))), "it"
    )
    assert exceeds(both, "x86_64", read_floor("macos 11.0"), {}) is None
    assert (
        exceeds(both, "aarch64", read_floor("macos 11.0"), {})
        == "its aarch64 code needs macOS 13.0"
    )


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("/usr/lib/libSystem.B.dylib", False),
        ("/System/Library/Frameworks/Security.framework/Versions/A/Security", False),
        ("/opt/homebrew/opt/openssl@3/lib/libssl.3.dylib", True),
        ("/usr/local/lib/libssl.3.dylib", True),
        ("@rpath/libssl.3.dylib", True),
        ("@loader_path/../lib/libx.dylib", True),
        ("/Library/Frameworks/Python.framework/Versions/3.12/Python", True),
        ("/Users/me/lib/libx.dylib", True),
        ("libx.dylib", True),
        ("/usr/libexec/libx.dylib", True),
    ],
)
def test_a_library_that_other_macs_lack_is_refused(name: str, *, foreign: bool) -> None:
    executable = replace(
        parse_executable(headers.mach_o(), "it"),
        needed=("/usr/lib/libSystem.B.dylib", name),
    )
    if not foreign:
        assert platform_tags(executable).publishable
        return
    with pytest.raises(
        BuildError, match="which a macOS without Homebrew and the like does not have"
    ) as error:
        platform_tags(executable)
    assert f"`{name}`" in error.value.message
    assert error.value.hint


def test_swift_is_part_of_macos() -> None:
    executable = replace(
        parse_executable(headers.mach_o(), "it"), needed=("@rpath/libswiftCore.dylib",)
    )
    assert platform_tags(replace(executable, run_path=("/usr/lib/swift",))).publishable
    with pytest.raises(BuildError):
        platform_tags(executable)


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("KERNEL32.dll", False),
        ("api-ms-win-crt-runtime-l1-1-0.dll", False),
        ("bcryptprimitives.dll", False),
        ("VCRUNTIME140.dll", False),  # with a remark
        ("libssl-3-x64.dll", True),
        ("python312.dll", True),
        ("mfc140u.dll", True),
        ("libgcc_s_seh-1.dll", True),
        ("evil-api-ms-win-x.dll", True),
    ],
)
def test_a_library_that_a_clean_windows_lacks_is_refused(
    name: str, *, foreign: bool
) -> None:
    executable = replace(
        parse_executable(headers.pe(), "it"), needed=("KERNEL32.dll", name)
    )
    if not foreign:
        assert platform_tags(executable).publishable
        return
    with pytest.raises(BuildError, match="which a clean Windows does not have") as error:
        platform_tags(executable)
    assert f"`{name}`" in error.value.message


# Part of Windows 10; delvewheel's list is of Windows 7.
NEWER = {
    "d3d12",
    "d3dcompiler_47",
    "dcomp",
    "gdiplus",
    "icuin",
    "icuuc",
    "shcore",
    "ucrtbase",
    "xinput1_4",
}


@pytest.mark.network
def test_delvewheel_knows_the_libraries_of_windows(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(tmp_path),
    ]
    subprocess.run([*command, "delvewheel==1.13.2"], check=True, env=clean_environment())
    with zipfile.ZipFile(next(tmp_path.glob("delvewheel-*.whl"))) as wheel:
        text = wheel.read("delvewheel/_dll_list.py").decode()
    ours = {*WINDOWS_LIBRARIES, *WINDOWS_DRIVERS} - {f"{name}.dll" for name in NEWER}
    assert {name for name in ours if f"'{name}'" not in text} == set()


def test_a_program_for_newer_machines_alone_is_promised_to_none() -> None:
    executable = replace(parse_executable(headers.elf(), "it"), instructions="x86-64-v3")
    tags = platform_tags(executable)
    assert tags.platforms == ("linux_x86_64",)
    needed = "it says that it needs x86-64-v3, which older machines do not have"
    assert tags.reasons == (needed,)


@pytest.mark.parametrize(
    ("intel", "arm", "universal"),
    [
        ((10, 12), (11, 0), "macosx_10_12_universal2"),
        ((11, 0), (11, 0), "macosx_11_0_universal2"),
        ((10, 12), (12, 0), None),
        ((12, 0), (12, 0), "macosx_12_0_universal2"),
        ((13, 0), (12, 0), "macosx_13_0_universal2"),
    ],
)
def test_a_universal_tag_is_true_of_both(
    intel: tuple[int, int], arm: tuple[int, int], universal: str | None
) -> None:
    """Pip on macOS 11 with Apple silicon takes a universal2 tag of 10.12."""
    tags = tags_of(
        headers.universal(
            headers.mach_o("x86_64", minimum=intel), headers.mach_o(minimum=arm)
        )
    )
    assert [tag for tag in tags if "universal" in tag] == ([universal] if universal else [])
    common = set(tags) & set(mac_platforms((11, 0), "arm64"))
    assert bool(common) is (arm <= (11, 0))


@pytest.mark.parametrize(
    ("tag", "is_accepted"),
    [
        ("linux_x86_64", False),
        ("linux_armv7l", True),
        ("manylinux_2_36_loongarch64", False),
        ("musllinux_1_2_riscv64", True),
        ("macosx_10_12_x86_64", True),
        ("macosx_12_0_arm64", True),
        ("macosx_12_3_arm64", False),
        ("macosx_16_0_arm64", False),
        ("win_arm64", True),
    ],
)
def test_the_public_index_takes_a_tag(tag: str, *, is_accepted: bool) -> None:
    assert Tags((tag,), ()).publishable is is_accepted


TEMPORARY = "/tmp"  # noqa: S108 - in a run path


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        (
            TEMPORARY,
            (
                "it looks for libraries in `/tmp` first, where others may put one:"
                " `patchelf --remove-rpath` takes it out"
            ),
        ),
        ("/usr/../tmp/build", "in `/usr/../tmp/build` first"),
        ("//var/tmp/x", "in `//var/tmp/x` first"),
        ("lib", "in `lib` first"),
        ("$LIB/tool", "in `$LIB/tool` first"),
        ("$ORIGIN/../../../../tmp", "in `$ORIGIN/../../../../tmp` first"),
    ],
)
def test_a_run_path_that_others_write_to_makes_a_program_local(
    folder: str, words: str
) -> None:
    tags = platform_tags(parse_executable(headers.elf(run_path=folder), "it"))
    assert (tags.platforms, tags.publishable) == (("linux_x86_64",), False)
    assert words in tags.reasons[0]
    assert tags.remarks == ()


@pytest.mark.parametrize(
    ("folder", "remark"),
    [
        ("$ORIGIN/../lib", None),
        ("$ORIGIN/../tmp:$ORIGIN", None),
        (
            "$ORIGIN/../../lib",
            "it looks for libraries in `$ORIGIN/../../lib` first: link it without that run path",
        ),
        (
            "$ORIGIN/../lib:",
            "it looks for libraries in the current folder first: link it without that run path",
        ),
        (
            "",
            "it looks for libraries in the current folder first: link it without that run path",
        ),
        ("/usr/lib/x86_64-linux-gnu", None),
        (
            "/home/me/lib:/opt/x",
            "it looks for libraries in `/home/me/lib`, `/opt/x` first: link it without that run path",
        ),
    ],
)
def test_a_run_path_of_the_build_machine_is_remarked(
    folder: str, remark: str | None
) -> None:
    tags = platform_tags(parse_executable(headers.elf(run_path=folder), "it"))
    assert tags.publishable
    assert tags.remarks == ((remark,) if remark else ())


def test_a_cpu_without_a_policy_has_a_tag_that_no_index_takes() -> None:
    intel = parse_executable(headers.elf(), "it")
    tags = platform_tags(replace(intel, cpus=("ppc64",), libc="musl"))
    assert tags.platforms == ("linux_ppc64",)
    assert tags.reasons == ("there is no musllinux policy for the CPU `ppc64`",)
    assert not tags.publishable


@pytest.mark.parametrize("version", ["GLIBC_2.4", "GLIBC_2.34"])
def test_an_armv6_program_for_a_libc_has_the_tags_of_armv7(version: str) -> None:
    """Dynamic programs of both have the hard-float ABI; auditwheel knows ARMv7 alone."""
    intel = parse_executable(headers.elf(versions={"libc.so.6": [version]}), "it")
    newer = replace(intel, cpus=("armv7l",), loader=GLIBC_LOADERS["armv7l"])
    older = replace(newer, cpus=("armv6l",))
    tags, newer_tags = platform_tags(older), platform_tags(newer)
    assert newer_tags.platforms[0].startswith("manylinux")
    assert tags.platforms == ("linux_armv6l", *newer_tags.platforms)
    assert tags.reasons == (*newer_tags.reasons, "armv7l machines run code for armv6l")
    assert tags.publishable
    musl = replace(older, libc="musl", loader="/lib/ld-musl-armhf.so.1", needed=())
    assert platform_tags(musl).platforms == ("linux_armv6l", "musllinux_1_2_armv7l")
    assert platform_tags(replace(older, loader="/lib/ld.so")).platforms == ("linux_armv6l",)


def test_a_run_path_of_a_static_program_is_not_used() -> None:
    static = parse_executable(
        headers.elf(kind=2, loader=None, needed=[], run_path=TEMPORARY), "it"
    )
    assert platform_tags(static).publishable


def test_a_library_beside_a_program_has_a_safe_run_path_too() -> None:
    program = parse_executable(headers.elf(needed=["libown.so", "libc.so.6"]), "it")
    library = headers.elf(soname="libown.so", loader=None, run_path=TEMPORARY)
    bundled = {"libown.so": parse_executable(library, "it", library=True)}
    assert platform_tags(program, bundled).platforms == ("linux_x86_64",)


def test_an_audit_library_makes_a_program_local() -> None:
    tags = platform_tags(parse_executable(headers.elf(audit="libspy.so"), "it"))
    assert tags.platforms == ("linux_x86_64",)
    words = "it has the loader run the audit library `libspy.so`, which other systems do not have"
    assert tags.reasons == (words,)


@pytest.mark.parametrize(
    ("cpu", "loader", "alignment", "is_remarked"),
    [
        ("aarch64", "/lib/ld-linux-aarch64.so.1", 1 << 12, True),
        ("aarch64", "/lib/ld-linux-aarch64.so.1", 1 << 14, True),
        ("aarch64", "/lib/ld-linux-aarch64.so.1", 1 << 16, False),
        ("x86_64", headers.GLIBC_LOADER, 1 << 12, False),
    ],
)
def test_segments_that_large_pages_do_not_fit_are_remarked(
    cpu: str, loader: str, alignment: int, *, is_remarked: bool
) -> None:
    data = headers.elf(cpu, loader=loader, alignment=alignment)
    tags = platform_tags(parse_executable(data, "it"))
    assert tags.publishable
    remark = (
        f"its segments are aligned to {alignment} bytes, so it does not start on {cpu} systems"
        " with larger pages: link it with `-Wl,-z,max-page-size=65536`"
    )
    assert tags.remarks == ((remark,) if is_remarked else ())


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        (f"{TEMPORARY}/lib", "in `/tmp/lib` first"),
        ("/private/tmp", "in `/private/tmp` first"),
        ("lib", "in `lib` first, where others may put one"),
    ],
)
def test_a_run_path_of_macos_that_others_write_to_is_refused(
    folder: str, words: str
) -> None:
    data = headers.mach_o(commands=[headers.load_command(0x8000001C, folder)])
    with pytest.raises(BuildError) as error:
        tags_of(data)
    assert words in error.value.message
    assert "install_name_tool -delete_rpath" in (error.value.hint or "")


def test_a_run_path_of_macos_outside_of_the_system_is_remarked() -> None:
    folders = ("@executable_path/../lib", "/usr/lib/swift", "/Users/me/lib")
    commands = [headers.load_command(0x8000001C, folder) for folder in folders]
    tags = platform_tags(parse_executable(headers.mach_o(commands=commands), "it"))
    assert tags.publishable
    assert tags.remarks == (
        "it looks for libraries in `/Users/me/lib` first: link it without that run path",
    )


@pytest.mark.parametrize("kind", [0xC, 0x80000018, 0x8000001F, 0x20, 0x80000023])
def test_each_kind_of_library_of_macos_is_needed(kind: int) -> None:
    """Loaded, weak, exported again, lazy and upward (mach-o/loader.h)."""
    data = headers.mach_o(commands=[headers.load_command(kind, "/opt/x/libx.dylib")])
    with pytest.raises(BuildError, match=re.escape("it needs `/opt/x/libx.dylib`")):
        tags_of(data)


def test_a_private_library_is_named_before_the_run_path() -> None:
    needed = ("libfoo.so", "libc.so.6")
    program = parse_executable(headers.elf(needed=needed, run_path="lib"), "it")
    library, folder = platform_tags(program).reasons
    assert library == "`libfoo.so` is in no manylinux policy"
    assert folder.startswith("it looks for libraries in `lib` first")


def test_a_library_of_newer_policies_is_the_reason_for_one() -> None:
    needed = ("libmvec.so.1", "libc.so.6")
    tags = platform_tags(parse_executable(headers.elf(needed=needed), "it"))
    assert tags.platforms == ("manylinux_2_24_x86_64",)
    words = "`libmvec.so.1` is not among the libraries that `manylinux_2_17` allows"
    assert tags.reasons[0].startswith(words)

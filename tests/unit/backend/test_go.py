"""What a Go program says of its build: the Arm that it needs, its system, newer instructions."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable, Sequence

import leanspec_build
import pytest
from leanspec_build.errors import NoTagError
from leanspec_build.formats.embedded import embedded_modules
from leanspec_build.formats.executable import parse_executable
from leanspec_build.formats.facts import EmbeddedPackage
from leanspec_build.tags.derive import platform_tags

from tests.support import headers
from tests.support.inside import call
from tests.support.tool import Tool

ARM, X86_64, AARCH64 = 40, 62, 183
LOADED, WRITABLE, READ_ONLY = 1, 7, 5
IS_INLINE = 2
SENTINEL = bytes(range(16))


def length(size: int) -> bytes:
    """Return a number in 7 bits per byte."""
    low, rest = size & 0x7F, size >> 7
    return bytes([low | 0x80]) + length(rest) if rest else bytes([low])


def build_information(
    *settings: str,
    flags: int = IS_INLINE,
    modules: Sequence[str] = ("dep\tGOARM=7\tv1.0.0",),
    version: str = "go1.27.3",
) -> bytes:
    """Return what Go's linker writes: a header, its version, modules and settings."""
    lines = ["path\texample.com/tool", "mod\texample.com/tool\t(devel)\t", *modules]
    lines += [f"build\t{setting}" for setting in settings]
    text = SENTINEL + "".join(f"{line}\n" for line in lines).encode() + SENTINEL
    header = b"\xff Go buildinf:" + bytes([8, flags])
    return (
        header.ljust(32, b"\0")
        + length(len(version))
        + version.encode()
        + length(len(text))
        + text
    )


def program(machine: int, data: bytes, *, flags: int = WRITABLE) -> bytes:
    """Return a static program for a machine, of one segment with data."""
    is_wide = machine != ARM
    start = 128
    size = start + len(data)
    if is_wide:
        segment = struct.pack("<IIQQQQQQ", LOADED, flags, 0, 0, 0, size, size, 1)
        fields = (2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0)
        header = struct.pack("<HHIQQQIHHHHHH", *fields)
    else:
        segment = struct.pack("<8I", LOADED, 0, 0, 0, size, size, flags, 1)
        fields = (2, machine, 1, 0, 52, 0, 0, 52, 32, 1, 40, 0, 0)
        header = struct.pack("<HHIIIIIHHHHHH", *fields)
    ident = b"\x7fELF" + bytes([2 if is_wide else 1, 1, 1]) + bytes(9)
    return (ident + header + segment).ljust(start, b"\0") + data


@pytest.mark.parametrize(
    ("setting", "tag"),
    [
        ("GOARM=7", "manylinux_2_17_armv7l"),
        ("GOARM=7,softfloat", "manylinux_2_17_armv7l"),
        ("GOARM=6", "linux_armv6l"),
    ],
)
def test_an_arm_program_of_go_gets_the_arm_that_it_was_built_for(
    setting: str, tag: str
) -> None:
    data = program(ARM, build_information("GOOS=linux", setting))
    tags = platform_tags(parse_executable(data, "it"))
    assert tag in tags.platforms
    assert tags.publishable


def test_a_static_armv6_program_is_for_armv7_too() -> None:
    """No installer on ARMv7 looks for `linux_armv6l`."""
    data = program(ARM, build_information("GOARM=6"))
    tags = platform_tags(parse_executable(data, "it"))
    newer = platform_tags(
        parse_executable(program(ARM, build_information("GOARM=7")), "it")
    )
    assert tags.platforms == ("linux_armv6l", *newer.platforms)
    assert tags.reasons == (*newer.reasons, "armv7l machines run code for armv6l")


def test_an_armv6_program_leaves_armv7_to_the_program_for_it(tool: Tool) -> None:
    for version in "67":
        data = program(ARM, build_information(f"GOARM={version}"))
        tool.put(f"v{version}", tool=data)
    older, newer = sorted(tool.all())
    assert "-linux_armv6l.whl" in older
    assert "-manylinux2014_armv7l.manylinux_2_17_armv7l.musllinux_1_1_armv7l.whl" in newer


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (build_information("GOARM=5"), "no Linux platform tag for the CPU `armv5`"),
        (build_information("GOOS=linux"), "does not say which Arm it needs"),
        (build_information("GOARM=8"), "does not say which Arm it needs"),
        # Older ones point to their texts, which have no settings.
        (build_information("GOARM=7", flags=1), "does not say which Arm it needs"),
        # A text of a program that reads such lists.
        (b"a" + build_information("GOARM=7"), "does not say which Arm it needs"),
        (build_information("GOARM=7")[:40], "does not say which Arm it needs"),
        (b"\xff Go buildinf:", "does not say which Arm it needs"),
    ],
)
def test_an_arm_program_without_a_version_that_has_a_tag_gets_none(
    data: bytes, words: str
) -> None:
    with pytest.raises(NoTagError, match=words):
        platform_tags(parse_executable(program(ARM, data), "it"))


def test_all_says_what_helps_an_arm_program_without_a_version(tool: Tool) -> None:
    tool.put("x", tool=program(ARM, b""))
    message = tool.build("all", code=1).stderr
    words = "it does not say which Arm it needs (leave the section `.ARM.attributes` in, or Go's build information"
    assert words in message


def test_settings_are_read_from_data_alone_not_from_code() -> None:
    data = program(ARM, build_information("GOARM=7"), flags=READ_ONLY)
    with pytest.raises(NoTagError):
        platform_tags(parse_executable(data, "it"))


def test_a_text_before_the_settings_hides_nothing() -> None:
    text = b"-\xff Go buildinf:".ljust(64, b"-")
    data = program(ARM, text + build_information("GOARM=6"))
    assert parse_executable(data, "it").cpus == ("armv6l",)


@pytest.mark.parametrize(
    ("machine", "setting", "instructions"),
    [
        (X86_64, "GOAMD64=v1", None),
        (X86_64, "GOAMD64=v3", "GOAMD64=v3"),
        (AARCH64, "GOARM64=v8.0", None),
        (AARCH64, "GOARM64=v8.1,lse", "GOARM64=v8.1,lse"),
    ],
)
def test_a_program_of_go_for_newer_cpus_is_local(
    machine: int, setting: str, instructions: str | None
) -> None:
    data = program(machine, build_information(setting))
    executable = parse_executable(data, "it")
    assert executable.instructions == instructions
    assert platform_tags(executable).publishable is (instructions is None)


def windows_program(setting: str) -> bytes:
    return headers.pe(data=build_information(setting), data_flags=0xC0000040)


def mac_program(setting: str) -> bytes:
    return headers.universal(headers.mach_o(), mach_o_section(build_information(setting)))


@pytest.mark.parametrize("make", [windows_program, mac_program])
def test_a_program_of_go_for_newer_cpus_is_local_on_each_system(
    tool: Tool, make: Callable[[str], bytes]
) -> None:
    tool.put("x", tool=make("GOAMD64=v3"))
    reason = "it says that it needs GOAMD64=v3, which older machines do not have"
    hint = "hint: build it for all machines of its CPU: `GOAMD64=v1`, or make the wheels"
    message = tool.build("all", code=1).stderr
    assert "error: wheels with these tags are not for a public index:\n" in message
    assert f", because {reason}\n{hint} for machines of your own: `--local`" in message
    output = tool.build("all", "--local").stdout
    assert "for local use only: other machines of this tag may not run it" in output
    text = tool.build("inspect", "dist/x/tool").stdout
    assert "publishable    False" in text
    assert reason in text
    platform = "windows-x64" if make is windows_program else "darwin-x64"
    built = tool.root / "built"
    built.mkdir()
    settings = {"platform": platform}
    notes = call(lambda: leanspec_build.build_wheel(str(built), settings), tool.root)
    assert "  hint: build it for all machines of its CPU: `GOAMD64=v1`\n" in notes.stderr
    tool.put("x", tool=make("GOAMD64=v1"))
    assert all(wheel["publishable"] for wheel in tool.all().values())


@pytest.mark.parametrize(("level", "is_local"), [("v1", False), ("v3", True)])
def test_a_slice_for_newer_macs_beside_the_common_one_is_not_local(
    level: str, *, is_local: bool
) -> None:
    common, newer = (
        mach_o_section(build_information(f"GOAMD64={each}")) for each in (level, "v3")
    )
    newer = newer[:8] + struct.pack("<I", 8) + newer[12:]  # x86_64h
    data = bytearray(headers.universal(headers.mach_o(), common, newer))
    struct.pack_into(">I", data, 8 + 2 * 20 + 4, 8)
    tags = platform_tags(parse_executable(bytes(data), "it"))
    assert tags.is_local is is_local


def test_a_program_of_go_names_its_system() -> None:
    data = program(X86_64, build_information("GOOS=illumos"))
    executable = parse_executable(data, "it")
    assert executable.system == "illumos"
    with pytest.raises(NoTagError, match="no platform tag for the system `illumos`"):
        platform_tags(executable)


@pytest.mark.parametrize(("machine", "cpu"), [(8, "mips64el"), (2, "machine2_64")])
def test_a_cpu_that_no_installer_names_gets_no_tag(machine: int, cpu: str) -> None:
    with pytest.raises(NoTagError, match=f"no Linux platform tag for the CPU `{cpu}`"):
        platform_tags(parse_executable(program(machine, b""), "it"))


MODULES = (
    "dep\tgolang.org/x/text\tv0.14.0\th1:abc=",
    "dep\texample.org/old\tv1.0.0",
    "=>\texample.org/fork\tv1.1.0\th1:def=",
    "dep\texample.org/local\tv2.0.0",
    "=>\t./local\t(devel)\t",
    "dep\t\tv1",
    "dep\texample.org/\tv1",
)
STANDARD_LIBRARY = EmbeddedPackage("golang", "stdlib", "1.27.3", is_public=True)
EXPECTED = [
    STANDARD_LIBRARY,
    EmbeddedPackage("golang", "golang.org/x/text", "v0.14.0", is_public=True),
    EmbeddedPackage("golang", "example.org/fork", "v1.1.0", is_public=True),
    EmbeddedPackage("golang", "example.org/local", "v2.0.0", is_public=False),
]


def mach_o_section(data: bytes) -> bytes:
    """Return a program of macOS with Go's section at its end."""
    start = len(headers.mach_o("x86_64", signed=False, commands=[bytes(152)]))
    section = (b"__go_buildinfo", b"__DATA", 0, len(data), start, *[0] * 7)
    command = struct.pack("<II16sQQQQIIII", 0x19, 152, b"__DATA", 0, 0, 0, 0, 0, 0, 1, 0)
    command += struct.pack("<16s16s2Q8I", *section)
    return headers.mach_o("x86_64", signed=False, commands=[command]) + data


@pytest.mark.parametrize("system", ["linux", "macos", "windows"])
def test_modules_of_go_are_read_with_their_replacements(system: str) -> None:
    information = build_information(modules=MODULES)
    data = {
        "linux": program(X86_64, information),
        "macos": mach_o_section(information),
        "windows": headers.pe(data=information, data_flags=0xC0000040),
    }[system]
    assert embedded_modules(data, parse_executable(data, "it")) == EXPECTED


@pytest.mark.parametrize(
    ("version", "number", "is_public"),
    [
        ("go1.21", "1.21", True),
        ("go1.22rc1", "1.22rc1", True),
        ("go1.22.1 X:boringcrypto", "1.22.1", True),
        ("go1.21.5 (Red Hat 1.21.5-1.el9)", "1.21.5", True),
        ("devel go1.24-abcdef0 Tue", "devel go1.24-abcdef0 Tue", False),
        ("go1.24-abcdef0", "go1.24-abcdef0", False),
    ],
)
def test_the_standard_library_of_go_has_the_version_of_a_release(
    version: str, number: str, *, is_public: bool
) -> None:
    data = program(X86_64, build_information(modules=(), version=version))
    (library,) = embedded_modules(data, parse_executable(data, "it"))
    assert library == EmbeddedPackage("golang", "stdlib", number, is_public=is_public)


@pytest.mark.parametrize("data", [headers.elf(), headers.pe(data=b"x"), headers.mach_o()])
def test_a_program_of_another_language_lists_no_modules(data: bytes) -> None:
    assert embedded_modules(data, parse_executable(data, "it")) == []


def test_a_section_of_go_beyond_the_end_lists_no_modules() -> None:
    data = mach_o_section(build_information(modules=MODULES))[:-8]
    assert embedded_modules(data, parse_executable(data, "it")) == []


def test_modules_of_go_are_in_the_bill_of_materials(tool: Tool) -> None:
    tool.put("x", tool=program(X86_64, build_information(modules=MODULES)))
    (wheel,) = tool.all()
    with zipfile.ZipFile(tool.root / "out" / wheel) as archive:
        bill = next(name for name in archive.namelist() if name.endswith(".cdx.json"))
        components = json.loads(archive.read(bill))["components"]
    assert {entry["name"]: entry.get("purl") for entry in components} == {
        "tool": None,
        "stdlib": "pkg:golang/std@1.27.3",
        "golang.org/x/text": "pkg:golang/golang.org/x/text@v0.14.0",
        "example.org/fork": "pkg:golang/example.org/fork@v1.1.0",
        "example.org/local": None,
    }

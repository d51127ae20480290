"""Programs for the path: found in what a build left, one wheel per kind of machine."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import leanspec_build
import pytest
import yaml
from leanspec_build.any_program.universal import join
from leanspec_build.archives import Member, read_members
from leanspec_build.errors import BuildError
from leanspec_build.formats.embedded import embedded_crates
from leanspec_build.formats.executable import parse_executable
from leanspec_build.formats.facts import Signature
from leanspec_build.tags.model import Tags, of_all

from scripts.environment import ROOT
from scripts.tools.processes import clean_environment
from tests.support import headers
from tests.support.preconditions import needs
from tests.support.surroundings import is_root, make_venv, packages, programs, run
from tests.support.tool import Tool

OLD = headers.elf(versions={"libc.so.6": ["GLIBC_2.17"]})
NEW = headers.elf(versions={"libc.so.6": ["GLIBC_2.34"]})
STATIC = headers.elf(loader=None, needed=())
ARM = headers.elf("aarch64", loader="/lib/ld-linux-aarch64.so.1")
OTHERS = {"windows": headers.pe(), "macos": headers.mach_o(), "arm": ARM}


OF_2014 = ("manylinux2014_x86_64", "manylinux_2_17_x86_64")
UNIVERSAL = ("macosx_10_12_x86_64", "macosx_11_0_arm64", "macosx_10_12_universal2")
TWO_SYSTEMS = {"tool": OLD, "b": OTHERS["windows"]}
SCRIPT = '[project.scripts]\ntool = "a:b"\n[tool.lean'


MODES: dict[str, Literal["w:gz", "w:xz"]] = {".gz": "w:gz", ".xz": "w:xz"}


def tarred(path: Path, **files: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, tarfile.open(None, MODES[path.suffix], file) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"tool-1.2.3/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def zipped(path: Path, **files: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("_exe", ".exe"), data)


def test_each_kind_of_machine_gets_a_wheel_by_the_bytes(tool: Tool) -> None:
    """As cargo, GoReleaser, cargo-dist and Zig leave them; no name of a folder is read."""
    tool.put("x86_64-unknown-linux-gnu/release", tool=OLD)
    tool.put("wrong_name_darwin", tool_exe=OTHERS["windows"])
    tarred(tool.dist / "tool_1.2.3_linux_arm64.tar.gz", tool=ARM, README=b"")
    tarred(tool.dist / "tool-aarch64-apple-darwin.tar.xz", tool=OTHERS["macos"])
    zipped(tool.dist / "tool_musl.zip", tool=STATIC)
    wheels = tool.all()
    assert sorted(wheels) == [
        "a_tool-1.2.3-py3-none-macosx_11_0_arm64.whl",
        "a_tool-1.2.3-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.musllinux_1_1_x86_64.whl",
        "a_tool-1.2.3-py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
        "a_tool-1.2.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "a_tool-1.2.3-py3-none-win_amd64.whl",
    ]
    with zipfile.ZipFile(tool.root / "out/a_tool-1.2.3-py3-none-win_amd64.whl") as wheel:
        entry = wheel.getinfo("a_tool-1.2.3.data/scripts/tool.exe")
        assert wheel.read(entry) == OTHERS["windows"]
        assert entry.external_attr >> 16 & 0o777 == 0o755
    assert all(entry["publishable"] for entry in wheels.values())
    before = {path.name: path.read_bytes() for path in (tool.root / "out").iterdir()}
    tool.all()
    assert {
        path.name: path.read_bytes() for path in (tool.root / "out").iterdir()
    } == before


def test_the_backend_is_a_command(tool: Tool) -> None:
    """In a process of its own; other tests call it in theirs."""
    command = [sys.executable, "-m", "leanspec_build", "all", "--out", "out"]
    result = run(command, clean_environment(), cwd=tool.root, code=1)
    assert result.stderr.startswith("error: `dist` does not exist\nhint: ")
    tool.put("x", tool=OLD)
    run(command, clean_environment(), cwd=tool.root)
    assert [path.suffix for path in (tool.root / "out").iterdir()] == [".whl"]


def test_a_program_has_the_name_of_its_project_where_nothing_else_is_said(
    tool: Tool,
) -> None:
    tool.edit('programs = ["tool"]\n', "")
    tool.put("x")
    assert "has `a-tool`" in tool.build("all", code=1).stderr
    (tool.dist / "x/a-tool").write_bytes(OLD)
    (wheel,) = tool.all()
    with zipfile.ZipFile(tool.root / "out" / wheel) as archive:
        assert "a_tool-1.2.3.data/scripts/a-tool" in archive.namelist()


def test_a_file_of_the_name_that_is_no_program_is_passed_by(tool: Tool) -> None:
    """As in completions, and in the debug symbols that cargo leaves beside a program for macOS."""
    tarred(tool.dist / "tool.tar.gz", tool=OLD)
    tool.put("completions/bash", tool=b"_tool() {\n")
    tool.put("tool.dSYM/Contents/Resources/DWARF", tool=headers.mach_o(kind=10))
    tool.put("wrapper", tool=b"#!/bin/sh\n")
    result = tool.build("all", "--out", "out")
    assert result.stderr.count(": passed by\n") == 3
    assert len(list((tool.root / "out").iterdir())) == 1
    # What was to be a program, and is none, is no file of another kind.
    for wrong in (b"", OLD[:100], b"version https://git-lfs.github.com/spec/v1\n"):
        tool.put("wrong", tool=wrong)
        tool.build("all", "--out", "out", code=1)


def test_a_folder_may_have_the_programs_of_windows_and_of_another_system(
    tool: Tool,
) -> None:
    tool.put("bin", tool=OLD, tool_exe=OTHERS["windows"])
    zipped(tool.dist / "both.zip", tool=ARM, tool_exe=OTHERS["windows"])
    assert len(tool.all()) == 3


def test_a_file_that_is_named_may_have_any_name(tool: Tool) -> None:
    """As releases have them: `tool-linux-amd64`, beside its checksum."""
    tool.edit('from = "dist"', 'from = "dist/tool-*"')
    tool.put("", **{"tool-linux-amd64": OLD, "tool-windows_exe": OTHERS["windows"]})
    tool.put("", **{"tool-linux-amd64.sha256": b"0123", "other-linux": NEW})
    tarred(tool.dist / "tool-arm.tar.gz", tool=ARM)
    assert len(tool.all()) == 3
    result = tool.build(
        "all", "--from", tool.dist / "other-linux", "--json", "--out", "out/other"
    )
    (report,) = json.loads(result.stdout)
    assert report["platform_tags"] == ["manylinux_2_34_x86_64"]
    with zipfile.ZipFile(tool.root / report["wheel"]) as wheel:
        assert "a_tool-1.2.3.data/scripts/tool" in wheel.namelist()


def test_several_programs_get_the_strictest_tag(tool: Tool) -> None:
    tool.edit('["tool"]', '["tool", "helper"]')
    tool.put("a", tool=OLD, helper=NEW)
    tool.put("not-whole", tool=ARM)
    (wheel,) = tool.all()
    assert wheel == "a_tool-1.2.3-py3-none-manylinux_2_34_x86_64.whl"
    with zipfile.ZipFile(tool.root / "out" / wheel) as archive:
        folder = "a_tool-1.2.3.data/scripts/"
        assert {folder + "tool", folder + "helper"} <= set(archive.namelist())
        bill = next(name for name in archive.namelist() if name.endswith(".cdx.json"))
        components = {
            entry["name"] for entry in json.loads(archive.read(bill))["components"]
        }
    assert components == {"tool", "helper"}


MAN = """
[tool.leanspec-build.data-files]
"share/man/man1" = ["man/*.1"]
"share/zsh/site-functions" = ["completions/_tool"]
"""


def test_man_pages_and_completions_come_along(tool: Tool) -> None:
    tool.edit('from = "dist"', f'from = "dist"{MAN}')
    tool.put("x", tool=OLD)
    for name in ("man/tool.1", "man/tool-run.1", "man/notes", "completions/_tool"):
        (tool.root / name).parent.mkdir(exist_ok=True)
        (tool.root / name).write_text(name)
    (wheel,) = tool.all()
    with zipfile.ZipFile(tool.root / "out" / wheel) as archive:
        folder = "a_tool-1.2.3.data/data/share/"
        files = {
            name.removeprefix(folder): archive.read(name).decode()
            for name in archive.namelist()
            if name.startswith(folder)
        }
    assert files == {
        "man/man1/tool.1": "man/tool.1",
        "man/man1/tool-run.1": "man/tool-run.1",
        "zsh/site-functions/_tool": "completions/_tool",
    }


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ('"share" = ["none/*"]', "no file matches `none/*`"),
        ('"share" = "man/*"', "wants a table of lists of texts"),
        ('"../share" = ["man/*"]', "which leads out"),
        ('"/etc" = ["man/*"]', "which leads out"),
        ('"share" = ["../x"]', "which leads out"),
        pytest.param('"share" = ["link"]', "which lies outside", marks=pytest.mark.posix),
    ],
)
def test_data_files_stay_inside(tool: Tool, wrong: str, words: str) -> None:
    tool.edit('from = "dist"', f'from = "dist"\n[tool.leanspec-build.data-files]\n{wrong}')
    tool.put("x", tool=OLD)
    if sys.platform != "win32":
        (tool.root / "link").symlink_to("/etc/passwd")
    assert words in tool.build("all", code=1).stderr


@pytest.mark.parametrize(
    ("parts", "tags"),
    [
        ([("manylinux2014_x86_64",), ("manylinux_2_34_x86_64",)], ("manylinux_2_34_x86_64",)),
        ([OF_2014[:1], OF_2014[1:]], OF_2014),
        ([("manylinux_2_5_x86_64", "musllinux_1_1_x86_64"), ("musllinux_1_2_x86_64",)], ("musllinux_1_2_x86_64",)),
        ([("linux_x86_64",), ("manylinux_2_17_x86_64",)], ("linux_x86_64",)),
        ([("manylinux_2_17_x86_64",), ("manylinux_2_17_aarch64",)], ()),
        ([("linux_x86_64",), ("manylinux_2_17_aarch64",)], ()),
        ([("macosx_11_0_arm64",), ("macosx_12_0_arm64",)], ("macosx_12_0_arm64",)),
        ([UNIVERSAL, ("macosx_11_0_arm64",)], ("macosx_11_0_arm64",)),
        ([("win_amd64",), ("win_amd64",)], ("win_amd64",)),
        ([("win_amd64",), ("win_arm64",)], ()),
    ],
)  # fmt: skip
def test_the_tags_of_programs_together(
    parts: list[tuple[str, ...]], tags: tuple[str, ...]
) -> None:
    for platforms in (parts, parts[::-1]):
        common = of_all([Tags(names, ()) for names in platforms])
        assert set(common.platforms) == set(tags)


def two_builds(tool: Tool) -> None:
    tool.put("debug", tool=OLD)
    tool.put(
        "release", tool=headers.elf(versions={"libc.so.6": ["GLIBC_2.16", "GLIBC_2.17"]})
    )


def no_archive(tool: Tool) -> None:
    tool.dist.mkdir()
    (tool.dist / "tool.zip").write_bytes(b"not a zip")


def huge_in_archive(tool: Tool) -> None:
    tool.dist.mkdir()
    member = tarfile.TarInfo("tool")
    member.size = 1 << 40
    (tool.dist / "tool.tar").write_bytes(member.tobuf() + bytes(1024))


def large_archive(tool: Tool) -> None:
    tool.dist.mkdir()
    member = tarfile.TarInfo("another")
    member.size = 1 << 40
    (tool.dist / "tool.tar").write_bytes(member.tobuf() + bytes(1024))


def two_systems(tool: Tool) -> None:
    tool.edit('["tool"]', '["tool", "b"]')
    tool.put("x", **TWO_SYSTEMS)


def one_file_for_two(tool: Tool) -> None:
    tool.edit('["tool"]', '["tool", "b"]')
    tool.edit('from = "dist"', 'from = "dist/tool"')
    tool.dist.mkdir()
    (tool.dist / "tool").write_bytes(OLD)


def edited(old: str, new: str) -> Callable[[Tool], None]:
    return lambda tool: tool.edit(old, new)


WRONG: dict[str, tuple[Callable[[Tool], None], str]] = {
    "nothing built": (lambda _: None, "does not exist"),
    "nothing there": (lambda tool: tool.put("x"), "has `tool`"),
    "two builds": (two_builds, "different programs for the same machines"),
    "no archive": (no_archive, "is not a whole archive"),
    "a huge member": (huge_in_archive, "more than the 536870912 bytes"),
    "a large archive": (large_archive, "unpacks to more than"),
    "a script": (lambda tool: tool.put("x", tool=b"#!/bin/sh\n"), "is a script"),
    "a text of names": (edited('["tool"]', '"tool"'), "wants a list of texts as `programs`"),
    "no names": (edited('["tool"]', "[]"), "wants a list of names"),
    "a path": (edited('["tool"]', '["../tool"]'), "a file name is wanted"),
    "an executable too": (edited("from", 'executable = "a"\nfrom'), "has both `programs` and `executable`"),
    "no place": (edited('from = "dist"', ""), "nothing says where the programs are"),
    "a number as place": (edited('from = "dist"', "from = 3"), "wants a text, or a list of texts as `from`"),
    "a script of the name": (edited("[tool.lean", SCRIPT), "both as a program and as a script"),
    "several systems": (two_systems, "run on no common system"),
    "one file for two": (one_file_for_two, "is one file, and there are to be 2 programs"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_all_refuses_a_wrong_project_in_one_message(tool: Tool, wrong: str) -> None:
    change, words = WRONG[wrong]
    change(tool)
    result = tool.build("all", "--out", "out", code=1)
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert not list((tool.root / "out").glob("*")) if (tool.root / "out").exists() else True


def is_tool(member: Member) -> bool:
    return member.name.endswith("tool")


def test_an_archive_is_told_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "tool.tar.xz"
    tarred(path, tool=OLD)
    ((_, data),) = read_members(path.rename(tmp_path / "tool.tar.gz"), is_tool)
    assert data == OLD


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.xz", ".tar.bz2", ".tar", ".zip"])
def test_a_damaged_archive_is_one_message(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"archive{suffix}"
    (tmp_path / "tool").write_bytes(OLD)
    form = {".tar.gz": "gztar", ".tar.xz": "xztar", ".tar.bz2": "bztar"}.get(
        suffix, suffix[1:]
    )
    shutil.make_archive(str(tmp_path / "archive"), form, str(tmp_path), "tool")
    whole = path.read_bytes()
    ((member, data),) = read_members(path, is_tool)
    assert (member.name, data) == ("tool", OLD)
    refused = 0
    for at in range(0, len(whole), max(len(whole) // 200, 1)):
        changed = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
        for damaged in (whole[:at], changed):
            path.write_bytes(damaged)
            try:
                assert len(list(read_members(path, is_tool))) <= 1
            except BuildError:
                refused += 1
    assert refused > 10


@pytest.mark.long
@needs("Linux")
def test_a_frontend_builds_for_this_machine_and_pip_installs_it(
    tool: Tool, tmp_path: Path
) -> None:
    program = Path("/bin/true").resolve().read_bytes()
    tool.put("here", tool=program)
    tool.put("there", tool_exe=OTHERS["windows"])
    build: list[str | Path] = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    build += ["--outdir", tmp_path]
    assert "because " in run([*build, tool.root], clean_environment()).stderr
    (wheel,) = tmp_path.glob("a_tool-*.whl")
    prefix = make_venv(tmp_path / "venv")
    pip: list[str | Path] = [programs(prefix) / "python", "-m", "pip", "install"]
    pip += ["--no-index", wheel]
    run(pip, clean_environment())
    assert (programs(prefix) / "tool").read_bytes() == program
    run([programs(prefix) / "tool"], clean_environment())
    assert not list(packages(prefix).glob("tool*"))
    other: list[str | Path] = [*build, "-C", "platform=windows-x64", tool.root]
    assert "win_amd64" in run(other, clean_environment()).stdout
    shutil.rmtree(tool.dist / "here")
    refused = run([*build, tool.root], clean_environment(), code=1)
    words = "there are no programs for this machine, only for windows-x64"
    assert words in refused.stdout + refused.stderr


LISTED = {
    "packages": [
        {"name": "tool", "version": "1.2.3", "source": "local", "root": True},
        {"name": "serde", "version": "1.0.0", "source": "crates.io"},
        {"name": "fork", "version": "0.1.0", "source": "git"},
        {"name": "cc", "version": "1.0.0", "source": "crates.io", "kind": "build"},
    ]
}


def audited(listed: object) -> bytes:
    """Return a PE file with a list of crates in a section of its own, as cargo-auditable names it."""
    program = bytearray(headers.pe())
    packed = zlib.compress(json.dumps(listed).encode())
    (header,) = struct.unpack_from("<I", program, 0x3C)
    (count,) = struct.unpack_from("<H", program, header + 6)
    table = header + 24 + struct.unpack_from("<H", program, header + 20)[0] + 40 * count
    struct.pack_into("<H", program, header + 6, count + 1)
    place = (len(packed), 0x9000, len(packed), len(program))
    entry = struct.pack("<8sIIIIIIHHI", b".dep-v0", *place, 0, 0, 0, 0, 0x40000040)
    program[table : table + 40] = entry
    return bytes(program) + packed


@needs("objcopy")
def test_the_crates_of_an_audited_program_are_in_the_bill(
    tool: Tool, tmp_path: Path
) -> None:
    packed, program = tmp_path / "packed", tmp_path / "tool"
    packed.write_bytes(zlib.compress(json.dumps(LISTED).encode()))
    shutil.copy(os.path.realpath("/bin/true"), program)
    run(["objcopy", f"--add-section=.dep-v0={packed}", program], clean_environment())
    tool.put("x", tool=program.read_bytes())
    (wheel,) = tool.all()
    with zipfile.ZipFile(tool.root / "out" / wheel) as archive:
        bill = next(name for name in archive.namelist() if name.endswith(".cdx.json"))
        components = json.loads(archive.read(bill))["components"]
    assert {entry["name"]: entry.get("purl") for entry in components} == {
        "tool": None,
        "serde": "pkg:cargo/serde@1.0.0",
        "fork": None,
    }


def audited_mach_o(cpu: str) -> bytes:
    """Return a macOS program with a list of crates in a section `__DATA,.dep-v0`, as rustc leaves it."""
    program = headers.mach_o(cpu, signed=False)
    packed = zlib.compress(json.dumps(LISTED).encode())
    place = len(program) + 152
    section = struct.pack("<16s16sQQII", b".dep-v0", b"__DATA", 0, len(packed), place, 0)
    fields = (152, b"__DATA", 0, len(packed), place, len(packed), 3, 3, 1, 0)
    segment = struct.pack("<II16sQQQQIIII", 0x19, *fields) + section + bytes(28 - 4)
    changed = bytearray(program)
    count, size = struct.unpack_from("<II", changed, 16)
    struct.pack_into("<II", changed, 16, count + 1, size + 152)
    return bytes(changed) + segment + packed


def test_a_list_in_a_macos_program_thin_and_universal() -> None:
    thin = audited_mach_o("x86_64")
    both = join([audited_mach_o("aarch64"), thin])
    for data in (thin, both):
        crates = embedded_crates(data, parse_executable(data, "tool"))
        assert [entry.name for entry in crates] == ["serde", "fork"]


@needs("llvm-lipo-14")
def test_programs_are_joined_as_lipo_does_it(tmp_path: Path) -> None:
    slices = {cpu: headers.mach_o(cpu) for cpu in ("x86_64", "aarch64")}
    for cpu, data in slices.items():
        (tmp_path / cpu).write_bytes(data)
    names: list[str | Path] = [tmp_path / "aarch64", tmp_path / "x86_64"]
    run(
        ["llvm-lipo-14", "-create", *names, "-output", tmp_path / "both"],
        clean_environment(),
    )
    joined = (tmp_path / "both").read_bytes()
    assert join(slices.values()) == joined
    assert join(reversed(slices.values())) == joined


def test_the_programs_of_both_macs_may_share_a_wheel(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.edit('from = "dist"', 'from = "dist"\nuniversal2 = true')
    tool.put("arm", tool=OTHERS["macos"])
    tool.put("other", tool_exe=OTHERS["windows"])
    assert "there are none for `darwin-x64`" in tool.build("all", code=1).stderr
    tool.put("intel", tool=headers.mach_o("x86_64", minimum=(10, 12)))
    universal = "a_tool-1.2.3-py3-none-" + ".".join(sorted(UNIVERSAL)) + ".whl"
    assert sorted(tool.all()) == [universal, "a_tool-1.2.3-py3-none-win_amd64.whl"]
    with zipfile.ZipFile(tool.root / "out" / universal) as wheel:
        both = parse_executable(wheel.read("a_tool-1.2.3.data/scripts/tool"), "tool")
    assert set(both.signatures.values()) == {Signature.AD_HOC}
    monkeypatch.chdir(tool.root)
    wheel_of = leanspec_build.build_wheel
    for platform in ("darwin-x64", "darwin-arm64"):
        assert wheel_of(str(tool.root), {"platform": platform}) == universal


def test_a_list_in_a_windows_program_and_a_damaged_one() -> None:
    data = audited(LISTED)
    crates = embedded_crates(data, parse_executable(data, "tool"))
    assert [entry.name for entry in crates] == ["serde", "fork"]
    without = (headers.pe(), headers.elf(), headers.mach_o())
    for damaged in (audited([]), audited({"packages": [{}]}), *without):
        assert embedded_crates(damaged, parse_executable(damaged, "tool")) == []


@pytest.mark.parametrize(
    ("data", "floor", "words"),
    [
        (
            headers.elf(versions={"libc.so.6": ["GLIBC_2.34"]}),
            'floors.linux-x64 = "glibc 2.28"',
            "is above the promised floor `glibc 2.28` of `linux-x64`: `GLIBC_2.34`",
        ),
        (
            headers.universal(headers.mach_o("x86_64"), headers.mach_o(minimum=(13, 0))),
            'floors.darwin-arm64 = "macos 12.0"',
            "is above the promised floor `macos 12.0` of `darwin-arm64`: its aarch64 code",
        ),
    ],
)
def test_a_program_for_the_path_keeps_the_promised_floor(
    tool: Tool, data: bytes, floor: str, words: str
) -> None:
    tool.put("x", tool=data)
    with zipfile.ZipFile(tool.dist / "y.zip", "w") as archive:
        archive.writestr("tool", data)
    assert len(tool.all()) == 1
    tool.edit('from = "dist"', f'from = "dist"\n{floor}')
    assert words in tool.build("all", "--out", "out", code=1).stderr
    (tool.dist / "x/tool").unlink()
    assert words in tool.build("all", "--out", "out", code=1).stderr


@pytest.mark.parametrize("kind", [2, 3])
def test_the_mark_of_a_packer_decides_in_a_program_with_sections(kind: int) -> None:
    """UPX can keep them; the mark is behind the program headers."""
    data = bytearray(headers.elf(kind=kind, code=b"\0\0\0\0UPX!", code_first=True))
    struct.pack_into("<Q", data, 40, 64)
    struct.pack_into("<3H", data, 58, 64, 1, 0)
    assert parse_executable(bytes(data), "it").packed
    struct.pack_into("<I", data, data.index(b"UPX!"), 0)
    assert not parse_executable(bytes(data), "it").packed


def test_the_recipe_for_ci_makes_wheels_of_a_releases_archives(tool: Tool) -> None:
    page = (ROOT / "build_backend/README.md").read_text("utf-8")
    recipe = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    job = recipe["jobs"]["pypi"]
    runs = [step["run"] for step in job["steps"] if "run" in step]
    (command,) = (run for run in runs if " -m leanspec_build " in run)
    (download,) = (run for run in runs if run.startswith("gh release download"))
    artifacts = tool.root / download.partition("--dir ")[2]
    artifacts.mkdir()
    with zipfile.ZipFile(artifacts / "tool_linux.zip", "w") as archive:
        archive.writestr("tool", headers.elf())
    tool.build(*command.partition(" -m leanspec_build ")[2].split())
    (wheel,) = (tool.root / job["steps"][-1]["with"]["packages-dir"]).iterdir()
    assert wheel.name.startswith("a_tool-1.2.3-py3-none-manylinux")


@pytest.mark.parametrize("places", ['"dist"', '"dist/*"', '["other", "./dist/../dist"]'])
def test_all_does_not_write_where_the_programs_are(tool: Tool, places: str) -> None:
    tool.edit('"dist"', places)
    tool.put("linux", tool=headers.elf())
    error = tool.build("all", "--out", "dist", code=1).stderr
    assert "refusing to write wheels into `dist`, where the programs are\n" in error
    assert "hint: name another folder: `--out wheelhouse`" in error


@pytest.mark.parametrize("place", ["dist/linux/tool", "dist/*/tool"])
def test_all_does_not_write_next_to_a_program_that_is_named(tool: Tool, place: str) -> None:
    tool.put("linux", tool=headers.elf())
    error = tool.build("all", "--from", place, "--out", "dist/linux", code=1).stderr
    assert f"into `{Path('dist/linux')}`, where the programs are\n" in error
    tool.build("all", "--from", place, "--out", "dist/wheels")


def test_all_does_not_read_what_it_wrote(tool: Tool) -> None:
    tool.put("linux", tool=headers.elf())
    tool.edit('"dist"', '"."')
    (tool.root / "wheelhouse").mkdir()
    (tool.root / "wheelhouse/tool").write_bytes(headers.elf("aarch64"))
    report = tool.build("all").stdout
    assert report.startswith(str(Path("wheelhouse", "a_tool-1.2.3-py3-none-manylinux")))
    assert "aarch64" not in report


def test_all_makes_a_local_version_for_machines_of_ones_own(tool: Tool) -> None:
    tool.put("linux", tool=headers.elf())
    tool.edit('"1.2.3"', '"1.2.3+build"')
    assert "no local version" in tool.build("all", code=1).stderr
    assert "1.2.3+build-py3" in tool.build("all", "--local").stdout


@pytest.mark.posix
def test_all_names_folders_that_it_does_not_read(tool: Tool) -> None:
    tool.put("linux", tool=headers.elf())
    (tool.dist / "link").symlink_to(tool.dist / "linux")
    locked = tool.dist / "locked"
    locked.mkdir(mode=0)
    errors = tool.build("all").stderr
    assert f"note: `{Path('dist', 'link')}` is a link to a folder: passed by\n" in errors
    if not is_root():
        assert f"note: `{locked}`: Permission denied: passed by\n" in errors


def test_all_prints_a_name_that_moves_the_cursor_as_an_escape(tool: Tool) -> None:
    tarred(
        tool.dist / "x.tar.gz",
        **{"\x1b[2J\n/tool": headers.elf(), "\x1b[1A/tool": b"#!/bin/sh\n"},
    )
    report = tool.build("all")
    assert "\\x1b[2J\\n" in report.stdout
    assert "\\x1b[2J" in report.stdout
    assert "\\x1b[1A" in report.stderr
    assert "\x1b" not in report.stdout + report.stderr


def test_a_refusal_of_a_hook_ends_with_its_message(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As tox shows it, which calls hooks in a process of its own and prints the traceback."""
    tool.put("other", tool=headers.elf("s390x", loader="/lib/ld64.so.1"))
    monkeypatch.chdir(tool.root)
    with pytest.raises(
        SystemExit, match="there are no programs for this machine"
    ) as caught:
        leanspec_build.build_wheel(str(tool.root))
    assert caught.value.code == 1


def test_all_lists_the_programs_that_are_there(tool: Tool) -> None:
    tool.dist.mkdir()
    hint = "hint: build first, or name another place: `--from PLACE`; `programs` under"
    assert hint in tool.build("all", code=1).stderr
    (tool.dist / "tool.7z").write_bytes(b"7z")
    hint = "hint: put the program there, in a file or an archive of its own, or name"
    assert hint in tool.build("all", code=1).stderr
    tool.put("windows", other_exe=headers.pe(), readme=b"text")
    error = tool.build("all", code=1).stderr
    place = Path("dist", "windows", "other.exe")
    assert f"\n  `{place}` is a program of another name\n" in error
    assert "hint: name what was built" in error
    tool.edit('"tool"', '"other"')
    assert len(tool.all()) == 1


def test_all_names_programs_that_are_left_out(tool: Tool) -> None:
    tool.put("linux", tool=OLD)
    tool.edit('"dist"', '"dist"\nexclude = ["dist/linux"]')
    error = tool.build("all", code=1).stderr
    words = f"has `tool`\n  `{Path('dist/linux')}` is left out by `exclude`\nhint: take what has the"
    assert words in error


def test_all_calls_no_program_of_the_right_name_another_one(tool: Tool) -> None:
    tool.put("bsd", tool=headers.elf(osabi=9))
    error = tool.build("all", code=1).stderr
    assert "another name" not in error
    assert "machine that wheels can name, or name another place: `--from PLACE`" in error
    tool.edit('["tool"]', '["tool", "more"]')
    error = tool.build("all", code=1).stderr
    assert "another name" not in error
    assert "hint: build all of them for one machine, or take the others out of" in error

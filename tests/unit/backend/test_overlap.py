"""Programs from several places: for the same machines, for none that a tag names, and those that a project states."""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import leanspec_build
import pytest
from leanspec_build.any_program import sets
from leanspec_build.any_program.overlap import without_overlap
from leanspec_build.any_program.program_set import ProgramSet
from leanspec_build.any_program.search import Request
from leanspec_build.binaries import Binary
from leanspec_build.formats.executable import parse_executable
from leanspec_build.source import source_of
from leanspec_build.tags.linux import GLIBC_LOADERS

from scripts.tools.processes import clean_environment, own_program
from tests.support import headers
from tests.support.surroundings import run
from tests.support.tool import Tool

OLD = headers.elf(versions={"libc.so.6": ["GLIBC_2.17"]})
NEW = headers.elf(versions={"libc.so.6": ["GLIBC_2.34"]})
STATIC = headers.elf(loader=None, needed=())
OTHER_STATIC = headers.elf(loader=None, needed=(), code=b"debug")
MUSL = headers.elf(loader="/lib/ld-musl-x86_64.so.1", needed=("libc.musl-x86_64.so.1",))
FOREIGN = headers.elf(needed=("libother.so.1", "libc.so.6"))
ARM_MAC, INTEL_MAC = headers.mach_o(), headers.mach_o("x86_64", minimum=(10, 12))
BOTH_MACS = headers.universal(INTEL_MAC, ARM_MAC)
WINDOWS = headers.pe()
OLD_MAC = headers.mach_o("x86_64", signed=False).replace(b"\7\0\0\1", b"\7\0\0\0", 1)
ARM_LOADERS = [None, GLIBC_LOADERS["armv7l"], "/lib/ld-musl-armhf.so.1"]
FREEBSD = headers.elf(osabi=9)


def dynamic(cpu: str) -> bytes:
    return headers.elf(cpu, loader=GLIBC_LOADERS[cpu])


def tags(wheel: str) -> set[str]:
    """Return the platform tags in the name of a wheel."""
    return set(wheel.removesuffix(".whl").rpartition("-")[2].split("."))


def tags_by_place(tool: Tool) -> dict[str, set[str]]:
    """Make all wheels; return the tags by the name of the place."""
    wheels = tool.all()
    return {Path(str(facts["from"])).name: tags(name) for name, facts in wheels.items()}


@pytest.mark.parametrize("cpu", ["aarch64", "riscv64", "s390x"])
def test_a_static_program_leaves_glibc_to_a_program_for_it(tool: Tool, cpu: str) -> None:
    tool.put("glibc", tool=dynamic(cpu))
    tool.put("static", tool=headers.elf(cpu, loader=None, needed=()))
    by_place = tags_by_place(tool)
    assert all(cpu in tag and "manylinux" in tag for tag in by_place["glibc"])
    assert all(tag.startswith("musllinux_") for tag in by_place["static"])
    output = tool.build("all", "--dry-run").stdout
    left = " to the programs of `dist/glibc`"
    assert "note: it leaves manylinux_2_" in output
    assert left.replace("/", str(Path("/"))) in output


def test_a_static_program_remains_for_older_systems(tool: Tool) -> None:
    """Of two tags that fit, installers prefer the newer one."""
    tool.put("glibc", tool=NEW)
    tool.put("musl", tool=MUSL)
    tool.put("static", tool=STATIC)
    assert tags_by_place(tool) == {
        "glibc": {"manylinux_2_34_x86_64"},
        "musl": {"musllinux_1_2_x86_64"},
        "static": {"manylinux1_x86_64", "manylinux_2_5_x86_64", "musllinux_1_1_x86_64"},
    }


def test_a_universal_program_leaves_a_cpu_to_a_thin_one(tool: Tool) -> None:
    tool.put("both", tool=BOTH_MACS)
    tool.put("arm", tool=ARM_MAC)
    assert tags_by_place(tool) == {
        "both": {"macosx_10_12_x86_64"},
        "arm": {"macosx_11_0_arm64"},
    }


def test_a_universal_program_beside_both_thin_ones_is_passed_by(tool: Tool) -> None:
    tool.put("both", tool=BOTH_MACS)
    tool.put("arm", tool=ARM_MAC)
    tool.put("intel", tool=INTEL_MAC)
    result = tool.build("all", "--dry-run", "--json")
    assert {Path(wheel["from"]).name for wheel in json.loads(result.stdout)} == {
        "arm",
        "intel",
    }
    assert "note: all machines of `" in result.stderr
    assert "have programs in `" in result.stderr


def test_all_joins_no_program_of_one_mac_alone(tool: Tool) -> None:
    tool.edit('from = "dist"', 'from = "dist"\nuniversal2 = true')
    tool.put("arm", tool=ARM_MAC)
    error = tool.build("all", code=1).stderr
    words = (
        "`universal2` wants programs for darwin-x64 and darwin-arm64, and there are none"
    )
    assert f"{words} for `darwin-x64`" in error


def test_a_universal_program_is_not_joined_with_a_thin_one(tool: Tool) -> None:
    tool.edit('from = "dist"', 'from = "dist"\nuniversal2 = true')
    tool.put("both", tool=BOTH_MACS)
    tool.put("arm", tool=ARM_MAC)
    error = tool.build("all", code=1).stderr
    both, arm = (Path("dist", name) for name in ("both", "arm"))
    assert f"`{both}` is for both CPUs already, and `{arm}` for one of them\n" in error
    tool.put("intel", tool=INTEL_MAC)
    (wheel,) = tool.all()
    assert "macosx_10_12_universal2" in tags(wheel)


def arm_set(cpu: str, loader: str | None) -> ProgramSet:
    """Return a program for an Arm CPU: static, or linked to a C library."""
    data = cpu.encode() + (loader or "").encode()
    facts = parse_executable(
        dict(zip(ARM_LOADERS, [STATIC, NEW, MUSL], strict=True))[loader], "it"
    )
    facts = replace(facts, cpus=(cpu,), loader=loader)
    source = source_of("it", data, lambda: data)
    binary = Binary(Path(cpu), source, facts)
    return ProgramSet((cpu,), {"tool": binary}, binary.tags)


@pytest.mark.parametrize("older", ARM_LOADERS)
@pytest.mark.parametrize("newer", ARM_LOADERS)
def test_a_program_for_armv6_leaves_its_machines_to_one_for_armv7(
    older: str | None, newer: str | None
) -> None:
    sets = [arm_set("armv6l", older), arm_set("armv7l", newer)]
    for both in (sets, sets[::-1]):
        remaining = sorted(
            without_overlap(both, Path(), Request()), key=lambda one: one.places
        )
        assert "linux_armv6l" in remaining[0].tags.platforms
        assert remaining[1].tags == sets[1].tags
        old, new = (set(programs.machines) for programs in remaining)
        assert not old & new or remaining[0].newest("linux-armv7l") < (2, 34)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (OLD, NEW),
        (STATIC, OTHER_STATIC),
        (OLD, FOREIGN),
        (INTEL_MAC, headers.mach_o("x86_64", minimum=(13, 0))),
        (BOTH_MACS, headers.universal(INTEL_MAC, headers.mach_o(minimum=(12, 0)))),
        (WINDOWS, headers.pe(code=b"debug")),
    ],
)
def test_two_programs_for_the_same_machines_are_refused_with_both_places(
    tool: Tool, one: bytes, other: bytes
) -> None:
    tool.put("release", tool=one)
    tool.put("debug", tool=other)
    result = tool.build("all", "--local", "--out", "out", code=1)
    assert "have different programs for the same machines (" in result.stderr
    assert str(Path("dist/release")) in result.stderr
    assert 'as `exclude = ["dist/debug"]` does' in result.stderr
    assert not (tool.root / "out").exists()
    tool.edit('from = "dist"', 'from = "dist"\nexclude = ["dist/debug"]')
    assert list(tags_by_place(tool)) == ["release"]


def test_an_archive_can_be_excluded(tool: Tool) -> None:
    tool.dist.mkdir()
    for name, program in {"new": OLD, "older": NEW}.items():
        with zipfile.ZipFile(tool.dist / f"{name}.zip", "w") as archive:
            archive.writestr("bin/tool", program)
    assert 'exclude = ["dist/older.zip"]' in tool.build("all", code=1).stderr
    tool.edit('from = "dist"', 'from = "dist"\nexclude = ["dist/old*.zip", "gone/*"]')
    result = tool.build("all", "--out", "out")
    assert "note: `exclude` names `gone/*`, which does not exist" in result.stderr


@pytest.mark.parametrize("folder", ["", "below"])
def test_two_programs_of_which_one_lies_at_the_top_are_refused_by_file(
    tool: Tool, folder: str
) -> None:
    file = "tool" if folder else "tool-linux"
    other = Path("dist", folder, file) if not folder else Path("dist", folder)
    tool.put("", tool=FOREIGN)
    tool.put(folder, **{file: OLD})
    message = tool.build("all", "--local", code=1).stderr
    assert f"`{Path('dist/tool')}`" in message
    assert f"`{other}`" in message
    assert 'as `exclude = ["dist/tool"]` does' in message
    tool.edit('from = "dist"', 'from = "dist"\nexclude = ["dist/tool"]')
    assert len(tool.all()) == 1


def test_two_programs_in_one_archive_are_refused_with_both_names(tool: Tool) -> None:
    tool.dist.mkdir()
    with zipfile.ZipFile(tool.dist / "all.zip", "w") as archive:
        archive.writestr("tool", OLD)
        archive.writestr("tool-linux", NEW)
    message = tool.build("all", code=1).stderr
    one, other = Path("dist/all.zip/tool"), Path("dist/all.zip/tool-linux")
    assert f"`{one}` and `{other}` have different programs" in message
    assert "hint: make `dist/all.zip` again with one of them, or unpack it" in message


@pytest.mark.parametrize("pattern", ["dist/**/tool.exe", "dist/x/*.exe"])
def test_a_file_beside_another_program_can_be_excluded(tool: Tool, pattern: str) -> None:
    tool.put("x", tool=OLD, tool_exe=WINDOWS)
    tool.edit('from = "dist"', f'from = "dist"\nexclude = ["{pattern}"]')
    assert list(map(tags, tool.all())) == [
        {"manylinux2014_x86_64", "manylinux_2_17_x86_64"}
    ]


def test_a_copy_is_named(tool: Tool) -> None:
    tool.put("one", tool=OLD)
    tool.put("two", tool=OLD)
    result = tool.build("all", "--out", "out")
    places = [str(Path("dist", name)) for name in ("two", "one")]
    assert "`{}` has the same programs as `{}`: passed by".format(*places) in result.stderr


REMARK = "its folder says that it is a debug build"


def test_a_debug_build_is_remarked_on(tool: Tool) -> None:
    tool.put("x86_64/debug", tool=OLD)
    assert REMARK in tool.build("all", "--dry-run").stdout
    tool.edit('from = "dist"', 'from = "dist/*/debug"')
    assert REMARK not in tool.build("all", "--dry-run").stdout


def test_programs_are_found_in_several_places(tool: Tool) -> None:
    tool.edit('from = "dist"', 'from = ["dist/one", "dist/t*"]')
    tool.put("one", tool=OLD)
    tool.put("two", tool_exe=WINDOWS)
    tool.put("three", other=b"")
    result = tool.build("all", "--dry-run", "--json")
    assert len(json.loads(result.stdout)) == 2
    place = Path("dist/three")
    assert f"note: `{place}` has no `tool`: passed by" in result.stderr
    places = ("--from", tool.dist / "one", "--from", tool.dist / "two")
    assert len(json.loads(tool.build("all", "--dry-run", "--json", *places).stdout)) == 2


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n"])
def test_each_place_that_is_named_has_programs(tool: Tool, content: bytes) -> None:
    tool.edit('from = "dist"', 'from = ["dist/one", "dist/two"]')
    tool.put("one", tool=OLD)
    tool.put("two", **({"tool": content} if content else {"other": b""}))
    assert "in `dist/two` has `tool`" in tool.build("all", code=1).stderr


def test_an_archive_or_folder_without_all_programs_is_named(tool: Tool) -> None:
    tool.edit('["tool"]', '["tool", "helper"]')
    tool.put("x", tool=OLD, helper=OLD)
    tool.put("half", tool=dynamic("aarch64"))
    with zipfile.ZipFile(tool.dist / "sources.zip", "w") as archive:
        archive.writestr("README", "")
    errors = tool.build("all", "--dry-run").stderr
    half, sources = (Path("dist", name) for name in ("half", "sources.zip"))
    assert f"note: `{half}` has `tool`, but not `helper`: passed by" in errors
    assert f"note: `{sources}` has no `tool` and `helper`: passed by" in errors


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (FREEBSD, "tool`: there is no platform tag for the system `freebsd`"),
        (OLD_MAC, "no macOS platform tag for the CPU `i686`"),
        (headers.pe().replace(b"\x64\x86", b"\xc4\x01", 1), "no Windows platform tag for the CPU `machine-0x1c4`"),
        (headers.pe("x86_64").replace(b"\3\0\0\0\0\0\x10", b"\x0a\0\0\0\0\0\x10", 1), "an EFI program"),
    ],
    ids=["freebsd", "old mac", "windows arm", "efi"],
)  # fmt: skip
def test_a_program_that_no_wheel_can_carry_is_passed_by(
    tool: Tool, program: bytes, words: str
) -> None:
    tool.put("other", tool=program)
    assert words in tool.build("all", code=1).stderr
    tool.put("linux", tool=OLD)
    result = tool.build("all", "--out", "out")
    line, end = result.stderr.splitlines()
    assert end.startswith("made 1 wheel; ")
    assert words in line
    assert line.startswith(("note: no wheel can carry `", "note: `"))
    assert line.endswith(": passed by")


def test_a_wheel_that_no_index_takes_is_made_if_asked_for(tool: Tool) -> None:
    tool.put("linux", tool=FOREIGN)
    tool.put("windows", tool_exe=WINDOWS)
    words = "error: wheels with these tags are not for a public index:\n"
    result = tool.build("all", "--out", "out", code=1)
    assert result.stderr.startswith(words)
    beside = "put it next to the program (`data-files.bin`, with the run path `$ORIGIN`)"
    hint = f"hint: {beside}, or link the library in (vendored OpenSSL"
    assert hint in result.stderr
    assert "`libother.so.1` is in no manylinux policy" in result.stderr
    assert ", or leave their places out by `exclude`, or make the wheels" in result.stderr
    (tool.dist / "windows/tool.exe").unlink()
    alone = tool.build("all", "--out", "out", code=1).stderr
    assert "static musl), or make the wheels for machines of your own" in alone
    tool.put("windows", tool_exe=WINDOWS)
    assert not (tool.root / "out").exists()
    shown = tool.build("all", "--dry-run", "--json", code=1)
    assert shown.stderr.startswith(words)
    assert len(json.loads(shown.stdout)) == 2
    tool.build("all", "--out", "out", "--local")
    assert len(list((tool.root / "out").iterdir())) == 2


PLATFORMS = 'from = "dist"\nplatforms = ["linux-x64", "windows-x64"]'


def test_a_stated_platform_without_a_program_is_refused(tool: Tool) -> None:
    tool.edit('from = "dist"', PLATFORMS)
    tool.put("linux", tool=OLD)
    result = tool.build("all", "--out", "out", code=1)
    assert "no programs for `windows-x64`, only for `linux-x64`" in result.stderr
    hint = "build them, or take them out of `platforms` under `[tool.leanspec-build]`"
    assert f"hint: {hint}" in result.stderr
    tool.put("windows", tool=WINDOWS)
    assert len(tool.all()) == 2


@pytest.mark.parametrize(
    ("program", "name"), [(ARM_MAC, "darwin-arm64"), (MUSL, "linux-x64-musl")]
)
def test_a_program_for_a_platform_that_is_not_stated_is_refused(
    tool: Tool, program: bytes, name: str
) -> None:
    tool.edit('from = "dist"', PLATFORMS)
    tool.put("linux", tool=OLD)
    tool.put("windows", tool=WINDOWS)
    tool.put("more", tool=program)
    errors = tool.build("all", "--out", "out", code=1).stderr
    assert f"is for `{name}`, which is not among the `platforms` of the project" in errors
    tool.edit('["linux-x64"', f'["{name}", "linux-x64"')
    assert len(tool.all()) == 3


@pytest.mark.parametrize("stated", ["linux-x64", "linux-x64-musl"])
def test_a_static_program_is_for_linux_with_and_without_musl(
    tool: Tool, stated: str
) -> None:
    tool.edit('from = "dist"', f'from = "dist"\nplatforms = ["{stated}"]')
    tool.put("static", tool=STATIC)
    assert len(tool.all()) == 1


def test_a_static_program_next_to_one_for_glibc_is_for_musl_alone(tool: Tool) -> None:
    tool.edit('from = "dist"', 'from = "dist"\nplatforms = ["linux-x64"]')
    tool.put("static", tool=STATIC)
    # For every glibc that the static one would be for.
    tool.put("glibc", tool=headers.elf(versions={"libc.so.6": ["GLIBC_2.2.5"]}))
    message = tool.build("all", code=1).stderr
    words = "is for `linux-x64-musl`, which is not among the `platforms` of the project"
    assert words in message
    hint = 'platforms = ["linux-x64", "linux-x64-musl"]'
    assert f"hint: write `{hint}`" in message
    tool.edit('platforms = ["linux-x64"]', hint)
    assert len(tool.all()) == 2


def test_a_platform_that_the_project_does_not_state_cannot_be_chosen(tool: Tool) -> None:
    tool.edit('from = "dist"', PLATFORMS)
    tool.put("musl", tool=MUSL)
    message = tool.build("all", "--platform", "linux-x64-musl", code=1).stderr
    words = "`--platform` names `linux-x64-musl`, which is not among the `platforms`"
    assert words in message
    assert "hint: the project has `linux-x64`, `windows-x64`; or add it" in message


def test_platforms_can_be_chosen(tool: Tool) -> None:
    tool.put("linux", tool=OLD)
    tool.put("both", tool=BOTH_MACS)
    platforms = ("--platform", "darwin-arm64", "--platform", "linux-x64")
    assert len(json.loads(tool.build("all", "--dry-run", "--json", *platforms).stdout)) == 2
    (wheel,) = json.loads(tool.build("all", "--dry-run", "--json", *platforms[2:]).stdout)
    assert wheel["platform_tags"][0] == "manylinux_2_17_x86_64"
    missing = tool.build("all", "--platform", "windows-x64", code=1).stderr
    assert "no programs for `windows-x64`, only for `darwin-arm64`, `darwin-x64`" in missing
    assert "hint: build them, or ask for one of the others: `--platform NAME`" in missing
    unknown = tool.build("all", "--platform", "linux-amd64", code=2).stderr
    assert (
        "`--platform` names the platform `linux-amd64`, which is not a known one" in unknown
    )


def test_a_stub_says_all_machines_when_platforms_are_chosen(tool: Tool) -> None:
    tool.edit('from = "dist"', 'from = "dist"\nstub = true')
    tool.put("linux", tool=OLD)
    tool.put("windows", tool=WINDOWS)
    tool.build("all", "--platform", "windows-x64", "--out", "out")
    (stub,) = (tool.root / "out").glob("*-any.whl")
    with zipfile.ZipFile(stub) as wheel:
        machines = json.loads(wheel.read("a_tool_stub/machines.json"))["machines"]
    assert machines == ["Linux with glibc 2.17 or newer on x86_64", "Windows on x86_64"]
    tool.put("linux", tool=MUSL)
    tool.build("all", "--out", "out")
    with zipfile.ZipFile(stub) as wheel:
        machines = json.loads(wheel.read("a_tool_stub/machines.json"))["machines"]
    assert machines[0] == "Linux with musl 1.2 or newer on x86_64"


def test_a_frontend_refuses_programs_for_other_machines(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.put("one", tool=headers.elf("s390x", loader="/lib/ld64.so.1"))
    tool.put("two", tool=dynamic("riscv64"))
    monkeypatch.chdir(tool.root)
    for hook in (leanspec_build.build_wheel, leanspec_build.build_editable):
        with pytest.raises(SystemExit):
            hook(str(tool.root))
        error = capsys.readouterr().err
        assert "error: there are no programs for this machine, only for linux-" in error
        assert "s390x" in error
        assert "riscv64" in error
    assert not list(tool.root.glob("*.whl"))


def test_a_frontend_names_the_system_that_a_program_needs(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.put("new", tool=NEW)
    monkeypatch.chdir(tool.root)
    monkeypatch.setattr(sets, "sys_tags", list)
    monkeypatch.setattr(sets, "host_platform_key", lambda: "linux-x64")
    with pytest.raises(SystemExit):
        leanspec_build.build_wheel(str(tool.root))
    assert "only for manylinux_2_34_x86_64\n" in capsys.readouterr().err


def test_a_platform_with_two_sets_gets_the_one_that_installers_choose(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.put("glibc", tool=NEW)
    tool.put("static", tool=STATIC)
    monkeypatch.chdir(tool.root)
    build = leanspec_build.build_wheel
    assert "manylinux_2_34" in build(str(tool.root), {"platform": "linux-x64"})
    with pytest.raises(
        SystemExit, match="no programs for `darwin-arm64`, only for linux-x64"
    ):
        build(str(tool.root), {"platform": "darwin-arm64"})
    assert "musllinux" in build(str(tool.root), {"platform": "linux-x64-musl"})
    place = {"platform": "linux-x64", "from": "dist/static"}
    assert "manylinux_2_5" in build(str(tool.root), place)


@pytest.mark.long
@pytest.mark.parametrize("cpu", ["x86_64", "aarch64"])
def test_pip_and_uv_choose_the_same_program(tool: Tool, tmp_path: Path, cpu: str) -> None:
    tool.put("glibc", tool=dynamic(cpu))
    tool.put("static", tool=headers.elf(cpu, loader=None, needed=()))
    tool.all()
    index = ("--no-index", "--find-links", tool.root / "out")
    policies = [f"manylinux_2_{minor}_{cpu}" for minor in (34, 17, 12, 5)]
    platforms = [option for tag in policies for option in ("--platform", tag)]
    pip = (sys.executable, "-m", "pip", "download", "--only-binary", ":all:")
    run([*pip, *index, *platforms, "--dest", tmp_path, "a-tool"], clean_environment())
    (wheel,) = tmp_path.glob("*.whl")
    uv = (own_program("uv"), "pip", "install", "--python", sys.executable)
    platform = ("--python-platform", f"{cpu}-manylinux_2_34")
    env = clean_environment(UV_CACHE_DIR=str(tmp_path / "cache"))
    run([*uv, *index, *platform, "--target", tmp_path / "uv", "a-tool"], env)
    with zipfile.ZipFile(wheel) as archive:
        program = archive.read("a_tool-1.2.3.data/scripts/tool")
    assert program == dynamic(cpu)
    assert (tmp_path / "uv/bin/tool").read_bytes() == program


@pytest.mark.parametrize("places", ['["dist", "dist"]', '["dist", "./dist/", "dist/a*"]'])
def test_a_place_that_is_named_twice_is_no_copy(tool: Tool, places: str) -> None:
    tool.edit('"dist"', places)
    tool.put("a", tool=OLD)
    result = tool.build("all", "--dry-run")
    assert result.stderr.count("\n") == 1


def test_copies_of_many_places_are_counted_in_one_line(tool: Tool) -> None:
    """As GoReleaser leaves folders beside its archives."""
    for number, program in enumerate((OLD, WINDOWS, ARM_MAC)):
        tool.put(f"a{number}", tool=program)
        tool.put(f"b{number}", tool=program)
    errors = tool.build("all", "--dry-run").stderr
    b, a = Path("dist/b0"), Path("dist/a0")
    words = f"note: `{b}` has the same programs as `{a}`, and 2 more like this"
    assert f"{words}: passed by\n" in errors
    assert errors.count("\n") == 2

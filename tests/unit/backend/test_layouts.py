"""What goes into a wheel besides the programs: a package, commands, and a stub for all other machines."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import leanspec_build
import pytest

from scripts.tools.processes import clean_environment
from tests.support import headers
from tests.support.modules import write_module
from tests.support.preconditions import needs
from tests.support.surroundings import make_venv, packages, programs, run
from tests.support.tool import Tool

REAL = needs("Linux")
WINDOWS, MACOS = headers.pe(), headers.mach_o()


def put_this_machines(tool: Tool) -> bytes:
    program = Path("/bin/true").resolve().read_bytes()
    tool.put("here", tool=program)
    return program


def put_package(tool: Tool) -> None:
    """Add a package that starts the program, and a command of its own."""
    tool.edit('from = "dist"', 'from = "dist"\npackage = "a_tool"')
    tool.edit("[tool.lean", '[project.scripts]\nmore = "a_tool:main"\n\n[tool.lean')
    (tool.root / "a_tool").mkdir()
    (tool.root / "a_tool/__init__.py").write_text("def main():\n    print('more')\n")


def install(prefix: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    pip: list[str | Path] = [programs(prefix) / "python", "-m", "pip", "install"]
    return run([*pip, "--no-index", *arguments], clean_environment())


@pytest.mark.long
@REAL
def test_a_package_comes_with_the_programs(tool: Tool, tmp_path: Path) -> None:
    program = put_this_machines(tool)
    put_package(tool)
    (wheel,) = tool.all()
    prefix = make_venv(tmp_path / "venv")
    install(prefix, tool.root / "out" / wheel)
    assert (programs(prefix) / "tool").read_bytes() == program
    assert run([programs(prefix) / "more"], clean_environment()).stdout == "more\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("a_tool.none:main", "no module `a_tool.none`"),
        ("another:main", "no module `another`"),
        ("a_tool:main", ""),
    ],
)
def test_a_script_that_could_not_start_is_refused(
    tool: Tool, script: str, words: str
) -> None:
    tool.put("x", tool=WINDOWS)
    put_package(tool)
    tool.edit("a_tool:main", script)
    assert words in tool.build("all", code=int(bool(words))).stderr


def test_a_script_may_start_what_the_project_depends_on(tool: Tool) -> None:
    tool.put("x", tool=WINDOWS)
    put_package(tool)
    tool.edit("a_tool:main", "another:main")
    tool.edit('name = "a-tool"', 'name = "a-tool"\ndependencies = ["another"]')
    assert tool.all()


@pytest.mark.long
@REAL
@pytest.mark.parametrize("layout", ["alone", "with a package"])
def test_an_editable_installation_has_the_programs(
    tool: Tool, tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = put_this_machines(tool)
    if layout == "with a package":
        put_package(tool)
    monkeypatch.chdir(tool.root)
    wheel = leanspec_build.build_editable(str(tmp_path))
    prefix = make_venv(tmp_path / "venv")
    install(prefix, tmp_path / wheel)
    assert (programs(prefix) / "tool").read_bytes() == program
    if layout == "with a package":
        write_module(tool.root / "a_tool/__init__.py", "def main():\n    print('new')\n")
        assert run([programs(prefix) / "more"], clean_environment()).stdout == "new\n"


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("files", "keys"),
    [
        (("a/Notes", "b/notes"), 'data-files.share = ["a/*", "b/*"]'),
        (("a/x", "b/x/y"), 'data-files.share = ["a/*", "b/**/*"]'),
        (("more",), 'package = "a_tool"\ndata-files.bin = ["more"]'),
        (("tool.exe",), 'data-files.bin = ["tool.exe"]'),
    ],
)
def test_two_files_with_one_place_are_refused(
    tool: Tool, files: tuple[str, ...], keys: str, arguments: tuple[str, ...]
) -> None:
    """Of a data file and another, a folder, a command, or the program."""
    tool.put("x", tool_exe=WINDOWS)
    if "package" in keys:
        put_package(tool)
        keys = keys.partition("\n")[2]
    tool.edit('from = "dist"', f'from = "dist"\n{keys}')
    put_files(tool, *files)
    message = tool.build("all", *arguments, code=1).stderr
    assert "have one place: " in message
    assert f"`{Path(files[0])}`" in message


def put_files(tool: Tool, *names: str) -> None:
    for name in names:
        path = tool.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_a_data_file_that_two_globs_match_is_packed_once(tool: Tool) -> None:
    tool.put("x", tool=WINDOWS)
    tool.edit('from = "dist"', 'from = "dist"\ndata-files.share = ["a/*", "a/N*"]')
    put_files(tool, "a/Notes")
    assert tool.all()


def packed_names(tool: Tool) -> set[str]:
    """Make the one wheel; return the names in it, without what all wheels have in common."""
    (wheel,) = tool.all()
    with zipfile.ZipFile(tool.root / "out" / wheel) as archive:
        return {name.partition("/")[2] for name in archive.namelist()}


def test_data_files_keep_the_tree(tool: Tool) -> None:
    """As CMake's modules, the headers of protoc and the library of Zig lie in folders."""
    tool.put("x", tool=WINDOWS)
    lines = [
        'data-files.share = ["share/**/*.txt"]',
        'data-files.include = ["include"]',
        'data-files."lib/tool" = ["lib/**"]',
    ]
    tool.edit('from = "dist"', "\n".join(['from = "dist"', *lines]))
    put_files(tool, "share/a/x.txt", "share/b/x.txt", "share/y.md")
    put_files(tool, "include/x.h", "include/deep/x.h", "lib/a/b/.hidden", "lib/c")
    names = packed_names(tool)
    assert {name.removeprefix("data/") for name in names if name.startswith("data/")} == {
        *("share/a/x.txt", "share/b/x.txt", "include/x.h", "include/deep/x.h"),
        *("lib/tool/a/b/.hidden", "lib/tool/c"),
    }


@pytest.mark.parametrize(("program", "folder"), [(WINDOWS, "Scripts"), (MACOS, "bin")])
def test_files_beside_the_program_are_beside_it(
    tool: Tool, program: bytes, folder: str
) -> None:
    tool.put("x", tool=program)
    lines = 'from = "dist"\ndata-files.bin = ["x.dat"]\ndata-files."bin/deep" = ["y/**"]'
    tool.edit('from = "dist"', lines)
    put_files(tool, "x.dat", "y/z/y.dat")
    assert {"scripts/x.dat", f"data/{folder}/deep/z/y.dat"} < packed_names(tool)


def test_licences_are_packed_by_the_default_globs(tool: Tool) -> None:
    """As PEP 639 has them: MIT and Apache ask for the text beside each copy."""
    tool.put("x", tool=WINDOWS)
    files = {"LICENSE", "LICENCE.txt", "COPYING.LESSER", "NOTICE", "AUTHORS.md"}
    put_files(tool, *files, "LICENSES/MIT.txt", "README.md")
    assert {f"licenses/{name}" for name in files} == {
        name for name in packed_names(tool) if name.startswith("licenses/")
    }
    (wheel,) = (tool.root / "out").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        lines = archive.read("a_tool-1.2.3.dist-info/METADATA").decode().splitlines()
    assert {f"License-File: {name}" for name in files} < set(lines)
    tool.edit('version = "1.2.3"', 'version = "1.2.3"\nlicense-files = []')
    assert not [name for name in packed_names(tool) if name.startswith("licenses/")]


def test_a_script_among_the_data_files_can_be_run(tool: Tool) -> None:
    tool.put("x", tool=WINDOWS)
    tool.edit('from = "dist"', 'from = "dist"\ndata-files.bin = ["helper*"]')
    (tool.root / "helper").write_text("#!/bin/sh\n")
    (tool.root / "helper.1").write_text("a man page")
    (wheel,) = tool.all()
    with zipfile.ZipFile(tool.root / "out" / wheel) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes["a_tool-1.2.3.data/scripts/helper"] & 0o777 == 0o755
    assert modes["a_tool-1.2.3.data/scripts/helper.1"] & 0o777 == 0o644


def test_a_hook_notes_files_of_a_package_that_are_not_packed(tool: Tool) -> None:
    tool.put("x", tool=WINDOWS)
    put_package(tool)
    (tool.root / "a_tool/notes.txt").write_text("1")
    note = f"note: `{Path('a_tool/notes.txt')}` is not packed: name it under `data`"
    assert note in tool.build("all").stderr


def test_a_package_of_data_may_have_a_version_that_is_given(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.edit('version = "1.2.3"', 'dynamic = ["version"]')
    tool.edit('programs = ["tool"]\nfrom = "dist"', 'package = "a_tool"\ndata = ["*.txt"]')
    (tool.root / "a_tool").mkdir()
    for name in ("__init__.py", "notes.txt"):
        (tool.root / "a_tool" / name).touch()
    monkeypatch.chdir(tool.root)
    wheel = leanspec_build.build_wheel(str(tool.root), {"version": "4.5.6"})
    assert wheel == "a_tool-4.5.6-py3-none-any.whl"


@pytest.fixture
def stubbed(tool: Tool) -> Tool:
    """Return a project with programs for two other machines, and a stub."""
    tool.edit('from = "dist"', 'from = "dist"\nstub = true')
    tool.put("x", tool=WINDOWS)
    tool.put("y", tool=MACOS)
    return tool


@pytest.mark.long
@REAL
def test_a_machine_without_a_program_gets_a_stub_that_says_so(
    stubbed: Tool, tmp_path: Path
) -> None:
    wheels = stubbed.all()
    stub = "a_tool-1.2.3-py3-none-any.whl"
    assert len(wheels) == 3
    assert wheels[stub]["publishable"] is True
    prefix = make_venv(tmp_path / "venv")
    install(prefix, "--find-links", stubbed.root / "out", "a-tool")
    result = run([programs(prefix) / "tool"], clean_environment(), code=1)
    assert result.stdout == ""
    first, *machines, hint = result.stderr.splitlines()
    assert first.startswith("error: a-tool 1.2.3 has no `tool` for this machine: Linux on ")
    assert machines == [
        "  it has one for Windows on x86_64",
        "  it has one for macOS 11.0 or newer on aarch64",
    ]
    assert hint.startswith("hint: ")
    put_this_machines(stubbed)
    stubbed.all()
    install(prefix, "--find-links", stubbed.root / "out", "--force-reinstall", "a-tool")
    run([programs(prefix) / "tool"], clean_environment())
    assert not list(packages(prefix).glob("a_tool_stub*"))


def test_a_stub_is_the_same_each_time_and_carries_no_program(stubbed: Tool) -> None:
    stubbed.all()
    (stub,) = (stubbed.root / "out").glob("*-any.whl")
    before = stub.read_bytes()
    stubbed.all()
    assert stub.read_bytes() == before
    with zipfile.ZipFile(stub) as wheel:
        assert {name.partition("/")[0] for name in wheel.namelist()} == {
            "a_tool_stub",
            "a_tool-1.2.3.dist-info",
        }


def test_a_stub_passes_by_no_program_that_is_damaged(stubbed: Tool) -> None:
    stubbed.put("other", tool_exe=headers.pe("aarch64")[:-100])
    stubbed.put("linux", tool=headers.elf())
    request = ("all", "--platform", "linux-x64", "--dry-run")
    error = stubbed.build(*request, code=1).stderr
    place = Path("dist/other/tool.exe")
    assert error.startswith(f"error: `{place}` is truncated: ")
    assert "\nhint: build or fetch it again; the stub names the machines of all" in error
    assert "the stub" not in stubbed.build("all", code=1).stderr
    stubbed.edit("stub = true", "")
    assert f"note: `{place}` is truncated: " in stubbed.build(*request).stderr


def test_a_hook_makes_no_stub_of_programs(
    stubbed: Tool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(stubbed.root)
    with pytest.raises(SystemExit):
        leanspec_build.build_wheel(str(stubbed.root), {"stub": "stub.json"})
    assert "`python -m leanspec_build all` makes it" in capsys.readouterr().err
    assert not list(stubbed.root.glob("*.whl"))


def test_a_dry_run_writes_nothing(stubbed: Tool) -> None:
    result = stubbed.build("all", "--out", "out", "--json", "--dry-run")
    assert len(json.loads(result.stdout)) == 3
    assert not (stubbed.root / "out").exists()


def test_the_place_may_be_a_glob(tool: Tool) -> None:
    """As in `target/*/release`, beside debug builds that are not wanted."""
    tool.edit('from = "dist"', 'from = "dist/*/release"')
    tool.put("a/release", tool=WINDOWS)
    tool.put("b/release", tool=MACOS)
    tool.put("a/debug", tool=headers.pe("x86_64") + b"debug")
    assert len(tool.all()) == 2
    tool.edit("dist/*/release", "dist/*/optimised")
    assert "does not exist" in tool.build("all", code=1).stderr

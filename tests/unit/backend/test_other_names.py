"""Programs of other names than the project's, beside its own or instead of them."""

from __future__ import annotations

import gzip
import io
import os
import tarfile

import pytest

from tests.support import headers
from tests.support.tool import Tool

LINUX = headers.elf(versions={"libc.so.6": ["GLIBC_2.17"]})
STATIC = headers.elf(kind=2, loader=None, needed=[])
ARM = headers.elf("aarch64", loader="/lib/ld-linux-aarch64.so.1")
WINDOWS, MACOS = headers.pe(), headers.mach_o()


def tarred(*names: str, data: bytes = STATIC) -> bytes:
    """Return an archive with one program under several names."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def places(tool: Tool, place: str) -> set[str]:
    """Return where the programs of each wheel are from."""
    tool.edit('"dist"', place)
    return {str(wheel["from"]).replace(os.sep, "/") for wheel in tool.all().values()}


def notes(tool: Tool, *arguments: str) -> list[str]:
    errors = tool.build("all", "--dry-run", "--local", *arguments).stderr
    return errors.replace(os.sep, "/").splitlines()[:-1]


def failure(tool: Tool, *arguments: str) -> str:
    return tool.build("all", *arguments, code=1).stderr.replace(os.sep, "/")


GLOB = ("--from", "dist/*")


def test_all_passes_by_a_match_of_another_name(tool: Tool) -> None:
    """As releases have several programs side by side."""
    tool.put("", **{"tool-linux-amd64": STATIC, "tool-server-linux-amd64": LINUX})
    assert places(tool, '"dist/*"') == {"dist/tool-linux-amd64"}
    words = "note: `dist/tool-server-linux-amd64` is called `tool-server`, not `tool`: passed by"
    assert words in notes(tool, *GLOB)


@pytest.mark.parametrize(
    "file",
    [
        "tool",
        "tool-1.2.3",
        "tool-v1.2.3-linux-x86_64",
        "linux-amd64-tool",
        "Tool_Linux_x86_64",
        "tool-linux-amd64.bin",
        "tool-linux-amd64.gz",
    ],
)
def test_a_match_has_the_name_without_its_machine_and_version(
    tool: Tool, file: str
) -> None:
    data = gzip.compress(LINUX, mtime=0) if file.endswith(".gz") else LINUX
    tool.put("", **{file: data, "toolbox-linux-amd64": STATIC, "sun-tool-linux": STATIC})
    assert places(tool, '"dist/*"') == {f"dist/{file}"}


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("arm-tool-linux-amd64", LINUX),
        ("arm-tool-linux-arm64", ARM),
        ("linux-tool-linux-arm64", ARM),
        ("win-tool", LINUX),
        ("linux-tool", MACOS),
        ("win-tool-linux-amd64.gz", gzip.compress(LINUX, mtime=0)),
    ],
)
def test_a_machine_in_front_of_a_name_belongs_to_it_if_it_is_wrong_or_said_twice(
    tool: Tool, file: str, data: bytes
) -> None:
    tool.put("", **{"tool-windows-amd64_exe": WINDOWS, file: data})
    assert places(tool, '"dist/*"') == {"dist/tool-windows-amd64.exe"}
    name = file.removesuffix(".gz")
    assert f"note: `dist/{file}` is called `{name}`, not `tool`: passed by" in notes(tool)


def test_matches_that_are_called_by_the_machine_alone_are_the_one_program(
    tool: Tool,
) -> None:
    files = {"linux-amd64": LINUX, "darwin-arm64": MACOS, "windows-amd64.exe": WINDOWS}
    tool.put("", **files, checksums_txt=b"text")
    assert places(tool, '"dist/*"') == {f"dist/{file}" for file in files}
    assert notes(tool) == []
    tool.put("", win32=LINUX)
    words, hint = notes(tool)
    assert words == "note: `dist/win32` is called `win32`, not `tool`: passed by"
    assert "programs =" not in hint
    tool.edit('["tool"]', '["tool", "more"]')
    hint = failure(tool).splitlines()[-1]
    assert hint == "hint: call the files by the program, too, as `tool-darwin-arm64`"


def test_a_hint_names_files_that_are_called_by_the_machine_alone(tool: Tool) -> None:
    tool.put("", **{"linux-amd64": LINUX, "darwin-arm64": MACOS})
    start, end = "hint: name the files themselves: `from = ", " under `[tool"
    hint = failure(tool).partition(start)[2].partition("`")[0]
    assert hint == '["dist/darwin-arm64", "dist/linux-amd64"]'
    assert len(places(tool, hint)) == 2
    tool.put("", **{"linux-amd64": MACOS, "darwin-arm64": LINUX})
    words = failure(tool, *GLOB)
    assert "neither `dist/darwin-arm64` nor `dist/linux-amd64` is called `tool`" in words
    assert f"{start}{hint}`{end}" in words
    tool.put("", **{"x.tar": tarred("linux-amd64")})
    words = failure(tool, "--from", "dist/x.tar")
    assert "hint: call the files by the program, too, as `tool-linux-amd64`" in words


def test_a_name_may_have_a_word_for_a_machine(tool: Tool) -> None:
    tool.edit('["tool"]', '["win-tool"]')
    tool.put("", **{"win-tool-linux-amd64": STATIC, "tool-linux-amd64": LINUX})
    assert places(tool, '"dist/*"') == {"dist/win-tool-linux-amd64"}


def test_all_takes_matches_that_have_one_other_name(tool: Tool) -> None:
    files = {"renamed-linux-x86_64": LINUX, "Renamed-macos_arm64-v1.2.3": MACOS}
    tool.put("", **files, renamed_exe=WINDOWS)
    tool.put("", **{"renamed-linux-arm64.gz": gzip.compress(ARM, mtime=0)})
    assert len(places(tool, '"dist/*"')) == 4


@pytest.mark.parametrize("place", ['"dist/*"', '["dist/a*", "dist/b*"]'])
def test_all_refuses_matches_of_several_other_names(tool: Tool, place: str) -> None:
    tool.put("", **{"a-linux": LINUX, "b-arm64": ARM})
    tool.edit('"dist"', place)
    message = failure(tool)
    words = (
        "neither `dist/a-linux` nor `dist/b-arm64` is called `tool`, and their names differ"
    )
    assert message.startswith(f"error: {words}\n")
    assert 'hint: name what was built: `programs = ["a"]` under' in message
    tool.edit('["tool"]', '["a"]')
    assert "`dist/b-arm64` is called `b`, not `a`" in notes(tool, *GLOB)[0]
    tool.edit('["a"]', '["a", "b"]')
    assert "build all of them for one machine" in failure(tool)


@pytest.mark.parametrize(
    ("folder", "file", "data"),
    [
        ("", "tool-linux.tar", tarred("tool", data=LINUX)),
        ("linux", "tool", LINUX),
        ("freebsd", "tool", headers.elf(osabi=9)),
    ],
)
def test_a_match_of_another_name_is_no_program_beside_folders_and_archives(
    tool: Tool, folder: str, file: str, data: bytes
) -> None:
    tool.put("", **{"tool-server-windows_exe": WINDOWS, "tool-arm64": ARM})
    tool.put(folder, **{file: data})
    from_globs = places(tool, '["dist/tool-*", "dist/*"]')
    assert not [place for place in from_globs if "server" in place]


def test_a_match_of_another_name_is_no_program_beside_a_script_of_the_name(
    tool: Tool,
) -> None:
    tool.put("", **{"tool": b"#!/bin/sh\n", "helper-linux": LINUX})
    message = failure(tool, *GLOB)
    assert "`dist/tool` is a script" in message
    assert "`dist/helper-linux` is called `helper`, not `tool`" in message
    assert 'hint: name what was built: `programs = ["helper"]` under' in message


def test_several_programs_of_a_glob_are_joined_by_their_names(tool: Tool) -> None:
    tool.edit('["tool"]', '["tool", "server"]')
    for ending, data in {"-linux": LINUX, "-darwin": MACOS}.items():
        tool.put("", **{f"tool{ending}": data, f"server{ending}": data})
    tool.put("", **{"more-linux": STATIC, "tool-arm64.gz": gzip.compress(ARM, mtime=0)})
    tool.put("", **{"server-arm64.gz": gzip.compress(ARM, mtime=0)})
    assert len(places(tool, '"dist/*"')) == 3
    words = "note: `dist/more-linux` is called `more`, not `tool` or `server`: passed by"
    assert words in notes(tool, *GLOB)
    message = failure(tool, "--from", "dist/more*")
    assert (
        "`dist/more-linux` is called `more`, not `tool` or `server`\nhint: name" in message
    )


def test_all_notes_a_match_once(tool: Tool) -> None:
    tool.put("x/y", **{"tool-linux": STATIC, "tool-more-linux": LINUX})
    for place in ("dist/**", "dist/x"):
        assert len(notes(tool, "--from", place, "--from", "dist/x/y")) == 2


def test_all_passes_by_matches_that_are_no_programs(tool: Tool) -> None:
    files = {"tool.deb": b"!<arch>\n", "more.gz": b"\x1f\x8b\x08", "tool.pdb": b"MZ"}
    texts = ["LICENSE", "notes.txt", "tool-linux.sha256", "tool-linux.d", "tool-linux.log"]
    tool.put("", **{"tool-linux": LINUX, **files, **dict.fromkeys(texts, b"text")})
    words = "note: `dist/tool.deb` is of a kind that is not read: passed by"
    assert [line for line in notes(tool, *GLOB) if "more.gz" not in line] == [words]
    (tool.dist / "tool-linux").unlink()
    (tool.dist / "more.gz").unlink()
    message = failure(tool, *GLOB)
    for text in texts:
        assert f"`dist/{text}` is neither ELF, Mach-O nor PE" in message


@pytest.mark.parametrize(
    "ending",
    [
        *("sha384", "sha3-512", "bundle", "provenance", "dbg", "map", "log", "lib", "exp"),
        *("symbols", "toml", "conf"),
    ],
)
def test_all_notes_no_files_about_a_program(tool: Tool, ending: str) -> None:
    file = f"tool-linux-amd64.{ending}"
    tool.put("", **{"tool-linux-amd64": STATIC})
    for data in (b"text", ARM):
        tool.put("", **{file: data})
        assert notes(tool) == notes(tool, *GLOB) == []


def test_all_lists_files_of_unknown_kinds_if_there_is_no_program(tool: Tool) -> None:
    tool.put("", **{"tool-linux-arm64.new": b"new"})
    assert "`dist/tool-linux-arm64.new` is of a kind that is not read" in failure(tool)
    tool.put("", tool=LINUX)
    assert notes(tool) == []


def test_all_notes_a_program_with_another_ending_in_a_folder(tool: Tool) -> None:
    tool.put("", **{"tool-linux-amd64": STATIC, "tool-linux-arm64.bin": ARM})
    words = "note: `dist/tool-linux-arm64.bin` is called `tool.bin`, not `tool`: passed by"
    assert words in notes(tool)


def test_a_damaged_match_is_an_error_if_it_may_be_the_program(tool: Tool) -> None:
    tool.put("", **{"renamed-linux": LINUX[:100], "renamed-macos": MACOS})
    assert "is truncated" in failure(tool, *GLOB)
    (tool.dist / "renamed-linux").rename(tool.dist / "another-linux")
    assert len(places(tool, '"dist/*"')) == 1
    assert "note: `dist/another-linux` is truncated" in notes(tool)[0]
    tool.put("", **{"tool-macos": MACOS, ".gitkeep": b""})
    assert "note: `dist/.gitkeep` is empty, not an executable: passed by" in notes(tool)
    (tool.dist / "tool-macos").unlink()
    (tool.dist / "renamed-macos").unlink()
    assert "neither `dist/.gitkeep` nor `dist/another-linux` is called" in failure(tool)


@pytest.mark.parametrize(
    "file",
    ["tool-linux-amd64-fips", "tool-linux-arm64-cgo", "tool_x64-baseline", "Tool-linux"],
)
def test_all_notes_programs_with_other_words_in_their_names(tool: Tool, file: str) -> None:
    tool.put("", **{"tool-linux-amd64": STATIC, file: ARM, "x.tar": tarred(f"x/{file}")})
    name = {"tool_x64-baseline": "tool-baseline", "Tool-linux": "Tool"}.get(file, file)
    name = name.replace("-linux-amd64", "").replace("-linux-arm64", "")
    words = f"is called `{name}`, not `tool`: passed by"
    *lines, hint = notes(tool)
    assert lines == [
        f"note: `dist/{file}` {words}",
        f"note: `x/{file}` in `dist/x.tar` {words}",
    ]
    start = f"hint: to pack `dist/{file}` as `tool`, write `from = "
    assert hint == f'{start}["dist", "dist/{file}"]` under `[tool.leanspec-build]`'
    assert len(places(tool, f'["dist", "dist/{file}"]')) == 2


@pytest.mark.parametrize(
    "file",
    [
        *("tool-1.2.3-setup.exe", "tool-installer-x64.exe", "Tool-1.2.3.dmg", "tool.wasm"),
        *("tool.iso", "tool-1.2.3.gem", "tool.vsix", "tool-linux.tar.lzo", "tool.msi"),
        *("tool_1.2.squashfs", "tool.pkg", "tool-x86_64.AppImage"),
    ],
)
def test_all_notes_packages_and_installers(tool: Tool, file: str) -> None:
    tool.put("", **{"tool-linux-amd64": STATIC, file: WINDOWS, "x.tar": tarred(file)})
    words = "is of a kind that is not read: passed by"
    assert notes(tool) == [
        f"note: `dist/{file}` {words}",
        f"note: `{file}` in `dist/x.tar` {words}",
    ]


def test_all_notes_a_compressed_program_with_other_words_in_its_name(tool: Tool) -> None:
    packed = gzip.compress(ARM, mtime=0)
    files = {"tool-linux-arm64-fips.gz": packed, "tool-run.1.gz": gzip.compress(b"page")}
    tool.put("", **{"x.tar": tarred("tool-fips.gz", data=packed), "tool": STATIC, **files})
    assert notes(tool)[:-1] == [
        "note: `dist/tool-linux-arm64-fips.gz` is called `tool-fips`, not `tool`: passed by",
        "note: `tool-fips.gz` in `dist/x.tar` is called `tool-fips`, not `tool`: passed by",
    ]


def test_all_calls_no_archive_a_program_of_another_name(tool: Tool) -> None:
    tool.put("", **{"tool-more.tar.gz": gzip.compress(tarred("more")), "tool": STATIC})
    assert notes(tool) == ["note: `dist/tool-more.tar.gz` has no `tool`: passed by"]


def test_a_program_may_be_called_setup(tool: Tool) -> None:
    tool.edit('["tool"]', '["tool-setup"]')
    tool.put("", **{"tool-setup.exe": WINDOWS, "tool-setup-linux": LINUX})
    assert notes(tool) == []


def test_all_notes_no_other_files_that_are_called_after_the_program(tool: Tool) -> None:
    """As cargo leaves tests and copies, and CMake libraries."""
    library = headers.elf(kind=3, loader=None, soname="libtool.so")
    files = {
        "tool-0123456789abcdef": LINUX,
        "tool-setup.sh": b"#!/bin/sh\n",
        "tool_plugin.so": library,
        "tool-notes.md": LINUX,
        "toolbox": LINUX,
    }
    tool.put("deps", **files)
    tool.put("", tool=STATIC, **{"x.tar": tarred(*files)})
    if os.name == "posix":
        (tool.dist / "tool-1.2").symlink_to("tool")
        (tool.dist / "tool-2").symlink_to("nowhere")
        (tool.dist / "tool-3").symlink_to("tool-3")
    assert [line for line in notes(tool) if "x.tar" not in line] == []


def test_a_hint_names_another_program_in_addition_to_the_projects(tool: Tool) -> None:
    tool.put("", **{"tool": LINUX, "tool-server": LINUX})
    words, hint = notes(tool)
    assert (
        words == "note: `dist/tool-server` is called `tool-server`, not `tool`: passed by"
    )
    assert hint == (
        'hint: to pack `dist/tool-server` as `tool`, write `from = ["dist", "dist/tool-server"]`,'
        ' or as `tool-server`, write `programs = ["tool", "tool-server"]` under `[tool.leanspec-build]`'
    )
    tool.edit('["tool"]', '["tool", "tool-server"]')
    assert notes(tool) == []
    tool.put("", **{"tool-fips-server": STATIC})
    assert (
        '`programs = ["tool", "tool-server", "tool-fips-server"]` under' in notes(tool)[1]
    )
    (tool.dist / "tool-fips-server").rename(tool.dist / "tool-linux-fips")
    assert len(notes(tool)) == 1


@pytest.mark.parametrize(
    ("file", "place", "data"),
    [
        ("tool-linux-x64.tar", "more-1.2/more", tarred("more-1.2/more")),
        ("x.tgz", "more-linux-x64", gzip.compress(tarred("more-linux-x64"), mtime=0)),
        ("more.gz", "more", gzip.compress(STATIC, mtime=0)),
        ("x.tar", "y.tar.gz/more", tarred("y.tar.gz", data=gzip.compress(tarred("more")))),
    ],
)
def test_all_lists_programs_of_another_name_in_archives(
    tool: Tool, file: str, place: str, data: bytes
) -> None:
    tool.put("", **{file: data, "z.zip": b"damaged"})
    message = failure(tool)
    assert f"\n  `dist/{file}/{place}` is a program of another name\n" in message
    assert 'hint: name what was built: `programs = ["more"]` under' in message
    tool.edit('["tool"]', '["more"]')
    assert len(tool.all()) == 1


def test_all_lists_neither_libraries_nor_texts_in_archives(tool: Tool) -> None:
    library = headers.elf(kind=3, loader=None, soname="libmore.so")
    tool.put(
        "", **{"x.tar": tarred("libmore.so", data=library), "y.tar": tarred("z", data=b"")}
    )
    assert "another name" not in failure(tool)


@pytest.mark.parametrize(
    ("file", "own_name"),
    [
        *(("My-Tool.exe", "My-Tool"), ("my_tool.exe", "my_tool"), ("mytool", "mytool")),
        *(("MY-TOOL.EXE", "MY-TOOL"), ("my_tool-linux-arm64", "my_tool")),
    ],
)
def test_all_notes_programs_whose_names_are_spelled_otherwise(
    tool: Tool, file: str, own_name: str
) -> None:
    tool.edit('["tool"]', '["my-tool"]')
    tool.put("a", **{"my-tool": LINUX})
    tool.put("b", **{file: WINDOWS, "mytools": ARM, "mytool.d": b"", "Mytool.so": b""})
    tool.put("deps", my_tool_exe=WINDOWS)
    note, hint = notes(tool)
    assert note == f"note: `dist/b/{file}` is called `{own_name}`, not `my-tool`: passed by"
    assert f'as `my-tool`, write `from = ["dist", "dist/b/{file}"]`' in hint


@pytest.mark.parametrize("place", ["dist", "dist/*"])
def test_a_program_that_another_place_packs_gets_no_note(tool: Tool, place: str) -> None:
    tool.put("", **{"tool-linux": LINUX, "tool-a-arm64": ARM, "tool-b_exe": WINDOWS})
    tool.edit('"dist"', f'"{place}"')
    typed = ""
    for count in (2, 1):
        *lines, hint = notes(tool)
        assert len(lines) == count
        typed = hint.partition("`from = ")[2].partition("`")[0]
        stated = (tool.root / "pyproject.toml").read_text("utf-8").rpartition(" = ")[2]
        tool.edit(stated.strip(), typed)
    assert typed == f'["{place}", "dist/tool-a-arm64", "dist/tool-b.exe"]'
    assert notes(tool) == []
    assert len(tool.all()) == 3


def test_a_hint_names_files_that_are_spelled_otherwise(tool: Tool) -> None:
    tool.put("", **{"Tool-linux": LINUX, "TOOL.exe": WINDOWS})
    hint = failure(tool).partition("hint: name the files themselves: `from = ")[2]
    typed = hint.partition("`")[0]
    assert places(tool, typed) == {"dist/TOOL.exe", "dist/Tool-linux"}


def test_a_hint_names_each_place_once(tool: Tool) -> None:
    tool.put("", **{"tool-linux": LINUX, "tool-a-arm64": ARM})
    hint = notes(tool, "--from", "dist", "--from", "./dist")[-1]
    assert '`from = ["dist", "dist/tool-a-arm64"]`' in hint


def test_a_hint_at_a_name_with_an_unknown_word_names_the_file(tool: Tool) -> None:
    tool.put("", **{"tool-nix-22.04-amd64": STATIC, "more": LINUX})
    message = failure(tool)
    assert "\n  `dist/tool-nix-22.04-amd64` is called `tool-nix`, not `tool`\n" in message
    assert message.count("tool-nix-22.04-amd64") == 2
    assert (
        'hint: name the file itself: `from = "dist/tool-nix-22.04-amd64"` under' in message
    )
    assert len(places(tool, '"dist/tool-nix-22.04-amd64"')) == 1


def test_a_hint_at_a_name_with_an_unknown_word_in_an_archive_names_the_program(
    tool: Tool,
) -> None:
    tool.put("", **{"x.tar": tarred("tool-nix-22.04-amd64")})
    message = failure(tool)
    assert message.count("tool-nix-22.04-amd64") == 1
    assert 'hint: name what was built: `programs = ["tool-nix"]` under' in message
    tool.edit('["tool"]', '["tool-nix"]')
    assert len(tool.all()) == 1


def test_all_says_what_lies_there_instead_of_a_program(tool: Tool) -> None:
    tool.put("", **{"tool.wasm": b"\0asm\1\0\0\0"})
    words = (
        "\n  `dist/tool.wasm` is of a kind that is not read\nhint: put the program there"
    )
    assert words in failure(tool)

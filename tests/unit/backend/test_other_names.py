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
    assert notes(tool, *GLOB) == [words]


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
    tool.put("", **{file: data, "toolbox-linux-amd64": STATIC})
    assert places(tool, '"dist/*"') == {f"dist/{file}"}


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


def test_several_programs_of_a_glob_are_joined_by_their_names(tool: Tool) -> None:
    tool.edit('["tool"]', '["tool", "server"]')
    for ending, data in {"-linux": LINUX, "-darwin": MACOS}.items():
        tool.put("", **{f"tool{ending}": data, f"server{ending}": data})
    tool.put("", **{"more-linux": STATIC, "tool-arm64.gz": gzip.compress(ARM, mtime=0)})
    tool.put("", **{"server-arm64.gz": gzip.compress(ARM, mtime=0)})
    assert len(places(tool, '"dist/*"')) == 3
    words = "note: `dist/more-linux` is called `more`, not `tool` or `server`: passed by"
    assert words in notes(tool, *GLOB)


def test_all_passes_by_matches_that_are_no_programs(tool: Tool) -> None:
    files = {"tool.deb": b"!<arch>\n", "notes.txt": b"text", "more.gz": b"\x1f\x8b\x08"}
    tool.put("", **{"tool-linux": LINUX, **files})
    *_, package = sorted(notes(tool, *GLOB))
    assert package == "note: `dist/tool.deb` is of a kind that is not read: passed by"
    assert len(notes(tool, *GLOB)) == 3


def test_a_damaged_match_is_an_error_if_it_may_be_the_program(tool: Tool) -> None:
    tool.put("", **{"renamed-linux": LINUX[:100], "renamed-macos": MACOS})
    assert "is truncated" in failure(tool, *GLOB)
    tool.put("", **{"tool-macos": MACOS})
    assert len(notes(tool, *GLOB)) == 2

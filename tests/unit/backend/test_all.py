"""What `all` prints beside its report, and what it leaves behind if it is interrupted."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import leanspec_build
import pytest
from leanspec_build import wheel
from leanspec_build.any_program import all as command
from leanspec_build.project.manifest import load_project

from scripts.tools.processes import clean_environment
from tests.support import headers
from tests.support.inside import call
from tests.support.preconditions import needs
from tests.support.tool import Tool

# The command with a compression of large files that never ends, as none may be waited for.
ENDLESS = """
import runpy, threading
import deflate

compress = deflate.deflate_compress
def compress_without_end(data, level):
    return threading.Event().wait() if len(data) > 1 << 20 else compress(data, level)

deflate.deflate_compress = compress_without_end
runpy.run_module("leanspec_build", run_name="__main__")
"""
LONG = os.urandom(1 << 21)
MOST_SECONDS = 60


def others(tool: Tool) -> list[str]:
    return [path.name for path in (tool.root / "wheelhouse").iterdir()]


@pytest.mark.posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("before", ["", "of the build before"])
def test_all_stops_at_once_and_leaves_what_was_there(
    tool: Tool, number: signal.Signals, before: str
) -> None:
    tool.put("a", tool=headers.mach_o())
    for folder, data in {"b": headers.pe(), "c": headers.elf()}.items():
        tool.put(folder, tool=data + LONG)
    finished = "a_tool-1.2.3-py3-none-macosx_11_0_arm64.whl"
    old = tool.root / "wheelhouse" / finished
    if before:
        old.parent.mkdir()
        old.write_text(before)
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, "all", "--json"],
        cwd=tool.root,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + MOST_SECONDS
    try:
        while not list(tool.root.glob(f"wheelhouse/.*/{finished}")):
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(number)
        output, errors = process.communicate(timeout=MOST_SECONDS)
    finally:
        process.kill()
    assert (process.returncode, output) == (130, "")
    assert errors.endswith("error: interrupted\n")
    assert old.parent.exists() == bool(before)
    if before:
        assert others(tool) == [finished]
        assert old.read_text() == before


@pytest.mark.posix
def test_all_moves_the_wheels_without_interruption(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, data in {"a": headers.elf(), "b": headers.pe()}.items():
        tool.put(folder, tool=data)
    replace, handler = Path.replace, signal.getsignal(signal.SIGINT)

    def interrupt(path: Path, target: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", interrupt)
    monkeypatch.setattr(command, "write_wheel", lambda folder, *_: (folder / "x").touch())
    tool.build("all")
    assert others(tool) == ["x"]
    assert signal.getsignal(signal.SIGINT) == handler


@needs("/dev/full")
def test_all_says_that_its_output_cannot_be_written(tool: Tool) -> None:
    tool.put("a", tool=headers.elf())
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "leanspec_build", "all"],
            cwd=tool.root,
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    words = "error: cannot write to standard output: No space left on device\nhint: free"
    assert result.stderr.startswith(words)
    assert result.returncode == 1


def test_all_ends_with_the_count_and_the_next_step(tool: Tool) -> None:
    tool.put("a", tool=headers.elf())
    assert tool.build("all").stderr == "made 1 wheel; next: `uv publish wheelhouse/*`\n"
    tool.put("b", tool=headers.pe())
    assert tool.build("all").stderr.startswith("made 2 wheels; next: ")


def put_wheels(tool: Tool, *names: str, folder: str = "wheelhouse") -> None:
    """Make empty files in the folder for wheels."""
    (tool.root / folder).mkdir(exist_ok=True)
    for name in names:
        (tool.root / folder / name).touch()


STEM = "a_tool-1.2.3-py3-none-"
OTHER_CPU = f"{STEM}manylinux_2_17_s390x.whl"


def test_all_names_other_wheels_of_the_version_in_its_folder(tool: Tool) -> None:
    tool.put("a", tool=headers.elf())
    put_wheels(tool, OTHER_CPU)
    upload = "`uv publish wheelhouse/a_tool-1.2.3-*.whl`"
    words = f"`wheelhouse` has 1 other wheel of a_tool-1.2.3, which {upload} uploads, too: `{OTHER_CPU}`"
    assert words in tool.build("all").stderr


@pytest.mark.parametrize("out", ["wheelhouse", "."])
def test_all_names_a_pattern_of_its_wheels_alone(tool: Tool, out: str) -> None:
    tool.put("a", tool=headers.elf())
    names = ("a_tool-1.2.2-py3-none-any.whl", "a_tool_more-1.2.3-py3-none-any.whl")
    put_wheels(tool, *names, "notes.txt", folder=out)
    result = tool.build("all", "--out", out)
    pattern = f"{out}/a_tool-1.2.3-*.whl"
    assert result.stderr == f"made 1 wheel; next: `uv publish {pattern}`\n"
    assert [f"{out}/{path.name}" for path in tool.root.glob(pattern)] == [
        f"{out}/{Path(result.stdout.partition(chr(10))[0]).name}"
    ]


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (headers.elf(loader=None, needed=()), f"{STEM}manylinux_2_34_x86_64.whl"),
        (headers.elf(), f"{STEM}linux_x86_64.whl"),
        (headers.elf(), "A.Tool-1.2.3.0-cp39-cp39-manylinux_2_17_x86_64.whl"),
        (headers.elf(), f"{STEM}manylinux_2_17_s390x.manylinux_2_17_x86_64.whl"),
        (headers.elf(loader=None, needed=()), f"{STEM}musllinux_1_2_x86_64.whl"),
        (headers.mach_o(), f"{STEM}macosx_10_12_universal2.whl"),
        (headers.mach_o(), f"{STEM}macosx_12_0_arm64.whl"),
        (headers.pe(), "a_tool-1.2.3-1-py3-none-win_amd64.whl"),
    ],
)
@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_all_refuses_a_wheel_of_an_earlier_build_for_the_same_machine(
    tool: Tool, program: bytes, name: str, arguments: tuple[str, ...]
) -> None:
    tool.put("a", tool=program)
    put_wheels(tool, name, OTHER_CPU, "more.whl")
    error = tool.build("all", *arguments, code=1).stderr
    place = Path("wheelhouse", name)
    assert error == (
        f"error: `{place}` of an earlier build is for the same machines as a new wheel\n"
        f"hint: remove it: `rm {shlex.quote(str(place))}`, or give another folder: `--out FOLDER`\n"
    )
    assert len(others(tool)) == 3
    (tool.root / place).unlink()
    tool.build("all", *arguments)


def test_all_leaves_the_wheels_of_its_other_platforms_there(tool: Tool) -> None:
    tool.put("a", tool=headers.elf(versions={"libc.so.6": ["GLIBC_2.34"]}))
    tool.put("b", tool=headers.elf(loader=None, needed=()))
    for arguments in ((), ("--platform", "linux-x64-musl"), ("--platform", "linux-x64")):
        tool.build("all", *arguments)
    assert len(others(tool)) == 2


def test_all_takes_back_what_it_moved_if_another_wheel_cannot_be_moved(tool: Tool) -> None:
    for folder, data in {"a": headers.mach_o(), "b": headers.pe()}.items():
        tool.put(folder, tool=data)
    taken = f"{STEM}win_amd64.whl"
    (tool.root / "wheelhouse" / taken).mkdir(parents=True)
    assert "error: cannot write `" in tool.build("all", code=1).stderr
    assert others(tool) == [taken]


def test_all_says_what_helps_where_no_space_is_left(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.put("a", tool=headers.elf())

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(wheel, "_add", fail)
    error = tool.build("all", code=1).stderr
    assert ": No space left on device\nhint: free space there, and in the folder" in error
    assert not (tool.root / "wheelhouse").exists()


def test_all_says_that_a_dry_run_wrote_nothing(tool: Tool) -> None:
    tool.put("a", tool=headers.elf())
    words = "1 wheel would be made: nothing was written, because of `--dry-run`\n"
    assert tool.build("all", "--dry-run").stderr == words
    assert not (tool.root / "wheelhouse").exists()


def test_all_recommends_no_upload_of_a_local_wheel(tool: Tool) -> None:
    tool.put("a", tool=headers.elf(needed=("libother.so.1", "libc.so.6")))
    words = "made 1 wheel, for machines of your own\n"
    assert tool.build("all", "--local").stderr == words


def test_all_names_a_step_that_takes_long(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.put("a", tool=headers.elf())
    monkeypatch.setattr(command, "wait", lambda *_: (set(), set()))
    assert tool.build("all").stderr.startswith("compressing wheel 1 of 1\nmade 1 wheel")


def test_all_refuses_a_place_that_is_taken_by_a_folder(tool: Tool) -> None:
    tool.put("a", tool=headers.pe())
    place = Path("wheelhouse/a_tool-1.2.3-py3-none-win_amd64.whl")
    (tool.root / place).mkdir(parents=True)
    message = tool.build("all", code=1).stderr
    assert f"error: cannot write `{place}`: " in message
    assert "hint: give another folder: `--out FOLDER`" in message
    assert others(tool) == [place.name]


def test_all_writes_into_a_folder_of_the_one_that_it_reads(tool: Tool) -> None:
    tool.put("a", tool=headers.elf())
    for _ in range(2):
        tool.build("all", "--out", "dist/wheels")
    assert len(list((tool.dist / "wheels").iterdir())) == 1


def test_a_hook_notes_a_wheel_among_the_programs(tool: Tool) -> None:
    tool.put("", tool=headers.elf())
    settings = {"platform": "linux-x64"}

    def notes(folder: Path) -> str:
        return call(
            lambda: leanspec_build.build_wheel(str(folder), settings), tool.root
        ).stderr

    words = f"note: the wheel goes into `{tool.dist}`, where the programs are: "
    assert words in notes(tool.dist)
    assert "the wheel goes into" not in notes(tool.root)


def test_data_files_of_a_folder_that_a_glob_matches_keep_its_tree(tool: Tool) -> None:
    for name in ("a.txt", "sub/b.txt", "sub/more/c.txt"):
        path = tool.root / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tool.edit('"dist"', '"dist"\ndata-files."lib/tool" = ["lib/*"]')
    places = [place for place, _ in load_project(tool.root).placed_files()]
    names = ("a.txt", "sub/b.txt", "sub/more/c.txt")
    assert places == [f"lib/tool/{name}" for name in names]


def test_a_dry_run_refuses_a_wrong_time(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.put("", tool=headers.elf())
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    message = tool.build("all", "--dry-run", code=1).stderr
    assert "`SOURCE_DATE_EPOCH` is `yesterday`, not a number" in message

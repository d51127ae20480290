"""What `all` prints beside its report, and what it leaves behind if it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import leanspec_build
import pytest
from leanspec_build.any_program import all as command
from leanspec_build.project.manifest import load_project

from scripts.tools.processes import clean_environment
from tests.support import headers
from tests.support.inside import call
from tests.support.tool import Tool

# The command with a compression of large files that never ends, as none may be waited for.
ENDLESS = """
import runpy, threading
import deflate
from leanspec_build.any_program import all

compress = deflate.deflate_compress
def compress_without_end(data, level):
    return threading.Event().wait() if len(data) > 1 << 20 else compress(data, level)

deflate.deflate_compress = compress_without_end
all.SILENT_SECONDS = 3600
runpy.run_module("leanspec_build", run_name="__main__")
"""
LONG = os.urandom(1 << 21)
MOST_SECONDS = 60


def others(tool: Tool) -> list[str]:
    return [path.name for path in (tool.root / "wheelhouse").iterdir()]


@pytest.mark.posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_all_stops_at_once_and_leaves_nothing_unannounced(
    tool: Tool, number: signal.Signals
) -> None:
    tool.put("a", tool=headers.elf())
    for folder, data in {"b": headers.pe(), "c": headers.mach_o()}.items():
        tool.put(folder, tool=data + LONG)
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
        while not list(tool.root.glob("wheelhouse/.*/.*.tmp")) and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(number)
        output, errors = process.communicate(timeout=MOST_SECONDS)
    finally:
        process.kill()
    assert (process.returncode, output, errors) == (130, "", "error: interrupted\n")
    assert not (tool.root / "wheelhouse").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
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


def test_all_names_other_wheels_of_the_project_in_its_folder(tool: Tool) -> None:
    tool.put("a", tool=headers.elf())
    old = "a_tool-1.0.0-py3-none-any.whl"
    (tool.root / "wheelhouse").mkdir()
    for name in (old, "b-1.0.0-py3-none-any.whl"):
        (tool.root / "wheelhouse" / name).touch()
    words = f"`wheelhouse` has 1 other wheel of a-tool, which `uv publish wheelhouse/*` uploads, too: `{old}`"
    assert words in tool.build("all").stderr


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
    wheel = Path("wheelhouse/a_tool-1.2.3-py3-none-win_amd64.whl")
    (tool.root / wheel).mkdir(parents=True)
    message = tool.build("all", code=1).stderr
    assert f"error: cannot write `{wheel}`: " in message
    assert "hint: give another folder: `--out FOLDER`" in message
    assert others(tool) == [wheel.name]


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

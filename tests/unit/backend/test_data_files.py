"""Data files and licence files that are no files: links that lead nowhere, up or out, pipes and sockets."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from leanspec_build.errors import BuildError
from leanspec_build.project.manifest import load_project

from tests.support import headers
from tests.support.preconditions import missing
from tests.support.tool import Tool

if sys.platform == "win32":
    missing("POSIX", "pipes, sockets, and links for everybody")


@pytest.fixture
def shared(tool: Tool) -> Tool:
    """Return a project with a data file in `share`."""
    tool.edit('"dist"', '"dist"\ndata-files."share/tool" = ["share"]')
    (tool.root / "share/sub").mkdir(parents=True)
    (tool.root / "share/sub/real").touch()
    return tool


def dangle(path: Path) -> None:
    path.symlink_to("../build/none")


def lead_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


PATTERNS = ["share", "share/*", "share/sub", "share/sub/o*", "share/sub/odd", "share/*/odd"]
KINDS = [
    (dangle, "is a link to `../build/none`, which does not exist"),
    (lead_to_itself, "is a link to `odd`, which does not exist"),
    (os.mkfifo, "is not a regular file"),
    (bind, "is not a regular file"),
]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("make", "words"), KINDS)
def test_data_files_refuse_what_is_no_file(
    shared: Tool, pattern: str, make: Callable[[Path], None], words: str
) -> None:
    shared.edit('["share"]', f'["{pattern}"]')
    make(shared.root / "share/sub/odd")
    with pytest.raises(BuildError) as caught:
        load_project(shared.root).placed_files()
    assert caught.value.message == f"`{shared.root / 'share/sub/odd'}` {words}"
    assert caught.value.hint
    shared.put("x", tool=headers.elf())
    error = shared.build("all", code=1).stderr
    assert error.startswith(f"error: `share/sub/odd` {words}\nhint: build ")


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("target", ["..", ".", "../..", "../sub"])
def test_data_files_refuse_a_link_up(shared: Tool, pattern: str, target: str) -> None:
    shared.edit('["share"]', f'["{pattern}"]')
    (shared.root / "share/sub/odd").symlink_to(target)
    words = f"`share/sub/odd` is a link to `{target}`, which leads up to a folder around it"
    shared.put("x", tool=headers.pe())
    error = shared.build("all", code=1).stderr
    assert error.startswith(f"error: {words}\nhint: take it away, or name the files")


def test_data_files_refuse_a_link_out_and_a_circle_of_links(
    shared: Tool, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    link = shared.root / "share/link"
    for target in (str(tmp_path / "other"), "../../other"):
        link.symlink_to(target)
        words = f"`share/link` is a link to `{target}`, which leads out of the project"
        with pytest.raises(BuildError, match=re.escape(words)):
            load_project(shared.root).placed_files()
        link.unlink()
    (shared.root / "more").mkdir()
    link.symlink_to("../more")
    (shared.root / "more/back").symlink_to("../share")
    with pytest.raises(BuildError, match=r"`share/link/back` is a link to `\.\./share`"):
        load_project(shared.root).placed_files()
    shared.edit('["share"]', '["share/*/back/sub/real"]')
    with pytest.raises(BuildError, match=r"`share/link/back` is a link to `\.\./share`"):
        load_project(shared.root).placed_files()


def test_data_files_follow_other_links(shared: Tool) -> None:
    (shared.root / "more/below").mkdir(parents=True)
    (shared.root / "more/below/file").touch()
    (shared.root / "share/link").symlink_to("../more")
    (shared.root / "share/name").symlink_to("../more/below/file")
    places = [place for place, _ in load_project(shared.root).placed_files()]
    names = ("link/below/file", "name", "sub/real")
    assert places == [f"share/tool/{name}" for name in names]


@pytest.mark.parametrize("key", ["", 'license-files = ["LICENSE*"]\n'])
@pytest.mark.parametrize(("make", "words"), KINDS)
def test_licence_files_are_files(
    tool: Tool, key: str, make: Callable[[Path], None], words: str
) -> None:
    tool.edit('version = "1.2.3"\n', f'version = "1.2.3"\n{key}')
    (tool.root / "LICENSE").touch()
    (tool.root / "LICENSES").mkdir()
    assert load_project(tool.root).license_files() == [Path("LICENSE")]
    make(tool.root / "LICENSE-odd")
    with pytest.raises(BuildError, match=re.escape(words.replace("odd", "LICENSE-odd"))):
        load_project(tool.root)


def test_data_of_a_package_are_files(tool: Tool) -> None:
    tool.edit('"dist"', '"dist"\npackage = "a_tool"\ndata = ["*.txt"]')
    (tool.root / "a_tool").mkdir()
    for name in ("__init__.py", "real.txt"):
        (tool.root / "a_tool" / name).touch()
    assert load_project(tool.root).sources()
    os.mkfifo(tool.root / "a_tool/odd.txt")
    with pytest.raises(BuildError, match=r"odd.txt` is not a regular file"):
        load_project(tool.root)

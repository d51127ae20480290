"""What a public index and systems do not take: metadata, and names of commands and of files beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import leanspec_build
import pytest
from leanspec_build.errors import BuildError
from leanspec_build.project.index_rules import refusals_of
from leanspec_build.project.manifest import load_project

from tests.support import headers
from tests.support.tool import Tool

VERSION = 'version = "1.2.3"'


# pyproject-metadata warns of two lines.
@pytest.mark.filterwarnings("ignore:The one-line summary")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('description = "one\\ntwo"', "`description` has 2 lines; the index takes one"),
        (f'description = "{"x" * 600}"', "Summary: expected at most 512 characters"),
        ('classifiers = ["Topic :: Tools"]', "found `Topic :: Tools`"),
        (
            'classifiers = ["Natural Language :: Ukranian"]',
            "expected the one that replaces it: Natural Language :: Ukrainian",
        ),
        ('authors = [{ name = "A", email = "nowhere" }]', "An email address must have"),
        ('urls.Home = "ftp://example.org"', "Home: expected an http(s) URL"),
        ('urls.Home = "example.org"', "Home: expected an http(s) URL"),
        ('dependencies = ["a @ https://example.org/a.whl"]', "no direct reference"),
    ],
)
def test_metadata_that_an_index_refuses_is_named_before_the_upload(
    tool: Tool, line: str, words: str
) -> None:
    tool.put("x", tool=headers.elf())
    tool.edit(VERSION, f"{VERSION}\n{line}")
    result = tool.build("all", "--out", "out", code=1)
    assert "no public index takes a wheel of" in result.stderr
    assert words in result.stderr
    assert "Private :: Do Not Upload" in result.stderr
    assert not (tool.root / "out").exists()


def test_a_local_version_is_for_an_index_of_ones_own(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.put("x", tool=headers.elf(kind=2, loader=None, needed=[]))
    tool.edit(VERSION, 'version = "1.2.3+g1234567"')
    words = "Version: expected no local version, found `1.2.3+g1234567`"
    assert words in tool.build("all", "--dry-run", code=1).stderr
    monkeypatch.chdir(tool.root)
    leanspec_build.build_wheel(str(tool.root), {"platform": "linux-x64"})
    note = f"note: no public index takes this wheel: metadata: {words}"
    assert note in capsys.readouterr().err
    private = 'classifiers = ["Private :: Do Not Upload"]'
    tool.edit("[tool.", f"{private}\n[tool.")
    wheels = json.loads(tool.build("all", "--out", "out", "--json").stdout)
    assert "1.2.3+g1234567" in wheels[0]["wheel"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("python3", "would replace a part of each environment"),
        ("Python3.14t", "would replace a part of each environment"),
        ("pip", "would replace a part of each environment"),
        ("activate.fish", "would replace a part of each environment"),
        ("con", "which is a device of Windows"),
        ("LPT1.txt", "which is a device of Windows"),
        ("-rf", "shells take for an option"),
        pytest.param("a:b", "Windows cannot have as a file", marks=pytest.mark.posix),
        ("tool.", "Windows cannot have as a file"),
    ],
)
def test_a_name_that_replaces_something_is_no_command(
    tool: Tool, name: str, words: str
) -> None:
    tool.edit('programs = ["tool"]', f'programs = ["{name}"]')
    with pytest.raises(BuildError, match=words) as error:
        load_project(tool.root)
    assert f"has the command `{name}`, which" in error.value.message
    tool.edit(f'programs = ["{name}"]', 'programs = ["tool"]')
    tool.edit(VERSION, f'{VERSION}\ndependencies = ["a"]\nscripts."{name}" = "a:b"')
    with pytest.raises(BuildError, match=words):
        load_project(tool.root)


@pytest.mark.parametrize("name", ["pythonic", "piper", "commit", "console", "activator"])
def test_a_name_that_begins_like_another_is_a_command(tool: Tool, name: str) -> None:
    tool.edit('programs = ["tool"]', f'programs = ["{name}"]')
    assert load_project(tool.root).programs == (name,)


@pytest.mark.parametrize(("one", "other"), [("caf\u00e9", "cafe\u0301"), ("tool", "Tool")])
def test_two_names_that_a_system_takes_for_one_are_refused(
    tool: Tool, one: str, other: str
) -> None:
    tool.edit('programs = ["tool"]', f'programs = ["{one}", "{other}"]')
    with pytest.raises(BuildError, match="twice"):
        load_project(tool.root)
    tool.edit(f'programs = ["{one}", "{other}"]', f'programs = ["{one}"]')
    tool.edit(VERSION, f'{VERSION}\ndependencies = ["a"]\nscripts."{other}" = "a:b"')
    with pytest.raises(BuildError, match="both as a program and as a script"):
        load_project(tool.root)


def test_data_files_that_differ_in_accents_alone_are_refused(tool: Tool) -> None:
    tool.put("x", tool=headers.elf())
    for name in ("caf\u00e9", "cafe\u0301"):
        (tool.root / name).write_text("text")
    tool.edit('from = "dist"', 'from = "dist"\ndata-files.share = ["caf*"]')
    message = tool.build("all", "--out", "out", code=1).stderr
    assert (
        "two files of the wheel have one place: `cafe\\u0301` and `caf\\xe9`, at" in message
    )


@pytest.mark.parametrize(
    ("folder", "name", "words"),
    [
        (
            "Scripts",
            "Tool.exe",
            f"the data file `{Path('files/Tool.exe')}` would replace the command `Tool.exe`",
        ),
        ("bin", "python3", "would replace a part of each environment"),
        (
            "bin",
            "Tool.bat",
            f"the data file `{Path('files/Tool.bat')}` would replace the command `Tool.bat`",
        ),
        ("bin", "tool.com", "would replace the command `tool.com`"),
        ("Scripts", "tool.PS1", "would replace the command `tool.PS1`"),
    ],
)
def test_a_data_file_replaces_no_command(
    tool: Tool, folder: str, name: str, words: str
) -> None:
    (tool.root / "files").mkdir()
    (tool.root / "files" / name).write_text("text")
    tool.edit('from = "dist"', f'from = "dist"\ndata-files.{folder} = ["files/*"]')
    with pytest.raises(BuildError, match=re.escape(words)):
        load_project(tool.root).placed_files()
    tool.edit(f"data-files.{folder}", "data-files.share")
    assert load_project(tool.root).placed_files()


@pytest.mark.posix  # Windows cannot have these names
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a:b", "and Windows cannot have `a:b` as a file"),
        ("trail.", "and Windows cannot have `trail.` as a file"),
        ("AUX.txt", "and `aux.txt` is a device of Windows"),
        ("com\u00b9", "is a device of Windows"),
    ],
)
def test_a_data_file_has_a_name_that_its_system_can_have(
    tool: Tool, name: str, words: str
) -> None:
    (tool.root / "files").mkdir()
    (tool.root / "files" / name).write_text("text")
    tool.edit('from = "dist"', 'from = "dist"\ndata-files.share = ["files/*"]')
    tool.put("linux", tool=headers.elf())
    tool.build("all", "--dry-run")
    tool.put("windows", tool_exe=headers.pe())
    message = tool.build("all", "--out", "out", code=1).stderr
    assert "the wheel would have the file `" in message
    assert " as `a_tool-1.2.3.data/data/share/" in message
    assert words in message
    assert not (tool.root / "out").exists()


@pytest.mark.posix  # Windows cannot have these names
@pytest.mark.parametrize("name", ["two\nlines", "back\\slash", "\udcff"])
def test_a_data_file_has_a_name_that_each_installer_writes(tool: Tool, name: str) -> None:
    (tool.root / "files").mkdir()
    (tool.root / "files" / name).write_text("text")
    tool.edit('from = "dist"', 'from = "dist"\ndata-files.share = ["files/*"]')
    tool.put("linux", tool=headers.elf())
    message = tool.build("all", "--dry-run", code=1).stderr
    assert "`, which not every installer writes\n" in message


@pytest.mark.parametrize(
    "folder", ["share/con", pytest.param("C:/x", marks=pytest.mark.posix)]
)
def test_a_folder_for_data_files_is_one_that_windows_can_have(
    tool: Tool, folder: str
) -> None:
    tool.edit('from = "dist"', f'from = "dist"\ndata-files."{folder}" = ["pyproject.toml"]')
    tool.put("windows", tool_exe=headers.pe())
    assert "Windows" in tool.build("all", "--dry-run", code=1).stderr


@pytest.mark.parametrize(
    "folder",
    ["lib/python3.13/site-packages", "Lib/site-packages/x", "lib64/python3.13t", "Lib"],
)
def test_a_data_file_is_no_module_of_python(tool: Tool, folder: str) -> None:
    (tool.root / "evil.py").write_text("text")
    tool.edit('from = "dist"', f'from = "dist"\ndata-files."{folder}" = ["evil.py"]')
    words = "the data file `evil.py` would be among the modules of Python, as `"
    with pytest.raises(BuildError, match=words):
        load_project(tool.root).placed_files()


def test_metadata_that_the_standard_does_not_allow_is_refused() -> None:
    (refusal,) = refusals_of(b"Metadata-Version: 2.4\nName: a\nVersion: one\n")
    assert str(refusal).startswith("metadata: expected what the standard allows, found `")

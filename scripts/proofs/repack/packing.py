"""Programs of other projects, taken out of their published wheels and packed again by the backend.

Their names and folders are forgotten on the way: what is left is the bytes, which have to lead to the
tags that were published, or to truer ones.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from leanspec_build.errors import BuildError
from leanspec_build.formats.executable import parse_executable
from leanspec_build.inspection import Verdict, WheelFacts

from leanspec_launcher.commands import CommandError
from scripts.tools.installers import create_environment, pip_install, uv_install
from scripts.tools.processes import capture, clean_environment, must_succeed, own_program
from scripts.wheels.inspection import inspect_file

from .checks import Checkers
from .tools import TOOLS, Tool, published

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


@dataclass
class Row:
    """What became of a project's programs."""

    tool: Tool
    published: int = 0
    """Different wheels that were found."""
    same: int = 0
    """Of them, those whose tags are derived as they were published."""
    corrections: list[str] = field(default_factory=list)
    """Of the others: what is wrong with the published tags."""
    wrong: list[str] = field(default_factory=list)
    """What we or others have against our wheels, which nothing should be."""
    is_reproducible: bool = False
    says: dict[str, str] = field(default_factory=dict)
    """Installer -> what the program says that it installed."""
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether everything is as it should be."""
        ran = set(self.says.values())
        return self.is_reproducible and not self.wrong and len(ran) == 1 and "" not in ran


def repack(say: Callable[[str], None]) -> list[Row]:
    """Take every project's programs through the backend; raises CommandError if none can be had."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="leanspec-repack-") as folder:
        checkers = Checkers(Path(folder, "checkers"))
        for tool in TOOLS:
            say(f"{tool.name} {tool.version}")
            with tempfile.TemporaryDirectory(dir=folder) as own:
                rows.append(_repack(tool, Path(own), checkers))
    return rows


def _repack(tool: Tool, folder: Path, checkers: Checkers) -> Row:
    of_bytes = prepare(tool, folder)
    row = Row(tool, len(of_bytes))
    started = time.monotonic()
    ours = build_all(folder, folder / "ours")
    row.seconds = time.monotonic() - started
    again = build_all(folder, folder / "again")
    pairs = zip(ours, again, strict=True)
    row.is_reproducible = all(one.read_bytes() == two.read_bytes() for one, two in pairs)
    for wheel in ours:
        _compare(row, of_bytes[_content(wheel, tool)], wheel)
        row.wrong += checkers.objections(wheel)
    for installer, install in INSTALLERS.items():
        bin_folder = install(folder / installer, folder / "ours", f"{tool.name}-again")
        row.says[installer] = _answer(bin_folder / tool.programs[0], tool.asks)
    return row


def prepare(tool: Tool, folder: Path) -> dict[tuple[bytes, ...], Path]:
    """Make a project of a tool's published programs; return the published wheels by their content."""
    of_bytes = _unpack(published(tool, folder / "published"), tool, folder / "built")
    programs = json.dumps(list(tool.programs))
    text = MANIFEST.format(name=tool.name, version=tool.version, programs=programs)
    (folder / "pyproject.toml").write_text(text, "utf-8")
    (folder / "README.md").write_text(f"The programs of {tool.name}, packed again.\n")
    return of_bytes


def _unpack(wheels: list[Path], tool: Tool, folder: Path) -> dict[tuple[bytes, ...], Path]:
    """Put the programs of each wheel into a folder without a name; return the wheels by their content."""
    of_bytes = {}
    for number, wheel in enumerate(wheels):
        place = folder / str(number)
        place.mkdir(parents=True)
        for name, data in _programs(wheel, tool):
            (place / name).write_bytes(data)
        of_bytes[_content(wheel, tool)] = wheel
    return of_bytes


def _programs(wheel: Path, tool: Tool) -> Iterator[tuple[str, bytes]]:
    """Yield the programs of a wheel; a script of the same name is none."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            file = PurePosixPath(name).name
            if file.removesuffix(".exe") in tool.programs:
                data = archive.read(name)
                try:
                    parse_executable(data, name)
                except BuildError:
                    continue
                yield file, data


def _content(wheel: Path, tool: Tool) -> tuple[bytes, ...]:
    return tuple(sorted(data for _, data in _programs(wheel, tool)))


def build_all(project: Path, out: Path) -> list[Path]:
    """Make all wheels of a project; raises CommandError if the backend refuses one."""
    given = ["--project", str(project), "--out", str(out)]
    command = [sys.executable, "-m", "leanspec_build", "all", *given, "--json"]
    must_succeed(capture(command), f"packing `{project}`")
    return sorted(out.glob("*.whl"))


def _compare(row: Row, theirs: Path, ours: Path) -> None:
    said, made = inspect_file(theirs).facts, inspect_file(ours).facts
    if not isinstance(said, WheelFacts) or not isinstance(made, WheelFacts):
        raise CommandError(f"`{theirs.name}` is no wheel")
    if made.verdict is not Verdict.TRUE:
        row.wrong += made.reasons
    if said.verdict is Verdict.TRUE:
        row.same += 1
    else:
        row.corrections.append(f"{said.verdict}: {'; '.join(said.reasons)}")


def _with_pip(folder: Path, wheels: Path, name: str) -> Path:
    programs = create_environment(folder)
    pip_install(programs, "--no-index", "--find-links", str(wheels), name)
    return programs


def _with_uv(folder: Path, wheels: Path, name: str) -> Path:
    return uv_install(folder, "--no-index", "--find-links", str(wheels), name)


def _with_pipx(folder: Path, wheels: Path, name: str) -> Path:
    places = {"PIPX_HOME": str(folder / "home"), "PIPX_BIN_DIR": str(folder / "bin")}
    options = f"--pip-args=--no-index --find-links {wheels}"
    command = [own_program("pipx"), "install", "--python", sys.executable, options, name]
    must_succeed(capture(command, env=clean_environment(**places)), "`pipx install`")
    return folder / "bin"


INSTALLERS = {"pip": _with_pip, "uv": _with_uv, "pipx": _with_pipx}


def _answer(program: Path, question: str) -> str:
    """Return the first line that an installed program says; nothing if it fails."""
    done = capture([str(program), question], env=clean_environment())
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else ""

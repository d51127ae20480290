"""The gate on where files lie: in a wheel, and in an environment after the wheels are installed.

Python runs each `.pth` file of an environment at every start, and a file that no RECORD lists is
left behind when a distribution is removed.
"""

import csv
import zipfile
from collections.abc import Iterator
from pathlib import Path

from leanspec_build.archives import UNREADABLE
from leanspec_build.wheel_record import record_line

from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError
from scripts.collect.pages import PACKAGE
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, confirm_unless, problem
from scripts.model.gates import LAYOUT as GATE
from scripts.model.metadata import dist_info
from scripts.model.programs import MAIN, MCP_COMMAND, PAGES

STARTUP = ".pth"
# The import package of each distribution.
PACKAGES = {
    MAIN: "leanspec_launcher",
    PAGES: PACKAGE,
    MCP_COMMAND: MCP_COMMAND.replace("-", "_"),
    **{program.distribution: program.package for program in PROGRAMS.values()},
}
# What uv itself puts into an environment that it makes.
OF_UV = ("_virtualenv.py", "_virtualenv.pth")
CACHE = "__pycache__"


def layout(files: list[File]) -> Iterator[Finding]:
    """Check that each wheel has its package, its metadata and nothing else, all of it in its RECORD."""
    for file in files:
        if file.kind != FileKind.SDIST:
            name = file.path.name
            yield from confirm_unless(GATE, name, _problems(file), "package and metadata")


def _problems(file: File) -> Iterator[Finding]:
    name = file.path.name
    try:
        with zipfile.ZipFile(file.path) as archive:
            contents = {entry: archive.read(entry) for entry in archive.namelist()}
        folders = {dist_info(file), PACKAGES[file.distribution]}
        if file.kind == FileKind.PLATFORM:
            folders.add(f"{PACKAGES[file.distribution]}.libs")
        record = contents.pop(f"{dist_info(file)}/RECORD").decode()
        rows = {path: sha256 for path, sha256, _ in csv.reader(record.splitlines())}
    except (*UNREADABLE, CommandError) as error:
        yield problem(GATE, name, "a complete wheel with its RECORD", error)
        return
    for entry, data in contents.items():
        subject = f"{name}: {entry}"
        if entry.endswith(STARTUP):
            yield problem(GATE, subject, "no file that Python starts with", "there")
        elif entry.partition("/")[0] not in folders:
            expected = f"a file in {' or '.join(sorted(folders))}"
            yield problem(GATE, subject, expected, "a file next to them")
        elif rows.get(entry) != record_line(entry, data)[1]:
            yield problem(GATE, subject, "its checksum in RECORD", rows.get(entry))
    for entry in rows.keys() - contents.keys() - {f"{dist_info(file)}/RECORD"}:
        yield problem(GATE, f"{name}: {entry}", "a file, as RECORD says", "none")


def foreign_files(environment: Path, gate: str) -> Iterator[Finding]:
    """Check that a new environment has no `.pth` file, and no file that no RECORD lists."""
    wrong = (
        problem(gate, path, "in the RECORD of a distribution, and no `.pth`", "there")
        for path in _foreign_files(environment)
    )
    yield from confirm_unless(gate, "files of the environment", wrong, "all in a RECORD")


def _foreign_files(environment: Path) -> Iterator[str]:
    posix = environment.glob("lib/python*/site-packages")
    for site in (*posix, environment / "Lib/site-packages"):
        recorded = {
            row[0]
            for record in site.glob("*.dist-info/RECORD")
            for row in csv.reader(record.read_text("utf-8").splitlines())
        }
        for path in sorted(site.rglob("*")):
            name = path.relative_to(site).as_posix()
            if path.is_dir() or CACHE in path.parts or name in OF_UV:
                continue
            if name not in recorded or path.suffix == STARTUP:
                yield name

"""The gates on binaries: the origin, commit and reported version of each.

What a rebuild proves is not checked again: that a wheel's binary is the collected one, and that
the backend accepts it.
"""

import contextlib
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanspec_build.archives import UNREADABLE

from leanspec_launcher._search import RECORD_NAME
from leanspec_launcher._tables import PLATFORMS, PROGRAMS, Platform, Program
from leanspec_launcher.commands import CommandError
from leanspec_launcher.instead.answer import reported_version
from scripts.collect.cargo import DIRTY
from scripts.collect.reported import runs_here
from scripts.collect.staging import source_kind
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, compare, confirm, confirm_unless, gap, problem
from scripts.model.metadata import read_metadata
from scripts.model.plan import REBUILD, SOURCES, Plan
from scripts.model.versions import binary_version
from scripts.tools.processes import program_environment

from .record import COLLECT, record_problems

# The phrase in the web server's description as long as its wheel has no pages.
API_ONLY = "API only"
NO_COMMIT = "none stated"
ONE_COMMIT = (
    "build all of them from the release's commit of LeanSpec, and collect them again"
)
OTHER_VERSION = "collect the binaries of this version: `python3 -m scripts collect --help`"


@dataclass(frozen=True)
class RecordedBinary:
    """The binary of a platform wheel, with its record."""

    file: File
    program: Program
    platform: Platform
    data: bytes
    record: dict[str, Any]


def read_binary(file: File) -> RecordedBinary:
    """Return the binary of a platform wheel. Raises CommandError if the wheel does not have it."""
    programs = {program.distribution: program for program in PROGRAMS.values()}
    program = programs.get(file.distribution)
    if program is None:
        raise CommandError(f"`{file.distribution}` is not a program of this project")
    if file.platform is None:
        raise CommandError(f"`{file.path.name}` is not for exactly one known platform")
    platform, folder = PLATFORMS[file.platform], f"{program.package}/bin"
    problem = f"`{file.path.name}` has no binary with its record"
    try:
        with zipfile.ZipFile(file.path) as archive:
            record = json.loads(archive.read(f"{folder}/{RECORD_NAME}"))
            data = archive.read(f"{folder}/{program.command}{platform.suffix}")
    except UNREADABLE as error:
        raise CommandError(f"{problem}: {error}") from None
    if not isinstance(record, dict):
        raise CommandError(f"{problem}: binary.json is not an object")
    return RecordedBinary(
        file=file, program=program, platform=platform, data=data, record=record
    )


def unpack_binary(file: File, program: Program, folder: Path) -> Path:
    """Unpack a platform wheel, and return the path of its binary, which may be run."""
    with zipfile.ZipFile(file.path) as archive:
        archive.extractall(folder)
    suffix = PLATFORMS[str(file.platform)].suffix
    binary = folder / program.package / "bin" / (program.command + suffix)
    # zipfile leaves the mode of a file out.
    binary.chmod(0o755)
    return binary


def was_grafted(file: File) -> bool:
    """Tell whether a platform wheel carries libraries that were grafted into it."""
    try:
        return "grafted" in read_binary(file).record
    except CommandError:
        return False


def plan_of(plan: Plan, files: list[File]) -> Plan:
    """Return the plan for the sources that platform wheels state for their binaries."""
    kinds = set()
    for file in files:
        if file.kind == FileKind.PLATFORM:
            # The gate on binaries reports a wheel that cannot be read.
            with contextlib.suppress(CommandError):
                kinds.add(source_kind(read_binary(file).record))
    return plan.built_from(kinds)


def binaries(
    plan: Plan, files: list[File], sources: str | None = None
) -> Iterator[Finding]:
    """Check the origin of each binary (`sources`, if that commit is known) and its reported version."""
    recorded = []
    for file in files:
        if file.kind != FileKind.PLATFORM:
            continue
        try:
            recorded.append(read_binary(file))
        except CommandError as error:
            yield problem(
                "binary",
                file.path.name,
                "a binary and its record",
                error.message,
                hint="build it again: `python3 -m scripts wheels`",
            )
    subject = f"{len(recorded)} binaries"
    yield from confirm_unless("binary", subject, _copies(recorded), "each one of its own")
    for binary in recorded:
        yield from _provenance(plan, binary)
        yield _reported_version(plan, binary)
        yield from _pages(binary)
    yield _commits(plan, recorded, sources)
    yield _sources(plan, recorded)
    if reason := plan.exceptions.get(REBUILD):
        text = f"{reason}; `publish` compares them with those of the release before"
        yield gap("provenance", "rebuild", text)


def _copies(recorded: list[RecordedBinary]) -> Iterator[Finding]:
    names: dict[str, str] = {}
    for binary in recorded:
        name, sha256 = binary.file.path.name, hashlib.sha256(binary.data).hexdigest()
        first = names.setdefault(sha256, name)
        if first != name:
            text = f"the same as in {first} (sha256 {sha256[:16]})"
            yield problem("binary", name, "bytes of its own", text)


def _provenance(plan: Plan, binary: RecordedBinary) -> Iterator[Finding]:
    record, source = binary.record, binary.record.get("source")
    origin = f"from {source_kind(record)}"
    if "grafted" in record:
        origin += ", grafted"
    if _is_dirty(record):
        origin += ", with uncommitted changes"
    if isinstance(source, dict) and source.get("built") is False:
        origin += ", built before it was collected"
    problems = _origin_problems(plan, binary)
    yield from confirm_unless("provenance", binary.file.path.name, problems, origin)


def _origin_problems(plan: Plan, binary: RecordedBinary) -> Iterator[Finding]:
    name, record = binary.file.path.name, binary.record
    source = record.get("source")
    integrity = source.get("integrity") if isinstance(source, dict) else None
    if source_kind(record) not in SOURCES or not (integrity or record.get("commit")):
        expected = "a source with its integrity or commit"
        yield problem("provenance", name, expected, source, hint=COLLECT)
    else:
        yield from record_problems(
            record, binary.program, binary.platform, name, is_draft=plan.is_draft
        )
    # A dev version is written into the sources where it is built, and a draft before its commit.
    may_differ = plan.is_draft or plan.version.is_devrelease
    if _is_dirty(record) and not may_differ:
        yield problem(
            "provenance",
            name,
            "a commit without uncommitted changes",
            record["commit"],
            hint="commit LeanSpec's sources, and collect the binaries again",
        )


def _is_dirty(record: dict[str, Any]) -> bool:
    return str(record.get("commit") or "").endswith(DIRTY)


def _commits(plan: Plan, recorded: list[RecordedBinary], sources: str | None) -> Finding:
    """Check that all binaries come from one commit, or that the plan explains why not."""
    texts = {str(binary.record.get("commit") or NO_COMMIT) for binary in recorded}
    names = sorted({text.removesuffix(DIRTY) for text in texts})
    commits = [name for name in names if name != NO_COMMIT]
    subject = ("provenance", "commits")
    if reason := plan.exceptions.get("commits"):
        return confirm(*subject, reason)
    if sources:
        return compare(*subject, sources, ", ".join(names), hint=ONE_COMMIT)
    if len(commits) > 1:
        text = ", ".join(commits)
        return problem(*subject, "one for all binaries", text, hint=ONE_COMMIT)
    return confirm(*subject, ", ".join(names))


def _sources(plan: Plan, recorded: list[RecordedBinary]) -> Finding:
    """Check that all binaries are from one source, or that the plan explains why not."""
    kinds = {source_kind(binary.record) for binary in recorded} - {""}
    reason, text = plan.exceptions.get("sources"), ", ".join(sorted(kinds))
    if bool(reason) == (len(kinds) > 1):
        words = f"{text}: {reason}" if reason else text
        return confirm("provenance", "sources", words)
    expected = "one for all binaries, or the exception `sources` in the plan"
    if reason:
        expected = "several, as the exception `sources` of the plan says"
    return problem("provenance", "sources", expected, text)


def _pages(binary: RecordedBinary) -> Iterator[Finding]:
    """Check that the web server comes with its pages, or that its description says it has none."""
    if binary.program.name != "http":
        return
    file = binary.file
    with zipfile.ZipFile(file.path) as archive:
        has_pages = any(name.endswith("/index.html") for name in archive.namelist())
    if not has_pages and API_ONLY not in str(read_metadata(file).get_payload()):
        yield problem(
            "binary",
            f"{file.path.name}: description",
            f"`{API_ONLY}`: there is no index.html in it",
            "not said",
        )


def _reported_version(plan: Plan, binary: RecordedBinary) -> Finding:
    """Compare the version that the binary reports; from its record if it does not run here."""
    subject = f"{binary.file.path.name}: its own version"
    expected: str = binary_version(plan.version)
    actual: str | None
    if runs_here(binary.platform):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = unpack_binary(binary.file, binary.program, folder)
            env = program_environment(folder / "home")
            try:
                actual = reported_version(binary.program, str(path), env)
            except OSError as error:
                return problem("version", subject, expected, error)
    else:
        unknown = "not run where it was built (no `reported` in binary.json)"
        actual = binary.record.get("reported") or unknown
    return compare("version", subject, expected, actual, hint=OTHER_VERSION)

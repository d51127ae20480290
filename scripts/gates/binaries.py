"""The gates on binaries: the origin, commit and reported version of each.

What a rebuild proves is not checked again: that a wheel's binary is the collected one, and that
the backend accepts it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leanspec_build.archives import UNREADABLE

from leanspec_launcher._search import RECORD_NAME
from leanspec_launcher._tables import PLATFORMS, PROGRAMS, Program
from leanspec_launcher.commands import CommandError
from leanspec_launcher.instead.answer import reported_version
from scripts.collect.cargo import DIRTY
from scripts.collect.reported import runs_here
from scripts.collect.staging import source_kind
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, compare, confirm, confirm_unless, problem
from scripts.model.metadata import read_metadata
from scripts.model.plan import REBUILD, SOURCES, Plan
from scripts.model.versions import binary_version
from scripts.tools.processes import program_environment

from .record import COLLECT, record_differences

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
    data: bytes
    record: dict[str, Any]


def read_binary(file: File) -> RecordedBinary:
    """Return the binary of a platform wheel. Raises CommandError if the wheel does not have it."""
    program = next(
        (each for each in PROGRAMS.values() if each.distribution == file.distribution), None
    )
    if program is None:
        raise CommandError(f"no program of ours is called `{file.distribution}`")
    if file.platform is None:
        raise CommandError(f"`{file.path.name}` is for no platform of ours, or for several")
    suffix = PLATFORMS[file.platform].suffix
    folder = f"{program.package}/bin"
    try:
        with zipfile.ZipFile(file.path) as archive:
            record = json.loads(archive.read(f"{folder}/{RECORD_NAME}"))
            data = archive.read(f"{folder}/{program.command}{suffix}")
    except UNREADABLE as error:
        raise CommandError(
            f"`{file.path.name}` has no binary with its record: {error}"
        ) from None
    if not isinstance(record, dict):
        raise CommandError(
            f"`{file.path.name}` has no binary with its record: binary.json is not an object"
        )
    return RecordedBinary(file, program, data, record)


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
    found = []
    for file in files:
        if file.kind != FileKind.PLATFORM:
            continue
        try:
            found.append(read_binary(file))
        except CommandError as error:
            yield problem(
                "binary",
                file.path.name,
                "a binary and its record",
                error.message,
                hint="build it again: `python3 -m scripts wheels`",
            )
    yield from confirm_unless(
        "binary", f"{len(found)} binaries", _twice(found), "each one of its own"
    )
    for binary in found:
        yield from _provenance(plan, binary)
        yield _own_version(plan, binary)
        yield from _pages(binary)
    yield _commits(plan, found, sources)
    yield _sources(plan, found)
    if reason := plan.exceptions.get(REBUILD):
        text = f"{reason}; `publish` compares them with those of the release before"
        yield replace(confirm("provenance", "rebuild", text), is_gap=True)


def _twice(found: list[RecordedBinary]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for binary in found:
        name, digest = binary.file.path.name, hashlib.sha256(binary.data).hexdigest()
        other = seen.setdefault(digest, name)
        if other != name:
            yield problem(
                "binary",
                name,
                "bytes of its own",
                f"the same as in {other} (sha256 {digest[:16]})",
            )


def _provenance(plan: Plan, binary: RecordedBinary) -> Iterator[Finding]:
    name, record = binary.file.path.name, binary.record
    source, kind = record.get("source"), source_kind(record)
    integrity = source.get("integrity") if isinstance(source, dict) else None
    problems = []
    if kind not in SOURCES or not (integrity or record.get("commit")):
        problems.append(
            problem(
                "provenance",
                name,
                "a source with its integrity or commit",
                source,
                hint=COLLECT,
            )
        )
    else:
        differences = record_differences(record, binary.program, str(binary.file.platform))
        problems += [
            problem(
                "provenance",
                f"{name}: {each.name}",
                each.expected,
                each.found,
                hint=each.hint,
            )
            for each in differences
            if not (plan.is_draft and each.name == "built")
        ]
    # A dev version is written into the sources where it is built, and a draft before its commit.
    may_differ = plan.is_draft or plan.version.is_devrelease
    dirty = str(record.get("commit") or "").endswith(DIRTY)
    if dirty and not may_differ:
        problems.append(
            problem(
                "provenance",
                name,
                "a commit without uncommitted changes",
                record["commit"],
                hint="commit LeanSpec's sources, and collect the binaries again",
            )
        )
    grafted = ", grafted" if "grafted" in record else ""
    uncommitted = ", with uncommitted changes" if dirty else ""
    unbuilt = ", built before it was collected" if _is_unbuilt(source) else ""
    origin = f"from {kind}{grafted}{uncommitted}{unbuilt}"
    yield from confirm_unless("provenance", name, iter(problems), origin)


def _is_unbuilt(source: object) -> bool:
    return isinstance(source, dict) and source.get("built") is False


def _commits(plan: Plan, found: list[RecordedBinary], sources: str | None) -> Finding:
    """Check that all binaries come from one commit, or that the plan explains why not."""
    stated = sorted(
        {str(each.record.get("commit") or NO_COMMIT).removesuffix(DIRTY) for each in found}
    )
    reason = plan.exceptions.get("commits")
    if reason:
        return confirm("provenance", "commits", reason)
    if sources:
        return compare("provenance", "commits", sources, ", ".join(stated), hint=ONE_COMMIT)
    commits = [each for each in stated if each != NO_COMMIT]
    if len(commits) > 1:
        return problem(
            "provenance",
            "commits",
            "one for all binaries",
            ", ".join(commits),
            hint=ONE_COMMIT,
        )
    return confirm("provenance", "commits", ", ".join(stated))


def _sources(plan: Plan, collected: list[RecordedBinary]) -> Finding:
    """Check that all binaries are from one source, or that the plan explains why not."""
    kinds = sorted({kind for binary in collected if (kind := source_kind(binary.record))})
    reason, text = plan.exceptions.get("sources"), ", ".join(kinds)
    if reason and len(kinds) > 1:
        return confirm("provenance", "sources", f"{text}: {reason}")
    if reason:
        expected = "several, as the exception `sources` of the plan says"
        return problem("provenance", "sources", expected, text)
    if len(kinds) > 1:
        expected = "one for all binaries, or the exception `sources` in the plan"
        return problem("provenance", "sources", expected, text)
    return confirm("provenance", "sources", text)


def _pages(binary: RecordedBinary) -> Iterator[Finding]:
    """Check that the web server comes with its pages, or that its description says it has none."""
    if binary.program.name != "http":
        return
    file = binary.file
    with zipfile.ZipFile(file.path) as archive:
        has_pages = any(each.endswith("/index.html") for each in archive.namelist())
    if not has_pages and API_ONLY not in str(read_metadata(file).get_payload()):
        yield problem(
            "binary",
            f"{file.path.name}: description",
            f"`{API_ONLY}`: there is no index.html in it",
            "not said",
        )


def _own_version(plan: Plan, binary: RecordedBinary) -> Finding:
    """Return the version that the binary reports; from its record if it does not run here."""
    wanted, platform = binary_version(plan.version), PLATFORMS[str(binary.file.platform)]
    subject = f"{binary.file.path.name}: its own version"
    if not runs_here(platform):
        reported = binary.record.get("reported")
        return compare(
            "version",
            subject,
            wanted,
            reported or "not run where it was built (no `reported` in binary.json)",
            hint=OTHER_VERSION,
        )
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(binary.file.path) as archive,
    ):
        archive.extractall(folder)
        program = Path(
            folder, binary.program.package, "bin", binary.program.command + platform.suffix
        )
        program.chmod(0o755)
        try:
            said = reported_version(
                binary.program, str(program), program_environment(Path(folder, "home"))
            )
        except OSError as error:
            return problem("version", subject, wanted, error)
    return compare("version", subject, wanted, said, hint=OTHER_VERSION)

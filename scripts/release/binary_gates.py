"""The gates on binaries: what each is, what it needs, where it came from, and what `lean-spec` says of it."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanspec_build.errors import BuildError
from leanspec_build.executable import parse_executable
from leanspec_build.project import load_project
from leanspec_build.tags import exceeds, platform_key

from leanspec_launcher._tables import FAMILIES, PLATFORMS, Family
from leanspec_launcher.instead.answer import reported_version
from leanspec_launcher.manage.errors import CommandError
from scripts.collect.reported import runs_here
from scripts.families import PROJECTS

from .finding import Finding, all_good, bad, same
from .plan import MAIN_WHEEL, PLATFORM, SDIST, File, Plan
from .versions import binary_version


@dataclass(frozen=True)
class Binary:
    """Hold what a platform wheel carries."""

    file: File
    family: Family
    data: bytes
    record: dict[str, Any]


def read_binary(file: File) -> Binary:
    """Return the binary of a platform wheel. Raises CommandError where the wheel does not have it."""
    family = next(family for family in FAMILIES.values() if family.distribution == file.distribution)
    suffix = PLATFORMS[file.platform].suffix if file.platform else ""
    folder = f"{family.package}/bin"
    try:
        with zipfile.ZipFile(file.path) as archive:
            record = json.loads(archive.read(f"{folder}/binary.json"))
            return Binary(file, family, archive.read(f"{folder}/{family.program}{suffix}"), record)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise CommandError(f"no binary with its record: {error}") from None


def binaries(plan: Plan, files: list[File]) -> Iterator[Finding]:
    """Look at each binary: what it is, what it needs, where it came from, which version it says it is."""
    seen: dict[str, str] = {}
    for file in files:
        if file.kind != PLATFORM:
            continue
        name = file.path.name
        try:
            binary = read_binary(file)
        except CommandError as error:
            yield bad("binary", name, "a binary and its record", error.message)
            continue
        digest = hashlib.sha256(binary.data).hexdigest()
        other = seen.setdefault(digest, name)
        if other != name:
            yield bad("binary", name, "bytes of its own", f"the same as in {other} (sha256 {digest[:16]})")
        yield from all_good("binary", name, _wrong_format(binary), f"for {file.platform}, sha256 {digest[:16]}")
        yield from _provenance(binary, digest)
        yield _own_version(plan, binary)


def _wrong_format(binary: Binary) -> Iterator[Finding]:
    name = binary.file.path.name
    try:
        executable = parse_executable(binary.data, name)
    except BuildError as error:
        yield bad("binary", name, f"an executable for {binary.file.platform}", error.message)
        return
    key = platform_key(executable)
    if key != binary.file.platform:
        yield bad("binary", name, f"an executable for {binary.file.platform}", f"one for {key}")
    floor = load_project(PROJECTS / binary.family.name).floors.get(str(key))
    excess = exceeds(executable, floor) if floor else None
    if excess:
        yield bad("binary", name, f"a system of {floor}", excess)


def _provenance(binary: Binary, digest: str) -> Iterator[Finding]:
    name, record = binary.file.path.name, binary.record
    facts = {
        "family": (binary.family.name, record.get("family")),
        "platform": (binary.file.platform, record.get("platform")),
        "size": (len(binary.data), record.get("size")),
        "sha256": (digest, record.get("sha256")),
    }
    problems = [same("provenance", f"{name}: {what}", *pair) for what, pair in facts.items() if pair[0] != pair[1]]
    source = record.get("source")
    if not isinstance(source, dict) or not source.get("kind") or not (source.get("integrity") or record.get("commit")):
        problems.append(bad("provenance", name, "a source with its integrity or commit", source))
    kind = source.get("kind", "") if isinstance(source, dict) else ""
    grafted = ", grafted" if "grafted" in record else ""
    yield from all_good("provenance", name, iter(problems), f"from {kind}{grafted}")


def _own_version(plan: Plan, binary: Binary) -> Finding:
    """Ask the binary itself where it runs here, else the record of the machine that ran it."""
    wanted, platform = binary_version(plan.version), PLATFORMS[str(binary.file.platform)]
    subject = f"{binary.file.path.name}: its own version"
    if not runs_here(platform):
        reported = binary.record.get("reported")
        return same("version", subject, wanted, reported or "not run where it was built (no `reported` in binary.json)")
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(binary.file.path) as archive:
        archive.extractall(folder)  # noqa: S202 - our own wheel; grafted libraries are found beside the program
        program = Path(folder, binary.family.package, "bin", binary.family.program + platform.suffix)
        program.chmod(0o755)
        try:
            said = reported_version(binary.family, str(program))
        except OSError as error:
            return bad("version", subject, wanted, error)
    return same("version", subject, wanted, said)


def pins(files: list[File]) -> Iterator[Finding]:
    """Compare the checksums that `lean-spec` carries with the binaries of this release, both ways."""
    built: dict[str, dict[str, str]] = {}
    for file in files:
        if file.kind == PLATFORM and file.platform:
            with contextlib.suppress(CommandError):  # said by the gate on binaries
                binary = read_binary(file)
                built.setdefault(binary.family.name, {})[file.platform] = hashlib.sha256(binary.data).hexdigest()
    for file in files:
        if file.kind in (MAIN_WHEEL, SDIST):
            yield same("pins", file.path.name, built, _pinned(file))


def _pinned(file: File) -> object:
    """Return the table of checksums in a built `lean-spec`; what cannot be read is no table."""
    try:
        if file.kind == SDIST:
            with tarfile.open(file.path) as archive:
                name = next(each for each in archive.getnames() if each.endswith("leanspec_launcher/_tables.py"))
                content = archive.extractfile(name)
                text = content.read().decode() if content else ""
        else:
            with zipfile.ZipFile(file.path) as archive:
                text = archive.read("leanspec_launcher/_tables.py").decode()
        for node in ast.parse(text).body:
            if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "SHA256" and node.value:
                return ast.literal_eval(node.value)
    except (KeyError, StopIteration, OSError, ValueError, SyntaxError, zipfile.BadZipFile, tarfile.TarError) as error:
        return f"{type(error).__name__}: {error}"
    return "no table"

"""The gates on wheels: contents, modes, tags, metadata, bill of materials, as an installer and an index see them."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from leanspec_launcher._tables import FAMILIES, PLATFORMS
from leanspec_launcher.manage.errors import CommandError
from scripts.environment import ROOT
from scripts.inspection import TRUE, inspect_file
from scripts.processes import capture, own_program

from .finding import Finding, all_good, bad, same
from .plan import MAIN, MAIN_WHEEL, PLATFORM, SDIST, STUB, File, Plan
from .tree_gates import PROGRAMS

LARGEST_MAIN = 200_000
PLACEHOLDERS = re.compile(r"\b(?:todo|fixme|placeholder|xxx|0\.0\.0)\b|@|file:|git\+", re.IGNORECASE)
# What the web server's description says as long as its wheel has no pages.
API_ONLY = "API only"
BILL = "sboms/leanspec-build.cdx.json"


def wheels(plan: Plan, files: list[File]) -> Iterator[Finding]:
    """Look at each file as its installer will: contents, modes, tags, metadata, bill of materials."""
    for file in files:
        try:
            yield from all_good("contents", file.path.name, _contents(plan, file), "exactly what belongs in it")
            yield from all_good("metadata", file.path.name, _metadata(plan, file), "true and complete")
        except (KeyError, OSError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
            yield bad("contents", file.path.name, "a whole archive", f"{type(error).__name__}: {error}")
            continue
        if file.kind == PLATFORM:
            yield from _tags(file)
    yield from _twine(files)


def _contents(plan: Plan, file: File) -> Iterator[Finding]:
    name = file.path.name
    if file.kind == SDIST:
        with tarfile.open(file.path) as archive:
            found = {member.name.partition("/")[2]: member for member in archive.getmembers() if member.isfile()}
        wanted = {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO", *_launcher_files()}
        yield from _compare(name, wanted, set(found))
        return
    with zipfile.ZipFile(file.path) as archive:
        problem = archive.testzip()
        if problem:
            yield bad("contents", name, "a whole archive", f"`{problem}` is damaged")
        entries = {entry.filename: entry for entry in archive.infolist()}
        if len(entries) != len(archive.infolist()):
            yield bad("contents", name, "each entry once", "an entry twice")
        yield from _compare(name, _wanted(plan, file, archive), set(entries))
        yield from _modes(file, entries)
        yield from _record(file, archive)
        if file.kind == MAIN_WHEEL:
            yield from _main_wheel(file, archive)


def _compare(name: str, wanted: set[str], found: set[str]) -> Iterator[Finding]:
    for entry in sorted(wanted - found):
        yield bad("contents", name, f"`{entry}`", "missing")
    for entry in sorted(found - wanted):
        yield bad("contents", name, "nothing else", f"`{entry}`")


def _launcher_files() -> set[str]:
    return {str(path.relative_to(ROOT)) for path in (ROOT / "leanspec_launcher").rglob("*.py")}


def _wanted(plan: Plan, file: File, archive: zipfile.ZipFile) -> set[str]:
    """Return the exact list of what belongs into a wheel."""
    info = f"{file.distribution.replace('-', '_')}-{plan.version}.dist-info"
    wanted = {f"{info}/{part}" for part in ("METADATA", "WHEEL", "RECORD", "licenses/LICENSE")}
    if file.kind == MAIN_WHEEL:
        return wanted | _launcher_files() | {f"{info}/entry_points.txt"}
    family = next(family for family in FAMILIES.values() if family.distribution == file.distribution)
    wanted.add(f"{family.package}/__init__.py")
    if file.kind == STUB:
        return wanted | {f"{family.package}/stub.json"}
    suffix = PLATFORMS[file.platform].suffix if file.platform else ""
    record = json.loads(archive.read(f"{family.package}/bin/binary.json"))
    libraries = record.get("grafted", {}).get("libraries", {})
    own = {f"{family.package}/bin/{family.program}{suffix}", f"{family.package}/bin/binary.json", f"{info}/{BILL}"}
    return wanted | own | {f"{family.package}.libs/{library}" for library in libraries}


def _modes(file: File, entries: dict[str, zipfile.ZipInfo]) -> Iterator[Finding]:
    programs = {f"{family.package}/bin/{family.program}" for family in FAMILIES.values()}
    for name, entry in entries.items():
        wanted = 0o100755 if name.removesuffix(".exe") in programs else 0o100644
        mode = entry.external_attr >> 16
        # flit writes its entries without a type; what is not a program needs none.
        if mode != wanted and not (wanted == 0o100644 and stat.S_IMODE(mode) == 0o644):  # noqa: PLR2004 - a mode
            yield bad("contents", f"{file.path.name}: {name}", f"mode {wanted:o}", f"{mode:o}")


def _record(file: File, archive: zipfile.ZipFile) -> Iterator[Finding]:
    """Compare every entry with RECORD (Binary distribution format, The .dist-info directory)."""
    name = next(each for each in archive.namelist() if each.endswith(".dist-info/RECORD"))
    stated = {row[0]: row[1] for row in csv.reader(archive.read(name).decode().splitlines()) if row}
    for entry in archive.namelist():
        digest = base64.urlsafe_b64encode(hashlib.sha256(archive.read(entry)).digest()).rstrip(b"=").decode()
        wanted = "" if entry == name else f"sha256={digest}"
        if stated.pop(entry, None) != wanted:
            yield bad(
                "contents",
                f"{file.path.name}: RECORD",
                f"`{entry}` with {wanted or 'no hash'}",
                "another line, or none",
            )
    for entry in stated:
        yield bad("contents", f"{file.path.name}: RECORD", "what is in the wheel", f"`{entry}`")


def _main_wheel(file: File, archive: zipfile.ZipFile) -> Iterator[Finding]:
    if file.path.stat().st_size >= LARGEST_MAIN:
        yield bad("contents", file.path.name, f"less than {LARGEST_MAIN} bytes", file.path.stat().st_size)
    for entry in archive.infolist():
        if archive.read(entry)[:4].startswith(PROGRAMS):
            yield bad("contents", file.path.name, "no program", f"`{entry.filename}`")


def read_metadata(file: File) -> Message:
    """Return the core metadata of a built file."""
    if file.kind == SDIST:
        with tarfile.open(file.path) as archive:
            name = next(each for each in archive.getnames() if each.count("/") == 1 and each.endswith("/PKG-INFO"))
            content = archive.extractfile(name)
            text = content.read().decode() if content else ""
    else:
        with zipfile.ZipFile(file.path) as archive:
            name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
            text = archive.read(name).decode()
    return Parser().parsestr(text)


def _metadata(plan: Plan, file: File) -> Iterator[Finding]:
    """Look at the built metadata, not at what it was made from."""
    name, metadata = file.path.name, read_metadata(file)
    facts = {
        "Name": (file.distribution, canonicalize_name(str(metadata["Name"]))),
        "Version": (str(plan.version), metadata["Version"]),
        "License-Expression": ("MIT", metadata["License-Expression"]),
        "Description-Content-Type": ("text/markdown", str(metadata["Description-Content-Type"]).partition(";")[0]),
    }
    for what, (wanted, found) in facts.items():
        if wanted != found:
            yield bad("metadata", f"{name}: {what}", wanted, found)
    if not str(metadata.get_payload()).strip():
        yield bad("metadata", f"{name}: description", "a long description", "none")
    if _lacks_its_pages(file, str(metadata.get_payload())):
        yield bad("metadata", f"{name}: description", f"`{API_ONLY}`, as there is no index.html in it", "not said")
    if not metadata["Requires-Python"]:
        yield bad("metadata", f"{name}: Requires-Python", "a range", "none")
    yield from _requirements(plan, file, metadata.get_all("Requires-Dist") or [])


def _lacks_its_pages(file: File, description: str) -> bool:
    """Tell whether the web server comes without its pages, and does not say so."""
    if file.kind != PLATFORM or file.distribution != FAMILIES["http"].distribution:
        return False
    with zipfile.ZipFile(file.path) as archive:
        has_pages = any(each.endswith("/index.html") for each in archive.namelist())
    return not has_pages and API_ONLY not in description


def _requirements(plan: Plan, file: File, texts: list[str]) -> Iterator[Finding]:
    own = {family.distribution for family in FAMILIES.values()} | {MAIN}
    found = set()
    for text in texts:
        requirement = Requirement(text)
        found.add(requirement.name)
        subject = f"{file.path.name}: Requires-Dist"
        if requirement.url or PLACEHOLDERS.search(text):
            yield bad("metadata", subject, "no direct reference and no placeholder", text)
        elif requirement.name in own and str(requirement.specifier) != f"=={plan.version}":
            yield bad("metadata", subject, f"{requirement.name}=={plan.version}", text)
    wanted = own - {MAIN} if file.kind in (MAIN_WHEEL, SDIST) else set()
    if found & own != wanted:
        yield bad("metadata", f"{file.path.name}: own distributions", sorted(wanted), sorted(found & own))


def _tags(file: File) -> Iterator[Finding]:
    try:
        facts = inspect_file(file.path).facts
    except CommandError as error:
        yield bad("tag of a wheel", file.path.name, "a true tag", error.message)
        return
    yield same("tag of a wheel", file.path.name, TRUE, facts["verdict"])
    for executable in facts["executables"]:
        if not executable["publishable"] and executable["file"].rpartition("/")[2] in _programs():
            yield bad("tag of a wheel", file.path.name, "a tag that an index takes", "; ".join(executable["reasons"]))


def _programs() -> set[str]:
    return {family.program + suffix for family in FAMILIES.values() for suffix in ("", ".exe")}


def _twine(files: list[File]) -> Iterator[Finding]:
    if files:
        done = capture([own_program("twine"), "check", "--strict", *(str(file.path) for file in files)])
        said = " ".join((done.stdout + done.stderr).split())
        found = "PASSED" if done.returncode == 0 else said[-300:]
        yield same("twine check --strict", f"{len(files)} files", "PASSED", found)


def bills(files: list[File]) -> Iterator[Finding]:
    """Validate each wheel's bill of materials by the standard's own schema (CycloneDX 1.6)."""
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415 - half a second, for this gate alone
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    for file in files:
        if file.kind == PLATFORM:
            with zipfile.ZipFile(file.path) as archive:
                name = next((each for each in archive.namelist() if each.endswith(BILL)), None)
                error = (
                    JsonStrictValidator(SchemaVersion.V1_6).validate_str(archive.read(name).decode())
                    if name
                    else "none"
                )
            yield same(
                "bill of materials",
                file.path.name,
                "valid CycloneDX 1.6",
                str(error) if error else "valid CycloneDX 1.6",
            )

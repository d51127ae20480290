"""Verifying a release from its index: downloaded, compared, installed and run."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from packaging.version import Version

from leanspec_launcher._search import RECORD_NAME
from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from leanspec_launcher.web.pages import tree_digest
from scripts.collect.npm import collect_npm
from scripts.collect.pages import collect_pages, pages_folder, read_pages, unpack_pages
from scripts.collect.staging import staged
from scripts.gates.binaries import plan_of, read_binary
from scripts.gates.expected_set import Member, expected, expected_set
from scripts.gates.index_state import provenance, served_predicates
from scripts.gates.installation import installed_from
from scripts.index.built import installer_settings
from scripts.index.client import Index, IndexClient, looks, version_of
from scripts.index.served import fetch
from scripts.model.files import File, FileKind, read_files, read_name
from scripts.model.finding import Finding, compare, confirm, gap, problem, to_its_end
from scripts.model.plan import SOURCES, Plan, read_plan
from scripts.model.programs import DISTRIBUTIONS, MAIN, binary_path, load_programs
from scripts.model.versions import binary_version
from scripts.options import LONGEST_WAIT
from scripts.tools.console import say, step
from scripts.wheels.build import build_wheels


def verify_release(
    version: Version,
    index: Index,
    dist: Path | None = None,
    *,
    against_npm: bool = False,
    rebuild: bool = False,
    wait: int = LONGEST_WAIT,
) -> list[Finding]:
    """Download every file of a release, compare its bytes, install it with pip and uv, and run it.

    With `dist`, the bytes are compared with those built; else with what the index states. An index
    that does not list all files yet is waited for, `wait` seconds at most. Raises CommandError where
    the index cannot be asked, or has nothing of the version.
    """
    plan, client = read_plan(), IndexClient(index)
    is_expected = dist is not None or version == plan.version
    _wait_until_listed(client, plan, version, wait, is_expected=is_expected)
    with tempfile.TemporaryDirectory(prefix="leanspec-verify-") as name:
        folder = Path(name)
        fetched = folder / "fetched"
        fetched.mkdir()
        with step(f"fetching every file of {version} from {index}"):
            findings = list(fetch(client, version, fetched, dist))
        compared = {finding.subject for finding in findings if finding.passed}
        files, strange = read_files(fetched)
        plan = replace(plan_of(plan, files), version=version)
        findings += expected_set(plan, files, strange)
        names = {file.distribution for file in files}
        predicates = served_predicates(client, version)
        findings += to_its_end(
            "provenance on the index",
            lambda: provenance(client, version, names, predicates),
        )
        with step("installing from the index with pip and uv, and running"):
            settings = installer_settings(index.simple, folder)
            gate = "install from the index"
            # No other bytes than those that were compared are run.
            same = [file for file in files if file.path.name in compared]
            findings += to_its_end(
                gate, lambda: installed_from(plan, same, settings, folder, gate=gate)
            )
        if against_npm:
            findings += to_its_end("against npm", lambda: _against_npm(plan, files, folder))
        if rebuild:
            findings += to_its_end("rebuilt", lambda: _rebuilt(plan, files, folder))
    return findings


def _wait_until_listed(
    client: IndexClient, plan: Plan, version: Version, longest: int, *, is_expected: bool
) -> None:
    """Wait until an index lists what a release consists of, `longest` seconds at most.

    What is missing then is a finding. Raises CommandError for a version that it has nothing of, at
    once if nobody can expect it there.
    """
    title = f"waiting {longest} s at most until {client.index} lists {version}"
    plans = [replace(plan, sources=(source,)) for source in SOURCES]
    with step(title):
        for pause in looks(longest):
            files = _listed(client, version)
            # The wheels say which source their binaries are from, and none is fetched yet.
            lacking = min((expected(source) - files for source in plans), key=len)
            if not lacking or (files and not pause):
                return
            if not files and not (pause and is_expected):
                newest = max(client.versions(MAIN), default=None)
                hint = f"it has no version of `{MAIN}` at all: check its address"
                if newest:
                    hint = f"the newest version there is {newest}"
                problem = f"`{client.index}` has no file of {version}"
                raise CommandError(problem, hint=hint)
            state = f"{len(lacking)} not listed" if files else "nothing is listed"
            say(f"  {state} yet, looking again in {pause:g} s")


def _listed(client: IndexClient, version: Version) -> set[Member]:
    """Return what an index lists of a version."""
    names = [name for project in DISTRIBUTIONS for name in client.files(project)]
    files = [read_name(Path(name)) for name in names if version_of(name) == version]
    return {(file.kind, file.distribution, file.platform) for file in files if file}


def _against_npm(plan: Plan, files: list[File], folder: Path) -> Iterator[Finding]:
    """Compare the binaries with those on npm; a grafted one by the digest before grafting."""
    missing = plan.built_from({"npm"}).missing
    binaries = _from_npm(plan, folder)
    for file in files:
        if file.kind == FileKind.PAGES:
            published, fresh = folder / "published-pages", folder / "npm-pages"
            unpack_pages(file.path, published)
            collect_pages(read_pages(), fresh)
            folders = [pages_folder(base) for base in (fresh, published)]
            digests = [tree_digest(str(pages)) for pages in folders]
            yield compare("against npm", file.path.name, *digests)
        if file.kind != FileKind.PLATFORM:
            continue
        if file.platform in missing:
            text = f"not compared: {missing[file.platform]}"
            yield gap("against npm", file.path.name, text)
            continue
        binary, subject = read_binary(file), file.path.name
        collected = binary_path(binaries, binary.program, binary.platform)
        sha256 = digest(str(collected))
        origin = hashlib.sha256(binary.data).hexdigest()
        if grafted := binary.record.get("grafted"):
            origin = grafted["from"]["sha256"]
            libraries = ", ".join(grafted["libraries"])
            subject = f"{subject}: grafted with {libraries}; before that"
        yield compare("against npm", subject, sha256, origin)


def _rebuilt(plan: Plan, files: list[File], folder: Path) -> Iterator[Finding]:
    """Build the wheels again from their own binaries, and compare every byte.

    Where they were grafted, from npm's: a published wheel does not hold what a grafted binary was
    before.
    """
    binaries = [read_binary(file) for file in files if file.kind == FileKind.PLATFORM]
    grafted = any("grafted" in binary.record for binary in binaries)
    base = _from_npm(plan, folder) if grafted else folder / "own"
    again = folder / "rebuilt"
    for binary in [] if grafted else binaries:
        path = binary_path(base, binary.program, binary.platform)
        path.parent.mkdir(parents=True)
        path.write_bytes(binary.data)
        record = json.dumps(binary.record, indent=2) + "\n"
        path.with_name(RECORD_NAME).write_text(record, "utf-8")
    for file in files:
        if file.kind == FileKind.PAGES and not pages_folder(base).exists():
            unpack_pages(file.path, base)
    repair = "auditwheel" if grafted else None
    build_wheels(base, again, (), (), repair)
    for file in files:
        name = file.path.name
        other = again / name
        if not other.exists():
            yield problem("rebuilt", name, "built again under this name", "not built")
        elif other.read_bytes() == file.path.read_bytes():
            yield confirm("rebuilt", name, "the same bytes")
        else:
            yield problem("rebuilt", name, "the same bytes", "other bytes")


def _from_npm(plan: Plan, folder: Path) -> Path:
    """Collect the binaries of this version from npm, once."""
    base = folder / "npm"
    if not base.exists():
        keys = plan.built_from({"npm"}).platforms
        platforms = [PLATFORMS[key] for key in keys if key in plan.platforms]
        version = binary_version(plan.version)
        with staged(base) as staging:
            collect_npm(version, load_programs(), platforms, staging, all_required=True)
    return base

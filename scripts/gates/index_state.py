"""The gates on the index: it accepts our projects, and no release is newer, better attested, or rebuilt unsaid."""

import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from packaging.version import Version

from scripts.index.client import (
    IndexClient,
    IndexProject,
    Served,
    newest_release,
    version_of,
)
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, confirm, confirm_unless, gap, problem
from scripts.model.gates import INDEX as GATE
from scripts.model.plan import REBUILD, Plan
from scripts.model.programs import MAIN
from scripts.wheels.pins import pinned_binaries

from .same_bytes import shortened

PROVENANCE = "provenance on the index"
# A project in another state takes no upload, or nobody installs what it takes (PEP 792).
OPEN = ("active", "deprecated")
# The index takes no file for a version whose first one is older (warehouse/forklift/legacy.py).
LONGEST_RELEASE = timedelta(days=14)
Predicates = frozenset[str]


def index_state(
    client: IndexClient, version: Version, files: list[File]
) -> Iterator[Finding]:
    """Check each project of a release on the index. Raises CommandError if it cannot be asked."""
    for name in sorted({file.distribution for file in files}):
        problems = _problems(name, client.project(name), version)
        yield from confirm_unless(GATE, name, problems, "free, or ours and open")


def _problems(name: str, project: IndexProject, version: Version) -> Iterator[Finding]:
    if project.status not in OPEN:
        reason = f": {project.reason}" if project.reason else ""
        status = f"{project.status}{reason}"
        yield problem(GATE, name, "a project that takes uploads", status)
    versions = {version_of(name) for name in project.files} - {None, version}
    # A pre-release is installed by whoever wants the highest of all; a stable one is compared with
    # its like.
    rivals = [
        other
        for other in versions
        if other and (version.is_prerelease or not other.is_prerelease)
    ]
    highest = max(rivals, default=version)
    if highest > version:
        expected = f"no version above {version}"
        hint = "bump to a higher version: `python3 -m scripts bump VERSION`"
        yield problem(GATE, name, expected, highest, hint=hint)
    files = [file for file in project.files.values() if version_of(file.name) == version]
    for file in files:
        if file.is_yanked:
            yield problem(GATE, file.name, "a file that nobody has yanked", "yanked")
    first = min([file.uploaded for file in files if file.uploaded], default=None)
    if first and datetime.now(UTC) - first > LONGEST_RELEASE:
        expected = f"a first file of the last {LONGEST_RELEASE.days} days"
        yield problem(GATE, name, expected, f"one of {first:%Y-%m-%d}")


def provenance(
    client: IndexClient,
    version: Version,
    distributions: set[str],
    predicates: Callable[[str], dict[str, Predicates]],
) -> Iterator[Finding]:
    """Compare what is attested of each file with the newest release before it on the index.

    `predicates` returns the types of the statements on each file of a distribution. An installer may
    refuse a release that has lost provenance, and for good: an attestation cannot be added later.
    Raises CommandError if the index cannot be asked.
    """
    for distribution in sorted(distributions):
        files = client.files(distribution).values()
        former = newest_release(files, lambda other: other < version)
        if not former:
            yield confirm(PROVENANCE, distribution, "no release before it")
            continue
        before = Predicates().union(*(client.predicates(served) for served in former))
        old = version_of(former[0].name)
        for name, types in predicates(distribution).items():
            lost = sorted(before - types)
            if lost:
                hint = "`python3 -m scripts attest`, in the workflow, before the upload"
                expected = f"attested as {old} is, by {' and '.join(lost)}"
                actual = " and ".join(sorted(types)) or "no attestation"
                yield problem(PROVENANCE, name, expected, actual, hint=hint)
            else:
                yield confirm(PROVENANCE, name, f"no less than {old}")


def served_predicates(
    client: IndexClient, version: Version
) -> Callable[[str], dict[str, Predicates]]:
    """Return what an index shows of the files of a release."""
    return lambda distribution: {
        served.name: client.predicates(served)
        for served in client.files(distribution).values()
        if version_of(served.name) == version
    }


def rebuild(client: IndexClient, plan: Plan, files: list[File]) -> Iterator[Finding]:
    """Compare the binaries of a `.postN` with those of the release before it on the index.

    By the checksums that each `lean-spec` pins. Raises CommandError if the index cannot be asked.
    """
    main = [file.path for file in files if file.kind == FileKind.MAIN]
    if not plan.version.is_postrelease or not main:
        return
    reason = plan.exceptions.get(REBUILD)
    served = _release_before(client, plan.version)
    if served is None:
        expected = "a release before it on the index, which is rebuilt"
        text = "not compared: the index has no release before it"
        missing = problem(REBUILD, "binaries", expected, "none")
        yield missing if reason else gap(REBUILD, "binaries", text)
        return
    with tempfile.TemporaryDirectory(prefix="leanspec-before-") as folder:
        path = Path(folder, served.name)
        digest = client.download(served, path)
        if served.sha256 not in {digest, None}:
            yield problem(REBUILD, served.name, served.sha256, digest)
            return
        before = pinned_binaries(path)
    binaries = pinned_binaries(main[0])
    common = sorted(before.keys() & binaries.keys())
    different = [name for name in common if before[name] != binaries[name]]
    version = version_of(served.name)
    if reason and different:
        text = f"{reason}; {len(different)} of {len(common)} differ from {version}"
        yield gap(REBUILD, "binaries", text)
    elif reason:
        expected = f"others than in {version}, as the exception `{REBUILD}` says"
        yield problem(REBUILD, "binaries", expected, "the same")
    elif different:
        expected = f"those of {version}, or the exception `{REBUILD}` in the plan"
        yield problem(REBUILD, "binaries", expected, f"others: {shortened(different)}")
    else:
        yield confirm(REBUILD, "binaries", f"those of {version}")


def _release_before(client: IndexClient, version: Version) -> Served | None:
    """Return the wheel of the newest `lean-spec` before a `.postN`, of the same LeanSpec."""

    def is_of_the_same(other: Version) -> bool:
        is_same = other.release == version.release and not other.is_prerelease
        return is_same and other < version

    wheels = [file for file in client.files(MAIN).values() if file.name.endswith(".whl")]
    return next(iter(newest_release(wheels, is_of_the_same)), None)

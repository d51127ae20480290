"""The gate on a `.postN`: its binaries are those of the release before, unless the plan states a rebuild."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

from scripts.index.client import IndexClient, Served, newest_release, version_of
from scripts.model.distributions import MAIN
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, confirm, gap, problem
from scripts.model.plan import REBUILD, Plan
from scripts.wheels.pins import pinned_binaries

from .same_bytes import shortened

GATE = "rebuild"


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
        yield _not_compared(reason)
        return
    with tempfile.TemporaryDirectory(prefix="leanspec-before-") as folder:
        path = Path(folder, served.name)
        digest = client.download(served, path)
        if served.sha256 not in {digest, None}:
            yield problem(GATE, served.name, served.sha256, digest)
            return
        before = pinned_binaries(path)
    binaries = pinned_binaries(main[0])
    common = sorted(before.keys() & binaries.keys())
    different = [name for name in common if before[name] != binaries[name]]
    version = version_of(served.name)
    if reason and different:
        text = f"{reason}; {len(different)} of {len(common)} differ from {version}"
        yield gap(GATE, "binaries", text)
    elif reason:
        expected = f"others than in {version}, as the exception `{REBUILD}` says"
        yield problem(GATE, "binaries", expected, "the same")
    elif different:
        expected = f"those of {version}, or the exception `{REBUILD}` in the plan"
        yield problem(GATE, "binaries", expected, f"others: {shortened(different)}")
    else:
        yield confirm(GATE, "binaries", f"those of {version}")


def _release_before(client: IndexClient, version: Version) -> Served | None:
    """Return the wheel of the newest `lean-spec` before a `.postN`, of the same LeanSpec."""

    def is_of_the_same(other: Version) -> bool:
        is_same = other.release == version.release and not other.is_prerelease
        return is_same and other < version

    wheels = [file for file in client.files(MAIN).values() if file.name.endswith(".whl")]
    return next(iter(newest_release(wheels, is_of_the_same)), None)


def _not_compared(reason: str | None) -> Finding:
    if reason:
        expected = "a release before it on the index, which is rebuilt"
        return problem(GATE, "binaries", expected, "none")
    return gap(GATE, "binaries", "not compared: the index has no release before it")

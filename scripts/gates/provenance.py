"""The gate on provenance: no file of a release has less of it than the release before."""

from collections.abc import Callable, Iterator

from packaging.version import Version

from scripts.index.client import IndexClient, newest_release, version_of
from scripts.model.finding import Finding, confirm, problem

GATE = "provenance on the index"
Predicates = frozenset[str]


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
            yield confirm(GATE, distribution, "no release before it")
            continue
        before = Predicates().union(*(client.predicates(served) for served in former))
        old = version_of(former[0].name)
        for name, types in predicates(distribution).items():
            lost = sorted(before - types)
            if lost:
                hint = "`python3 -m scripts attest`, in the workflow, before the upload"
                expected = f"attested as {old} is, by {' and '.join(lost)}"
                actual = " and ".join(sorted(types)) or "no attestation"
                yield problem(GATE, name, expected, actual, hint=hint)
            else:
                yield confirm(GATE, name, f"no less than {old}")


def served_predicates(
    client: IndexClient, version: Version
) -> Callable[[str], dict[str, Predicates]]:
    """Return what an index shows of the files of a release."""
    return lambda distribution: {
        served.name: client.predicates(served)
        for served in client.files(distribution).values()
        if version_of(served.name) == version
    }

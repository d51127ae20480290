"""The gate on provenance: no file of a release has less of it than the release before."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from packaging.version import Version

from scripts.index.client import IndexClient, Served, version_of
from scripts.model.finding import Finding, confirm, problem

GATE = "provenance on the index"
Predicates = frozenset[str]


def provenance(
    client: IndexClient,
    version: Version,
    distributions: set[str],
    stated: Callable[[str], dict[str, Predicates]],
) -> Iterator[Finding]:
    """Compare what is attested of each file with the newest release before it on the index.

    `stated` returns the types of the statements on each file of a distribution. An installer may
    refuse a release that has lost provenance, and for good: an attestation cannot be added later.
    Raises CommandError if the index cannot be asked.
    """
    for distribution in sorted(distributions):
        former = _release_before(client, distribution, version)
        if not former:
            yield confirm(GATE, distribution, "no release before it")
            continue
        before = Predicates().union(*(client.predicates(served) for served in former))
        old = version_of(former[0].name)
        for name, types in stated(distribution).items():
            lost = sorted(before - types)
            if lost:
                hint = "`python3 -m scripts attest`, in the workflow, before the upload"
                expected = f"attested as {old} is, by {' and '.join(lost)}"
                found = " and ".join(sorted(types)) or "no attestation"
                yield problem(GATE, name, expected, found, hint=hint)
            else:
                yield confirm(GATE, name, f"no less than {old}")


def served_provenance(
    client: IndexClient, version: Version
) -> Callable[[str], dict[str, Predicates]]:
    """Return what an index shows of the files of a release."""
    return lambda distribution: {
        served.name: client.predicates(served)
        for served in client.files(distribution).values()
        if version_of(served.name) == version
    }


def _release_before(
    client: IndexClient, distribution: str, version: Version
) -> list[Served]:
    """Return the files of the newest version below a version."""
    releases: dict[Version, list[Served]] = {}
    for served in client.files(distribution).values():
        number = version_of(served.name)
        if number and number < version:
            releases.setdefault(number, []).append(served)
    return releases[max(releases)] if releases else []

"""Downloading a release from an index and comparing every byte. Nothing is run."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

from scripts.model.files import read_files
from scripts.model.finding import Finding, compare, problem
from scripts.model.programs import DISTRIBUTIONS
from scripts.tools.console import step

from .client import Index, IndexClient, version_of

GATE = "bytes on the index"


def compare_served(version: Version, index: Index, dist: Path) -> list[Finding]:
    """Fetch every file of a release and compare it with the one that was built.

    Raises CommandError if the index cannot be asked.
    """
    doing = step(f"fetching every file of {version} from {index}")
    with tempfile.TemporaryDirectory(prefix="leanspec-served-") as name, doing:
        return list(fetch(IndexClient(index), version, Path(name), dist))


def fetch(
    client: IndexClient, version: Version, folder: Path, dist: Path | None
) -> Iterator[Finding]:
    """Download every file of a release; compare it with the built one, or with the stated sha256."""
    built = {file.path.name: file for file in read_files(dist)[0]} if dist else {}
    names = set()
    for distribution in DISTRIBUTIONS:
        for served in client.files(distribution).values():
            if version_of(served.name) != version:
                continue
            names.add(served.name)
            sha256 = client.download(served, folder / served.name)
            file = built.get(served.name)
            if dist and not file:
                yield problem(GATE, served.name, f"a file of `{dist}`", "none of its name")
                continue
            expected = file.sha256() if file else served.sha256
            yield compare(GATE, served.name, expected or "a stated sha256", sha256)
    for name in sorted(built.keys() - names):
        yield problem(GATE, name, "served", "not listed")
    if not names:
        yield problem(GATE, str(version), "files of it", "none")

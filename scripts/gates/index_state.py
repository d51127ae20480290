"""The gate on the index itself: it accepts our projects, and has no newer version of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from packaging.version import Version

from scripts.index.client import IndexClient, IndexProject, version_of
from scripts.model.files import File
from scripts.model.finding import Finding, confirm_unless, problem
from scripts.model.gates import INDEX as GATE

# A project in another state takes no upload, or nobody installs what it takes (PEP 792).
OPEN = ("active", "deprecated")
# The index takes no file for a version whose first one is older (warehouse/forklift/legacy.py).
LONGEST_RELEASE = timedelta(days=14)


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
        yield problem(
            GATE, name, "a project that takes uploads", f"{project.status}{reason}"
        )
    published = {
        found for each in project.files if (found := version_of(each)) and found != version
    }
    # A pre-release is installed by whoever wants the highest of all; a stable one is compared with
    # its like.
    rivals = [each for each in published if version.is_prerelease or not each.is_prerelease]
    highest = max(rivals, default=version)
    if highest > version:
        yield problem(
            GATE,
            name,
            f"no version above {version}",
            highest,
            hint="bump to a higher version: `python3 -m scripts bump VERSION`",
        )
    own = [each for each in project.files.values() if version_of(each.name) == version]
    for each in own:
        if each.is_yanked:
            yield problem(GATE, each.name, "a file that nobody has yanked", "yanked")
    first = min([each.uploaded for each in own if each.uploaded], default=None)
    if first and datetime.now(UTC) - first > LONGEST_RELEASE:
        yield problem(
            GATE,
            name,
            f"a first file of the last {LONGEST_RELEASE.days} days",
            f"one of {first:%Y-%m-%d}",
        )

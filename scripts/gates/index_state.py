"""The gate on the index itself: it accepts our projects, and has no newer version of them."""

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

"""How a run shares the tests out among its processes."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# The tests of this file follow each other: one play of a release, and what starts from it.
TOGETHER = ("tests/e2e/test_publish_workflow.py",)


class ByFixtures(LoadScopeScheduling):  # type: ignore[misc] # it carries no types
    """Send each test where there is room, and the tests of some files to one process.

    Not xdist's own groups: it tells them by the names of tests, which nobody can change since
    pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid

"""How a run shares the tests out among its processes."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

from tests.support.groups import group_of


class ByFixtures(LoadScopeScheduling):  # type: ignore[misc] # it carries no types
    """Send each test where there is room, and the tests of a group to one process.

    Not xdist's own groups: it tells them by the names of tests, which nobody can change since
    pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        number = group_of(nodeid)
        return nodeid if number is None else f"group {number}"

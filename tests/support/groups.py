"""Tests that follow each other in one process, the dearest first."""

from __future__ import annotations

# The tests of these files share what one of them at a time can have: the play of a release, the
# stage of a rehearsal, and the installations that a test may damage. Each group is a process's work,
# and the dearest is begun first.
GROUPS = (
    ("tests/e2e/test_publish_workflow.py",),
    (
        "tests/e2e/test_management.py",
        "tests/e2e/test_installers.py",
        "tests/e2e/test_layouts.py",
        "tests/e2e/test_at_the_same_time.py",
    ),
    ("tests/e2e/test_docs.py",),
    ("tests/release/test_release.py", "tests/release/test_resumption.py"),
)


def group_of(test: str) -> int | None:
    """Return the number of a test's group; None if it is shared out alone."""
    file = test.partition("::")[0]
    numbers = (number for number, files in enumerate(GROUPS) if file in files)
    return next(numbers, None)

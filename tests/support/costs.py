"""CPU seconds of each test, its fixtures and its programs: a report at the end of a run."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Generator

import pytest

NAME = "CPU seconds"
LIMIT = 5.0
"""CPU seconds of a test that should be two, or `slow`."""
START = pytest.StashKey[float]()


def _spent() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


class Costs:
    """Measures in the process that runs a test, reports in the one that the user started."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Begin with the fixtures."""
        item.stash[START] = _spent()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        """Hand the figure to the process that reports, with the test's own report."""
        try:
            return (yield)
        finally:
            item.user_properties.append((NAME, _spent() - item.stash[START]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the figures of all processes."""
        for name, value in report.user_properties:
            if name == NAME and isinstance(value, float):
                self.seconds[report.nodeid] = value

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the total, the dearest files and the tests above the limit."""
        if not self.seconds:
            return
        files: defaultdict[str, float] = defaultdict(float)
        for test, seconds in self.seconds.items():
            files[test.partition("::")[0]] += seconds
        line = terminalreporter.write_line
        line(f"{sum(files.values()):.0f} CPU seconds. The dearest files:")
        for file in sorted(files, key=files.__getitem__, reverse=True)[:10]:
            line(f"  {files[file]:6.1f}  {file}")
        dear = [test for test in self.seconds if self.seconds[test] > LIMIT]
        if dear:
            line(
                f"Tests of more than {LIMIT:.0f}, fixtures that they were first to need included:"
            )
        for test in sorted(dear, key=self.seconds.__getitem__, reverse=True):
            line(f"  {self.seconds[test]:6.1f}  {test}")

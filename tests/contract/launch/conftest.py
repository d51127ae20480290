"""The probe, installed as the binary of every program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.surroundings import once

if TYPE_CHECKING:
    from tests.support.probe import Launch


@pytest.fixture(scope="session")
def probe_commands(shared: Path) -> Path:
    """Return the commands of an environment in which the binary of every program is the probe."""
    from tests.support.probe import install_probe  # noqa: PLC0415 - not on every system

    return once(shared / "probe-release", install_probe) / "environment/bin"


@pytest.fixture
def launch(probe_commands: Path, tmp_path: Path) -> Launch:
    """Return how the probe is started, directly and through our launcher."""
    from tests.support.probe import Launch  # noqa: PLC0415 - not on every system

    return Launch(probe_commands, tmp_path / "case")

"""Running a rehearsal: without faults, or with them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .as_meant import play_as_meant
from .devpi import devpi
from .stage import Row, Stage, set_stage
from .with_faults import play_with_faults, scenes


def rehearse(*, with_faults: bool, only: str = "") -> list[Row]:
    """Rehearse a release; return one row per scene. `only` narrows the faults to those with these words.

    Raises CommandError if no fault has these words, or if the stage itself cannot be set.
    """
    chosen = scenes(only) if with_faults else {}
    with tempfile.TemporaryDirectory(prefix="leanspec-rehearsal-") as name:
        folder = Path(name)
        (folder / "home").mkdir()
        with devpi(folder) as server:
            stage = Stage(folder, server, folder / "tree", folder / "dist")
            set_stage(stage)
            if with_faults:
                play_with_faults(stage, chosen)
            else:
                play_as_meant(stage)
            return stage.rows

"""Every case in every way, side by side."""

from __future__ import annotations

import difflib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .cases import Case, all_cases
from .observing import Surroundings, usual_signals
from .release import Start, Way, release

if sys.platform == "win32":
    raise ImportError  # the package has refused before: this tells type checkers

SAME = "same"
WIDTH = 48
PLACES = ("argument", "command-line", "executable")


@dataclass(frozen=True)
class Row:
    """One case: what a direct start shows, and for each other way `same` or the first difference."""

    area: str
    case: str
    direct: str
    others: dict[Start, str]
    unknowable: str

    @property
    def kept(self) -> bool:
        """Tell whether our launcher keeps the contract here, as far as it can."""
        return self.others[Start.OURS] == SAME or bool(self.unknowable)


def observe(case: Case, way: Way, folder: Path, probe: str) -> str:
    """Return what a case shows of a way, in a folder that is the same for every way."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with usual_signals():
            return case.observe(Surroundings(way, folder, probe))
    except (OSError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"


def difference(direct: str, other: str) -> str:
    """Return `same`, or the first line that differs."""
    if direct == other:
        return SAME
    lines = difflib.unified_diff(direct.splitlines(), other.splitlines(), n=0, lineterm="")
    changed = [
        line
        for line in lines
        if line.startswith(("+", "-")) and not line.startswith(("---", "+++"))
    ]
    # The npm wrapper has its binary in another place: that is the least of it.
    telling = [
        line for line in changed if line.startswith("+") and not line[1:].startswith(PLACES)
    ] or changed
    more = f" (+{len(changed) - 1})" if len(changed) > 1 else ""
    return telling[0][1:][:WIDTH] + more


def compare(case: Case, ways: Sequence[Way], folder: Path) -> Row:
    """Observe a case in every way; the first is the direct one."""
    probe = ways[0].command[0]
    seen = {way.name: observe(case, way, folder, probe) for way in ways}
    direct = seen.pop(Start.DIRECT)
    others = {name: difference(direct, text) for name, text in seen.items()}
    return Row(case.area, case.name, direct.splitlines()[0], others, case.unknowable)


def measure(chosen: str | None = None) -> list[Row]:
    """Build a release of the probe, install it, and compare every case whose area or name holds `chosen`."""
    with tempfile.TemporaryDirectory(prefix="leanspec-contract-") as name:
        folder = Path(name)
        ways = release(folder)
        cases = [
            case
            for case in all_cases()
            if not chosen or chosen in f"{case.area}: {case.name}"
        ]
        return [compare(case, ways, folder / "case") for case in cases]

"""Every gate, in the order in which it is cheapest to fail; all failures are shown, not the first one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from leanspec_launcher.manage.errors import CommandError
from scripts.console import step
from scripts.environment import ROOT

from . import binary_gates, smoke, tree_gates, wheel_gates
from .finding import Finding, bad
from .plan import File, Plan, expected_set, read_files, read_plan

Gate = Callable[[], Iterator[Finding]]


def check(dist: Path, root: Path = ROOT, cargo: Path | None = None, *, tagged: bool = True) -> list[Finding]:
    """Run every gate on built files and the tree that they come from; that of the tag once there should be one.

    Raises CommandError where there are no files.
    """
    plan = read_plan(root)
    if not dist.is_dir():
        raise CommandError(f"there is no folder `{dist}`", hint="build first: `python -m scripts wheels`")
    files, strange = read_files(dist)
    gates: dict[str, Gate] = {
        "names, versions, tag, tree, lock": lambda: tree_gates.repository(plan, root, cargo, tagged=tagged),
        "the expected set": lambda: expected_set(plan, files, strange),
        "binaries": lambda: binary_gates.binaries(plan, files),
        "checksums in lean-spec": lambda: binary_gates.pins(files),
        "wheels": lambda: wheel_gates.wheels(plan, files),
        "bills of materials": lambda: wheel_gates.bills(files),
        "installs and smoke runs": lambda: _installs(plan, files),
    }
    found = []
    for title, gate in gates.items():
        with step(title):
            try:
                found += list(gate())
            except CommandError as error:
                found.append(bad(title, "the gate itself", "to come to an end", error.message))
    return found


def _installs(plan: Plan, files: list[File]) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="leanspec-check-") as name:
        folder = Path(name)
        with smoke.index_of(files, folder) as index:
            yield from smoke.installed_from(plan, index, folder)

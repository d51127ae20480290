"""Every gate, in the order in which it is cheapest to fail; all failures are shown, not the first one.

Three questions: is the tree as a release should be, are the files what this tree builds, and would an index take them?
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from leanspec_launcher.manage.errors import CommandError
from scripts.console import step
from scripts.environment import ROOT
from scripts.families import PROJECTS

from . import binary_gates, smoke, tree_gates
from .finding import Finding, bad
from .index_rules import index_rules
from .plan import File, Plan, expected_set, read_files, read_plan
from .same_bytes import same_bytes

Gate = Callable[[], Iterator[Finding]]


def check(
    dist: Path,
    root: Path = ROOT,
    cargo: Path | None = None,
    *,
    binaries: Path = PROJECTS,
    tagged: bool = True,
) -> list[Finding]:
    """Run every gate on built files and the tree that they come from; that of the tag once there should be one.

    `binaries` is where those are that the files were built from. Raises CommandError if there are no files.
    """
    plan = read_plan(root)
    if not dist.is_dir():
        raise CommandError(f"there is no folder `{dist}`", hint="build first: `python -m scripts wheels`")
    files, strange = read_files(dist)
    gates: dict[str, Gate] = {
        "names, versions, tag, tree, lock": lambda: tree_gates.repository(plan, root, cargo, tagged=tagged),
        "the expected set": lambda: expected_set(plan, files, strange),
        "binaries": lambda: binary_gates.binaries(plan, files),
        "what the index would say": lambda: index_rules(files),
        "the bytes that this tree builds": lambda: same_bytes(files, binaries),
        "installs and smoke runs": lambda: _installs(plan, files),
    }
    found: list[Finding] = []
    for title, gate in gates.items():
        with step(title):
            found += _findings(title, gate)
    return found


def check_copy(dist: Path, cargo: Path | None, binaries: Path) -> tuple[list[Finding], str]:
    """Run every gate on a copy of built files; return what they found, and the fingerprint of that copy."""
    with snapshot(dist) as own:
        return check(own, cargo=cargo, binaries=binaries), fingerprint(read_files(own)[0])


def _findings(title: str, gate: Gate) -> Iterator[Finding]:
    """Yield what a gate finds. Whatever ends it before its end is a failure of the release."""
    try:
        yield from gate()
    except CommandError as error:
        yield bad(title, "the gate itself", "to come to an end", error.message)
    except Exception as error:  # noqa: BLE001 - a file that breaks a gate must not pass it
        yield bad(title, "the gate itself", "to come to an end", f"{type(error).__name__}: {error}")


def _installs(plan: Plan, files: list[File]) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="leanspec-check-") as name:
        folder = Path(name)
        with smoke.index_of(files, folder) as index:
            yield from smoke.installed_from(plan, index, folder)


@contextlib.contextmanager
def snapshot(dist: Path) -> Iterator[Path]:
    """Give a copy of built files that nobody else can change: what is checked is then what is uploaded.

    Raises CommandError if there are none, or if one is a link to something else.
    """
    if not dist.is_dir():
        raise CommandError(f"there is no folder `{dist}`", hint="build first: `python -m scripts wheels`")
    with tempfile.TemporaryDirectory(prefix="leanspec-release-") as name:
        for path in sorted(dist.iterdir()):
            if path.is_symlink():
                raise CommandError(f"`{path}` is a symbolic link", hint="build again: `python -m scripts wheels`")
            if path.is_file():
                shutil.copyfile(path, Path(name, path.name))
        yield Path(name)


def fingerprint(files: list[File]) -> str:
    """Return one SHA-256 for all files of a release: of their checksums and names, as `sha256sum` writes them."""
    lines = [f"{file.sha256()}  {file.path.name}\n" for file in files]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()

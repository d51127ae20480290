"""Requirements files of a release: each wheel by its hash, and what it requires of others from elsewhere."""

import importlib.metadata
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version

from leanspec_launcher.commands import CommandError
from scripts.environment import Group
from scripts.locked import EXACTLY, entry
from scripts.model.files import File, FileKind
from scripts.model.metadata import read_metadata
from scripts.model.programs import DISTRIBUTIONS
from scripts.tools.lock import LockEntry, follow, read_lock
from scripts.tools.processes import capture, clean_environment, must_succeed

LOCK = Group.RELEASE.lock


@dataclass(frozen=True)
class PinnedRequirements:
    """The requirements files of one distribution of a release, with all that it requires."""

    ours: Path
    others: Path
    wheels: Path
    """The folder of the wheels of others."""

    @property
    def of_ours(self) -> tuple[str, ...]:
        """The options that install our wheels, from an index that may have anything else."""
        return ("--require-hashes", "--only-binary=:all:", "--requirement", str(self.ours))

    @property
    def of_others(self) -> tuple[str, ...]:
        """The options that install the wheels of others, from no index."""
        links = ("--no-index", "--find-links", str(self.wheels))
        return (*EXACTLY, *links, "--requirement", str(self.others))


def write_pins(
    roots: tuple[str, ...], files: list[File], folder: Path
) -> list[PinnedRequirements]:
    """Pin what each root needs of a release's files, and download what it needs of others.

    Anybody may own a foreign name on the index of a release: those come from the index that pip is
    configured with, as wheels, with the hashes of the lock file. Raises CommandError if something
    is in neither.
    """
    wheels = folder / "others"
    wheels.mkdir(parents=True)
    result, others = [], set()
    for number, root in enumerate(roots):
        names = _needed(Requirement(root), files)
        foreign_names = names - {*DISTRIBUTIONS}
        foreign = _locked(foreign_names)
        pins = PinnedRequirements(
            folder / f"{number}-ours.txt", folder / f"{number}-others.txt", wheels
        )
        pins.ours.write_text(_ours(Requirement(root), names, files) + foreign, "utf-8")
        pins.others.write_text(foreign, "utf-8")
        others |= foreign_names
        result.append(pins)
    if others:
        # Locked wheels, from the index that pip is configured with.
        lock = folder / "others.lock"
        lock.write_text(_locked(others), "utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", *EXACTLY]
        command += ["--dest", str(wheels), "--requirement", str(lock)]
        download = capture(command, env=clean_environment())
        must_succeed(download, "`pip download` of what lean-spec needs")
    return result


def _needed(root: Requirement, files: list[File]) -> set[str]:
    """Return the names of everything that a distribution of the release needs here."""
    wheels = {file.distribution: file for file in files if file.kind != FileKind.SDIST}
    ours = [
        LockEntry(name=name, version=Version(wheel.version), marker=None)
        for name, wheel in wheels.items()
    ]
    others = [entry for entry in read_lock(LOCK) if entry.name not in DISTRIBUTIONS]

    def requirements(package: LockEntry) -> list[Requirement]:
        if package.name in wheels:
            texts = read_metadata(wheels[package.name]).get_all("Requires-Dist")
        else:
            # This environment was installed from the lock file, so it has that very version.
            texts = importlib.metadata.requires(package.name)
        return [Requirement(text) for text in texts or []]

    here = {name: str(value) for name, value in default_environment().items()}
    unmet, names = follow([*ours, *others], [root], requirements, here)
    for problem in unmet:
        if problem.requirement.name in DISTRIBUTIONS:
            raise CommandError(
                f"the release has no `{problem.requirement}`",
                hint="build it again: `python3 -m scripts wheels`",
            )
        raise CommandError(
            f"{problem.asker} requires `{problem.requirement}`, which {LOCK.name} does not have",
            hint="`python3 -m scripts lock`, or take the tree of that release",
        )
    return names


def _ours(root: Requirement, names: set[str], files: list[File]) -> str:
    """Return a line per distribution of ours, with the hashes of all its wheels."""
    lines: dict[str, list[str]] = {}
    for file in files:
        if file.kind != FileKind.SDIST and file.distribution in names:
            is_root = file.distribution == root.name
            line = str(root) if is_root else f"{file.distribution}=={file.version}"
            lines.setdefault(line, []).append(f"--hash=sha256:{file.sha256()}")
    return "".join(f"{line} {' '.join(hashes)}\n" for line, hashes in lines.items())


def _locked(names: set[str]) -> str:
    """Return the entries of the lock file for some packages."""
    return "".join(entry(LOCK, name) for name in sorted(names))

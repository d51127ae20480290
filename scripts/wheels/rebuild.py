"""Rebuilding the wheels in a different environment: the bytes must be the same."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.environment import ROOT
from scripts.tools.console import step
from scripts.tools.processes import OWN_COMMAND, capture, clean_environment

Surroundings = tuple[dict[str, str], int]
# Two environments that differ in what must not matter: variables and the umask.
SURROUNDINGS: tuple[Surroundings, ...] = (
    ({"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}, 0o022),
    (
        {
            "TZ": "Pacific/Kiritimati",
            "LC_ALL": "C.UTF-8",
            "PYTHONHASHSEED": "2",
            "HOME": "/nonexistent",
        },
        0o077,
    ),
)


@dataclass(frozen=True)
class Comparison:
    """The digests of one file, as it is and as rebuilt; None if it does not exist."""

    name: str
    present: str | None
    rebuilt: tuple[str | None, ...]

    @property
    def same(self) -> bool:
        """Whether all builds gave the same bytes as the file has."""
        return set(self.rebuilt) == {self.present}


def rebuild_check(dist: Path, base: Path, repair: str | None) -> list[Comparison]:
    """Build from `base` in two different environments, and compare with the files in `dist`.

    Raises CommandError if `dist` has no wheel or a build fails.
    """
    present = {
        path.name: digest(str(path))
        for path in (*dist.glob("*.whl"), *dist.glob("*.tar.gz"))
    }
    if not present:
        raise CommandError(
            f"there is no wheel in `{dist}`",
            hint="build them first: `python -m scripts wheels`",
        )
    builds = []
    for surroundings in SURROUNDINGS:
        with rebuilt(base, repair, surroundings) as folder:
            builds.append({path.name: digest(str(path)) for path in folder.iterdir()})
    names = sorted(set(present).union(*builds))
    return [
        Comparison(name, present.get(name), tuple(build.get(name) for build in builds))
        for name in names
    ]


@contextlib.contextmanager
def rebuilt(
    base: Path, repair: str | None, surroundings: Surroundings = SURROUNDINGS[-1]
) -> Iterator[Path]:
    """Give a folder with what this tree builds from the binaries in `base`. Raises CommandError if the build fails."""
    with tempfile.TemporaryDirectory(prefix="leanspec-rebuild-") as name:
        binaries, out = Path(name, "in put"), Path(name, "out")
        shutil.copytree(
            base, binaries, ignore=shutil.ignore_patterns("leanspec_*_bin", "__pycache__")
        )
        for path in binaries.rglob("*"):
            if path.is_file():
                path.chmod(0o600)
                os.utime(path, (1, 1))
        _build(base, binaries, out, repair, surroundings)
        yield out


def _build(
    base: Path, binaries: Path, out: Path, repair: str | None, surroundings: Surroundings
) -> None:
    variables, umask = surroundings
    command = [*OWN_COMMAND, "wheels", "--binaries", str(binaries), "--out", str(out)]
    command += ["--repair", repair] if repair else []
    with step(
        f"building with {', '.join(f'{key}={value}' for key, value in variables.items())}, umask {umask:03o}"
    ):
        done = capture(command, cwd=ROOT, env=clean_environment(**variables), umask=umask)
    if done.returncode != 0:
        message, _, hint = (
            done.stderr.strip().rpartition("error: ")[2].partition("\nhint: ")
        )
        # What was built from is a copy, whose place tells nobody anything.
        text = f"the build failed: {message}".replace(str(binaries), str(base))
        raise CommandError(text, hint=hint or "see `python -m scripts wheels`")

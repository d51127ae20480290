"""Building the wheels again in other surroundings: the same inputs must give the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.first_start.proof import digest
from leanspec_launcher.manage.errors import CommandError

from .console import step
from .environment import ROOT
from .processes import OWN_COMMAND, clean_environment

# Two sets of surroundings that differ in everything that should not matter.
SURROUNDINGS = (
    ({"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}, 0o022),
    ({"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2", "HOME": "/nonexistent"}, 0o077),
)


@dataclass(frozen=True)
class Comparison:
    """Hold the digests of one file: as it is, and as it was rebuilt; an absent file has none."""

    name: str
    present: str | None
    rebuilt: tuple[str | None, ...]

    @property
    def same(self) -> bool:
        """Whether all builds gave the bytes that are there."""
        return set(self.rebuilt) == {self.present}


def rebuild_check(dist: Path, base: Path, repair: str | None) -> list[Comparison]:
    """Build what `base` holds once in each of two surroundings, and compare with what `dist` holds.

    Raises CommandError where `dist` holds no wheel or a build fails.
    """
    present = {path.name: digest(str(path)) for path in (*dist.glob("*.whl"), *dist.glob("*.tar.gz"))}
    if not present:
        raise CommandError(f"there is no wheel in `{dist}`", hint="build them first: `python -m scripts wheels`")
    with tempfile.TemporaryDirectory(prefix="leanspec-rebuild-") as folder:
        rebuilt = [_build(Path(folder, str(number)), base, repair, number) for number in range(len(SURROUNDINGS))]
    names = sorted(set(present).union(*rebuilt))
    return [Comparison(name, present.get(name), tuple(build.get(name) for build in rebuilt)) for name in names]


def _build(folder: Path, base: Path, repair: str | None, number: int) -> dict[str, str]:
    variables, umask = SURROUNDINGS[number]
    binaries, out = folder / "in put", folder / "out"
    shutil.copytree(base, binaries, ignore=shutil.ignore_patterns("leanspec_*_bin", "__pycache__"))
    for path in binaries.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            os.utime(path, (number, number))
    command = [*OWN_COMMAND, "wheels", "--binaries", str(binaries), "--out", str(out)]
    command += ["--repair", repair] if repair else []
    with step(f"building with {', '.join(f'{key}={value}' for key, value in variables.items())}, umask {umask:03o}"):
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=clean_environment(**variables),
            umask=umask,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode != 0:
        raise CommandError(f"the build failed: {done.stderr.strip().rpartition('error: ')[2]}")
    return {path.name: digest(str(path)) for path in out.iterdir()}

"""Rebuilding the wheels in a different environment: the bytes must be the same."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from leanspec_launcher.commands import CommandError
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


@contextlib.contextmanager
def rebuilt(
    base: Path, repair: str | None, surroundings: Surroundings = SURROUNDINGS[-1]
) -> Iterator[Path]:
    """Give a folder with what this tree builds from the binaries in `base`. Raises CommandError if the build fails."""
    if not base.is_dir():
        raise CommandError(
            f"there is no folder `{base}`",
            hint="collect the binaries first: `python -m scripts collect --help`",
        )
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

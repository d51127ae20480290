"""Rebuilding the wheels from the commit, in a different environment: the bytes must be the same."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.tools.console import say, step
from scripts.tools.git_files import copy_tracked, has_commit, write_commit
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
    base: Path,
    repair: str | None,
    surroundings: Surroundings = SURROUNDINGS[-1],
    *,
    is_draft: bool = False,
) -> Iterator[Path]:
    """Give a folder with what the last commit builds from the binaries in `base`.

    The tracked files of the working tree are built instead if they are a draft of the commit, and
    the folder as it is if it is no repository. Raises CommandError if the build fails.
    """
    if not base.is_dir():
        raise CommandError(
            f"there is no folder `{base}`",
            hint="collect the binaries first: `python3 -m scripts collect --help`",
        )
    with tempfile.TemporaryDirectory(prefix="leanspec-rebuild-") as name:
        tree, out = Path(name, "tree"), Path(name, "out")
        binaries = Path(name, "in put")  # a space in a path must not matter
        if not has_commit(ROOT):
            say("not a commit of git: rebuilding from the folder as it is")
            tree = ROOT
        elif is_draft:
            copy_tracked(ROOT, tree)
        else:
            write_commit(ROOT, tree)
        spared = shutil.ignore_patterns("leanspec_*_bin", "__pycache__")
        shutil.copytree(base, binaries, ignore=spared)
        for path in binaries.rglob("*"):
            if path.is_file():
                path.chmod(0o600)
                os.utime(path, (1, 1))
        try:
            _build(tree, binaries, out, repair, surroundings)
        except CommandError as error:
            # What was built from is a copy, whose place tells nobody anything.
            text = str(error).replace(str(binaries), str(base))
            text = text.replace(str(tree), str(ROOT))
            raise CommandError(text, hint=error.hint) from None
        yield out


def _build(
    tree: Path, binaries: Path, out: Path, repair: str | None, surroundings: Surroundings
) -> None:
    """Build with the commands and the backend of a tree."""
    variables, umask = surroundings
    command = [*OWN_COMMAND, "wheels", "--binaries", str(binaries), "--out", str(out)]
    command += ["--repair", repair] if repair else []
    code = os.pathsep.join((str(tree), str(tree / "build_backend")))
    environment = clean_environment(**variables, PYTHONPATH=code)
    settings = [f"{key}={value}" for key, value in variables.items()]
    with step(f"building with {', '.join(settings)}, umask {umask:03o}"):
        run = capture(command, cwd=tree, env=environment, umask=umask)
    if run.returncode != 0:
        _, _, error = run.stderr.strip().rpartition("error: ")
        message, _, hint = error.partition("\nhint: ")
        raise CommandError(
            f"the build failed: {message}",
            hint=hint
            or "build without comparing, for the whole output: `python3 -m scripts wheels`",
        )

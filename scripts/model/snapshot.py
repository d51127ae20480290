"""A private copy of the built files, and one checksum over all of them."""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from leanspec_launcher.commands import CommandError

from .files import File, must_be_built


@contextlib.contextmanager
def snapshot(dist: Path) -> Iterator[Path]:
    """Give a private copy of the built files, so that what is uploaded is what was checked.

    Raises CommandError if there are none, or if one is a link to something else.
    """
    must_be_built(dist)
    with tempfile.TemporaryDirectory(prefix="leanspec-release-") as name:
        for path in sorted(dist.iterdir()):
            if path.is_symlink():
                raise CommandError(
                    f"`{path}` is a symbolic link",
                    hint="build again: `python3 -m scripts wheels`",
                )
            if path.is_file():
                shutil.copyfile(path, Path(name, path.name))
        yield Path(name)


def fingerprint(files: list[File]) -> str:
    """Return one SHA-256 for all files of a release: of their checksums and names, as `sha256sum` writes them."""
    lines = sorted(f"{file.sha256()}  {file.path.name}\n" for file in files)
    text = "".join(lines)
    return hashlib.sha256(text.encode()).hexdigest()

"""Standalone archives: a platform's programs with licence and README, reproducible."""

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

from leanspec_build.wheel import ZIP_EPOCH

# 1980-01-01, the first time that a zip can hold: an archive does not record when it was made.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
EXECUTABLE, TEXT = 0o755, 0o644


def licences(project: Path) -> dict[str, tuple[bytes, int]]:
    """Return the licence files of a project, as an archive has them."""
    return {path.name: (path.read_bytes(), TEXT) for path in project.glob("*LICENSE*")}


def write_tar(path: Path, root: str, files: dict[str, tuple[bytes, int]]) -> None:
    """Write a `.tar.gz` whose entries, name -> (content, mode), are in the folder `root`."""
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), mode, ZIP_EPOCH
            archive.addfile(entry, io.BytesIO(content))


def write_zip(path: Path, root: str, files: dict[str, tuple[bytes, int]]) -> None:
    """Write a `.zip` whose entries, name -> (content, mode), are in the folder `root`, if one is named."""
    folder = f"{root}/" if root else ""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, (content, mode) in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{folder}{name}", ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # Unix, and a regular file.
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, content)

"""Wheels that a test changes, or makes."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from pathlib import Path

from scripts.model.files import File, FileKind

NAME = "leanspec_cli_bin-1.2.3-py3-none-any.whl"


def rewrite(
    wheel: Path, changes: dict[str, bytes | None], *, modes: dict[str, int] | None = None
) -> None:
    """Change, add or remove (None) entries of a wheel, with a RECORD that is true of the outcome."""
    with zipfile.ZipFile(wheel) as archive:
        entries = {
            entry.filename: (entry.external_attr >> 16, archive.read(entry))
            for entry in archive.infolist()
        }
    for name, data in changes.items():
        mode = entries.pop(name, (0o100644, b""))[0]
        if data is not None:
            entries[name] = (mode, data)
    record = next(name for name in entries if name.endswith("/RECORD"))
    del entries[record]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name, (_, data) in entries.items():
        digest = (
            base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        )
        writer.writerow([name, f"sha256={digest}", len(data)])
    writer.writerow([record, "", ""])
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (mode, data) in {
            **entries,
            record: (0o100644, text.getvalue().encode()),
        }.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (modes or {}).get(name, mode) << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)


def as_version(wheel: Path, old: str, new: str, folder: Path) -> Path:
    """Write a wheel of ours as another release has it: with its version, and those that it asks for."""
    target = folder / wheel.name.replace(f"-{old}-", f"-{new}-")
    target.write_bytes(wheel.read_bytes())
    changes: dict[str, bytes | None] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            if name.endswith(("/METADATA", "/_pins.py")):
                data = data.replace(
                    f"Version: {old}\n".encode(), f"Version: {new}\n".encode()
                )
                data = data.replace(f"=={old}".encode(), f"=={new}".encode())
                data = data.replace(
                    f'\nVERSION = "{old}"'.encode(), f'\nVERSION = "{new}"'.encode()
                )
                changes[name] = data
            renamed = name.replace(f"-{old}.dist-info/", f"-{new}.dist-info/")
            if renamed != name:
                changes |= {name: None, renamed: data}
    rewrite(target, changes)
    return target


def content(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)


def stub(folder: Path, text: bytes) -> File:
    """Return a file that is called like a stub."""
    folder.mkdir()
    with zipfile.ZipFile(folder / NAME, "w") as archive:
        archive.writestr("leanspec_cli_bin-1.2.3.dist-info/RECORD", "")
        archive.writestr(
            "leanspec_cli_bin-1.2.3.dist-info/METADATA",
            "Metadata-Version: 2.4\nName: leanspec-cli-bin\nVersion: 1.2.3\n",
        )
    rewrite(folder / NAME, {"leanspec_cli_bin/__init__.py": text})
    return File(folder / NAME, FileKind.STUB, "leanspec-cli-bin", "1.2.3", None)


# What `lean-spec` needs of others.
REQUIRED = ("click", "filelock", "platformdirs")


def required(wheelhouse: Path) -> list[Path]:
    """Return the wheels of others that `lean-spec` needs, for every Python."""
    return [path for name in REQUIRED for path in wheelhouse.glob(f"{name}-*.whl")]

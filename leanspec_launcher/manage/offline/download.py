"""The wheels of this release and what they need, for other machines, by the pip in use."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher._pins import VERSION
from leanspec_launcher._release import release_wheels
from leanspec_launcher._tables import FAMILIES, Family, Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.detect import MAIN, has_pip
from leanspec_launcher.installers.records import SHA256, distribution
from leanspec_launcher.installers.words import shown, words
from leanspec_launcher.manage.fetch.entries import pinned_wheel
from leanspec_launcher.processes import output_of
from leanspec_launcher.verify.proof import digest

# The oldest glibc that a wheel's tag names (PEP 600: 2.5 is manylinux1's).
OLDEST_GLIBC = 5
DOWNLOAD_SECONDS = 1800
GLIBC = re.compile(r"manylinux_2_(\d+)_(\w+)")
STUB = "-py3-none-any.whl"
ASK_THE_INDEX = "see where pip takes it from: `python -m pip config list`"


@dataclass(frozen=True)
class Target:
    """A kind of machine that a bundle is for."""

    platform: Platform
    # As `3.11`.
    python: str


def families(extras: tuple[str, ...]) -> list[Family]:
    """Return the families whose programs a bundle carries."""
    return [each for each in FAMILIES.values() if not each.extra or each.extra in extras]


def download(target: Target, extras: tuple[str, ...], folder: Path) -> None:
    """Let pip download the wheels for a kind of machine into a folder.

    Raises CommandError if pip cannot, or is not there.
    """
    if not has_pip():
        raise CommandError(
            "a bundle is downloaded with pip, which this environment has not",
            hint=shown([words("{uv} pip", FAMILIES["cli"])]),
        )
    listed = f"[{','.join(extras)}]" if extras else ""
    number = target.python.replace(".", "")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--dest",
        str(folder.absolute()),
    ]
    command += ["--only-binary", ":all:", "--implementation", "cp"]
    command += ["--python-version", target.python]
    for abi in (f"cp{number}", "abi3", "none"):
        command += ["--abi", abi]
    for tag in sorted(_tags(target.platform)):
        command += ["--platform", tag]
    command.append(f"{MAIN}{listed}=={VERSION}")
    done = output_of(command, seconds=DOWNLOAD_SECONDS)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [""]
        what = f"for Python {target.python} on {target.platform.label}"
        raise CommandError(
            f"pip cannot download {MAIN} {what}: {lines[-1]}",
            hint=ASK_THE_INDEX,
        )


def _tags(platform: Platform) -> set[str]:
    """Return the platform tags of wheels that run where this release's programs do."""
    tags = set()
    for family in FAMILIES.values():
        wheel = release_wheels(family).get(platform.key)
        if wheel:
            tags.update(wheel.name[: -len(".whl")].rpartition("-")[2].split("."))
    for tag in list(tags):
        newest = GLIBC.fullmatch(tag)
        if newest:
            # pip takes older ones of macOS by itself, not of glibc.
            every = range(OLDEST_GLIBC, int(newest[1]) + 1)
            tags.update(f"manylinux_2_{minor}_{newest[2]}" for minor in every)
            tags.add(f"manylinux2014_{newest[2]}")
    return tags


def verify(folder: Path, extras: tuple[str, ...], platforms: list[Platform]) -> None:
    """Leave in a folder no stub, and of ours nothing but this release.

    Raises CommandError if a wheel is missing, or is another one than this release's.
    """
    for family in families(extras):
        name = f"{family.package}-{VERSION}"
        (folder / f"{name}{STUB}").unlink(missing_ok=True)
        for platform in platforms:
            wheel = pinned_wheel(family, platform)
            path = folder / wheel.name
            if not path.is_file():
                raise CommandError(
                    f"the index has no `{wheel.name}`",
                    hint="name where it is in pip's settings, or ask its owner to mirror it",
                )
            if digest(str(path)) != wheel.sha256:
                raise CommandError(
                    f"`{wheel.name}` is not the one of this release: its SHA-256 is {digest(str(path))}",
                    hint=f"expected {wheel.sha256}",
                )
    _must_be_this_launcher(folder / f"lean_spec-{VERSION}{STUB}")


def _must_be_this_launcher(wheel: Path) -> None:
    """Compare the launcher's wheel with what is installed: it holds the checksums of all others."""
    own = distribution(MAIN)
    installed = own.files if own else {}
    for name, recorded in _recorded(wheel):
        if (
            name.startswith("leanspec_launcher/")
            and installed.get(name, ("",))[0] != recorded
        ):
            raise CommandError(
                f"`{wheel.name}` is not the one that is installed here: `{name}` differs",
                hint="see `leanspec-launcher doctor`, and where pip takes it from",
            )


def _recorded(wheel: Path) -> Iterator[tuple[str, str]]:
    """Yield the files of a wheel with the SHA-256 of its record, which is compared with the files."""
    with zipfile.ZipFile(wheel) as archive:
        record = next(
            name for name in archive.namelist() if name.endswith(".dist-info/RECORD")
        )
        for name, recorded, _ in csv.reader(archive.read(record).decode().splitlines()):
            found = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest())
            if recorded and recorded != f"{SHA256}{found.rstrip(b'=').decode()}":
                raise CommandError(
                    f"`{wheel.name}` is damaged: `{name}` is not as recorded",
                    hint=ASK_THE_INDEX,
                )
            yield name, recorded[len(SHA256) :]

"""The strongest gate: the built files are, byte for byte, what this commit builds from its binaries.

It finds everything in a file that is not in the commit, and files that were built before it.
"""

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from leanspec_build.archives import UNREADABLE

from leanspec_launcher.commands import CommandError
from scripts.model.files import File, FileKind, read_files
from scripts.model.finding import Finding, confirm, problem
from scripts.model.gates import SAME_BYTES as GATE
from scripts.wheels.rebuild import SURROUNDINGS, Surroundings, rebuilt

from .binaries import was_grafted
from .expected_set import COLLECT

BUILD = "commit every change, and build again from the same binaries: `python3 -m scripts wheels`"
MOST_NAMED = 3


def compare_bytes(dist: Path, binaries: Path) -> list[Finding]:
    """Run this gate alone, in each of two environments.

    Raises CommandError if there are no files or the build fails.
    """
    files, strange = read_files(dist)
    if not files:
        raise CommandError(
            f"there is no wheel in `{dist}`",
            hint="build them first: `python3 -m scripts wheels`",
        )
    findings = [
        problem(GATE, name, "a file that this tree builds", "a file of another name")
        for name in strange
    ]
    for surroundings in SURROUNDINGS:
        # What the working tree builds: nobody publishes what passes this gate alone.
        findings += same_bytes(files, binaries, surroundings, is_draft=True)
    return findings


def same_bytes(
    files: list[File],
    binaries: Path,
    surroundings: Surroundings = SURROUNDINGS[-1],
    *,
    is_draft: bool = False,
) -> Iterator[Finding]:
    """Rebuild everything from the collected binaries, in another environment, and compare every byte.

    A draft is built from tracked files as they are, as there is no commit of them yet.
    Raises CommandError if nothing is collected or the build fails.
    """
    platform_wheels = [file for file in files if file.kind == FileKind.PLATFORM]
    is_grafted = any(was_grafted(file) for file in platform_wheels)
    repair = "auditwheel" if is_grafted else None
    with rebuilt(binaries, repair, surroundings, is_draft=is_draft) as folder:
        ours = {file.path.name: file for file in read_files(folder)[0]}
        for file in files:
            yield _compare(file, ours.pop(file.path.name, None))
        for name in sorted(ours):
            expected = "in the release, as this tree builds it"
            yield problem(GATE, name, expected, "missing", hint=BUILD)


def _compare(file: File, ours: File | None) -> Finding:
    name = file.path.name
    if ours is None:
        hint = COLLECT.get(file.kind, BUILD)
        return problem(GATE, name, "a file that this tree builds", "not built", hint=hint)
    sha256 = file.sha256()[:16]
    if file.path.read_bytes() == ours.path.read_bytes():
        return confirm(GATE, name, f"sha256 {sha256}")
    text = f"{sha256}: {_difference(file, ours)}"
    return problem(GATE, name, f"sha256 {ours.sha256()[:16]}", text, hint=BUILD)


def _difference(file: File, ours: File) -> str:
    """Name the entries that differ; the archives' own bytes, if none does."""
    try:
        theirs, mine = _entries(file), _entries(ours)
    except UNREADABLE as error:
        return f"not a complete archive ({error})"
    words = []
    for name in sorted(theirs | mine):
        if name not in mine:
            words.append(f"`{name}` is not built")
        elif name not in theirs:
            words.append(f"`{name}` is missing")
        elif theirs[name] != mine[name]:
            words.append(f"`{name}` differs")
    return shortened(words) or "the same entries, in an archive of other bytes"


def shortened(words: list[str]) -> str:
    """Return the first words of a list, and the number of the others."""
    more = len(words) - MOST_NAMED
    return ", ".join(words[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _entries(file: File) -> dict[str, tuple[object, ...]]:
    """Return the content and the mode of each entry of an archive, by its name."""
    if file.kind == FileKind.SDIST:
        with tarfile.open(file.path) as sdist:
            members = sdist.getmembers()
            return {
                member.name: (member.mode, member.chksum, _read(sdist, member))
                for member in members
            }
    with zipfile.ZipFile(file.path) as wheel:
        return {
            entry.filename: (entry.CRC, entry.external_attr, entry.file_size)
            for entry in wheel.infolist()
        }


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(member) if member.isfile() else None
    return content.read() if content else b""

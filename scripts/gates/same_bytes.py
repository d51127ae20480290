"""The strongest gate: the built files are, byte for byte, what this commit builds from its binaries.

It finds everything in a file that is not in the commit, and files that were built before it.
"""

from __future__ import annotations

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
    repair = (
        "auditwheel"
        if any(was_grafted(file) for file in files if file.kind == FileKind.PLATFORM)
        else None
    )
    with rebuilt(binaries, repair, surroundings, is_draft=is_draft) as folder:
        ours = {file.path.name: file for file in read_files(folder)[0]}
        for file in files:
            yield _compare(file, ours.pop(file.path.name, None))
        for name in sorted(ours):
            yield problem(
                GATE, name, "in the release, as this tree builds it", "missing", hint=BUILD
            )


def _compare(file: File, ours: File | None) -> Finding:
    name = file.path.name
    if ours is None:
        hint = COLLECT.get(file.kind, BUILD)
        return problem(GATE, name, "a file that this tree builds", "not built", hint=hint)
    if file.path.read_bytes() == ours.path.read_bytes():
        return confirm(GATE, name, f"sha256 {file.sha256()[:16]}")
    return problem(
        GATE,
        name,
        f"sha256 {ours.sha256()[:16]}",
        f"{file.sha256()[:16]}: {_difference(file, ours)}",
        hint=BUILD,
    )


def _difference(file: File, ours: File) -> str:
    """Name the entries that differ; the archives' own bytes, if none does."""
    try:
        theirs, mine = _entries(file), _entries(ours)
    except UNREADABLE as error:
        return f"not a whole archive ({error})"
    names = [name for name in sorted(theirs | mine) if theirs.get(name) != mine.get(name)]
    if not names:
        return "the same entries, in an archive of other bytes"
    words = [
        f"`{name}` {_what(theirs.get(name), mine.get(name))}" for name in names[:MOST_NAMED]
    ]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(words) + more


def _what(theirs: object, mine: object) -> str:
    if mine is None:
        return "is not built"
    return "is missing" if theirs is None else "differs"


def _entries(file: File) -> dict[str, tuple[object, ...]]:
    """Return what each entry of an archive is: its content, and its mode."""
    if file.kind == FileKind.SDIST:
        with tarfile.open(file.path) as sdist:
            return {
                each.name: (each.size, each.mode, each.chksum, _read(sdist, each))
                for each in sdist.getmembers()
            }
    with zipfile.ZipFile(file.path) as wheel:
        return {
            each.filename: (each.CRC, each.external_attr, each.file_size)
            for each in wheel.infolist()
        }


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(member) if member.isfile() else None
    return content.read() if content else b""

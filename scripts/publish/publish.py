"""Publishing built files: all gates first, then platform wheels, stubs and `lean-spec`, in this order."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout
from packaging.version import Version

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.gates.binaries import plan_of
from scripts.gates.commit import tag
from scripts.gates.expected_set import expected_set
from scripts.gates.index_state import index_state
from scripts.gates.provenance import provenance
from scripts.gates.rebuild import rebuild
from scripts.index.attestations import attested, is_attested, predicates_of
from scripts.index.client import BACK_OFF, Index, IndexClient, IndexUnreachableError
from scripts.index.upload import (
    AGAIN,
    BURNT,
    BurntError,
    credentials,
    must_be_same,
    upload_all,
)
from scripts.model.files import File, FileKind, read_files
from scripts.model.finding import Finding, compare, counted, wrong_facts
from scripts.model.plan import Plan, read_plan
from scripts.model.snapshot import fingerprint, snapshot
from scripts.options import LONGEST_WAIT
from scripts.tools.console import say, size, step
from scripts.tools.table import aligned

# A stub that appears before its platform wheel would be installed instead of it; `lean-spec`
# cannot be installed before both.
WAVES = (
    (FileKind.PLATFORM,),
    (FileKind.STUB,),
    (FileKind.PAGES,),
    (FileKind.MAIN, FileKind.SDIST),
    # Nobody is to find it while what it requires is not there.
    (FileKind.MCP_COMMAND,),
)


class GatesError(CommandError):
    """A release that does not pass its gates."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__(
            f"{counted(findings)}: nothing is uploaded",
            details=wrong_facts(findings),
            hint="`python3 -m scripts check` repeats these checks",
        )


@dataclass(frozen=True)
class ReleaseChecks:
    """The checks of a release: on its files before the first upload, on the index after the last one."""

    before: Callable[[Path], list[Finding]]
    after: Callable[[Version, Index, Path], list[Finding]]


def publish(
    dist: Path,
    index: Index,
    proof: ReleaseChecks,
    *,
    dry_run: bool,
    resume: bool,
    wait: int,
) -> list[Finding]:
    """Publish a release, or continue an interrupted one; return all findings.

    `wait` is in seconds. Raises CommandError if a gate fails, before the first upload, or if the
    index refuses.
    """
    plan = read_plan()
    with _alone(index), snapshot(dist) as own:
        files = read_files(own)[0]
        plan = plan_of(plan, files)
        required = is_attested(plan, index) and not dry_run
        found = [*proof.before(own), *attested(files, required=required)]
        _must_pass(found)
        client = IndexClient(index)
        with step(f"what {index} has"):
            found += index_state(client, plan.version, files)
            found += rebuild(client, plan, files)
            if not dry_run:  # it has no attestations: they are public, and stay
                found += _provenance(client, plan.version, files)
        _must_pass(found)
        there = _state(client, files, plan.version)
        if resume and not there:
            raise CommandError(
                f"`{index}` has no file of {plan.version}: there is nothing to resume",
                hint="leave `--resume` out",
            )
        _show(plan, index, files, there)
        if dry_run:
            say("a dry run: nothing was uploaded")
            return found
        _upload(client, files, there, wait)
        return proof.after(plan.version, index, own)


def must_be_ci() -> None:
    """Raise CommandError outside CI, so that nobody publishes from their machine by mistake."""
    if os.environ.get("CI", "").lower() not in ("1", "true"):
        raise CommandError(
            "a release is published by CI",
            hint="`--allow-local` publishes from this machine all the same",
        )


def has_passed(
    fingerprint_of_check: str, dist: Path, *, is_draft: bool = False
) -> list[Finding]:
    """Check that the files are those that passed, and that this commit still is the release's tag.

    Somebody may have moved the tag or changed a file since the check. A draft comes before its tag.
    """
    files, strange = read_files(dist)
    plan = replace(plan_of(read_plan(), files), is_draft=is_draft)
    findings = [*expected_set(plan, files, strange), *tag(plan, ROOT)]
    return [
        *findings,
        compare(
            "checked",
            "the files",
            fingerprint_of_check,
            fingerprint(files),
            hint="run `python3 -m scripts check` again, and take the fingerprint that it prints",
        ),
    ]


def _upload(client: IndexClient, files: list[File], there: set[str], wait: int) -> None:
    """Upload the missing files in waves; a wave begins when the index serves the one before."""
    for kinds in WAVES:
        wave = [file for file in files if file.kind in kinds]
        todo = [file for file in wave if file.path.name not in there]
        if todo:
            with step(f"uploading {len(todo)} files: {' and '.join(kinds)}"):
                # Requested again: a token of trusted publishing is valid for 15 minutes, and the
                # wait for a wave may be longer.
                upload_all(client, todo, credentials(client.index))
        wait_until_served(client, wave, wait)


def _provenance(
    client: IndexClient, version: Version, files: list[File]
) -> Iterator[Finding]:
    """Compare the attestations next to the files with those of the release before."""

    def stated(distribution: str) -> dict[str, frozenset[str]]:
        ours = [file for file in files if file.distribution == distribution]
        return {file.path.name: predicates_of(file) for file in ours}

    yield from provenance(client, version, {file.distribution for file in files}, stated)


def _must_pass(findings: list[Finding]) -> None:
    if not all(finding.passed for finding in findings):
        raise GatesError(findings)


@contextlib.contextmanager
def _alone(index: Index) -> Iterator[None]:
    """Let one process of this user publish to an index. Raises CommandError if another one does."""
    name = f"leanspec-publish-{hashlib.sha256(index.upload.encode()).hexdigest()[:16]}.lock"
    folder = Path.home() / ".cache/leanspec-release"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / name, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise CommandError(
            f"another process is publishing to `{index.upload}`",
            hint="wait until it has ended",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _state(client: IndexClient, files: list[File], version: Version) -> set[str]:
    """Return the files that the index already has, byte for byte.

    Raises BurntError if it has other bytes under one of the names, or files of this version that
    are none of ours.
    """
    there = set()
    own = {file.path.name: file for file in files}
    for distribution in sorted({file.distribution for file in files}):
        for served in client.files(distribution).values():
            file = own.get(served.name)
            if file is None:
                if f"-{version}-" in served.name or f"-{version}.tar" in served.name:
                    raise BurntError(
                        f"`{client.index}` has `{served.name}`, which is not of this release",
                        hint=BURNT,
                    )
                continue
            must_be_same(client, served, file)
            there.add(served.name)
    return there


def _show(plan: Plan, index: Index, files: list[File], there: set[str]) -> None:
    say(f"LeanSpec {plan.version} to {index.upload}, read at {index}")
    table = []
    for kinds in WAVES:
        for file in (file for file in files if file.kind in kinds):
            state = "there already" if file.path.name in there else "to be uploaded"
            bytes_of_it = f"{size(file.path.stat().st_size):>8}"
            table.append([state, file.sha256()[:16], bytes_of_it, file.path.name])
    for line in aligned(table, indent="  "):
        say(line)
    for key, reason in plan.missing.items():
        say(f"  missing         {key}: {reason}")


def wait_until_served(
    client: IndexClient, files: Sequence[File], longest: int = LONGEST_WAIT
) -> None:
    """Wait until the index serves every file with exactly these bytes, asking less and less often.

    Raises BurntError for other bytes, CommandError after `longest` seconds.
    """
    pending = {file.path.name: file for file in files}
    started, looks = time.monotonic(), 0
    with step(f"waiting until the index serves {len(pending)} files"):
        while pending:
            for distribution in sorted({file.distribution for file in pending.values()}):
                for name in _served(client, distribution, pending):
                    del pending[name]
            left = longest - (time.monotonic() - started)
            if not pending:
                return
            if left <= 0:
                names = ", ".join(f"`{name}`" for name in pending)
                raise CommandError(
                    f"after {longest} s `{client.index}` still does not serve {names}",
                    hint=AGAIN,
                )
            pause = min(BACK_OFF[min(looks, len(BACK_OFF) - 1)], left)
            looks += 1
            if looks > 1:
                say(f"  {len(pending)} not served yet, looking again in {pause:g} s")
            time.sleep(pause)


def _served(client: IndexClient, distribution: str, pending: dict[str, File]) -> list[str]:
    """Return the pending names of a distribution that are served with the right bytes."""
    try:
        listed = client.files(distribution)
    except IndexUnreachableError:
        return []  # out of reach for a while: the caller's time limit ends the wait
    found = []
    for name, file in pending.items():
        if file.distribution == distribution and name in listed:
            digest = client.digest(listed[name])
            if digest != file.sha256():
                raise BurntError(
                    f"`{client.index}` lists `{name}` with the sha256 `{digest}`, uploaded was `{file.sha256()}`",
                    hint=BURNT,
                )
            found.append(name)
    return found

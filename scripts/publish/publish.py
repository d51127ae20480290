"""Publishing built files: all gates first, then platform wheels, stubs and `lean-spec`, in this order."""

import contextlib
import functools
import hashlib
import os
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
from scripts.gates.index_state import index_state, provenance, rebuild
from scripts.index.attestations import attested, is_attested, predicates_of
from scripts.index.client import Index, IndexClient, IndexUnreachableError, looks
from scripts.index.upload import (
    AGAIN,
    BURNT,
    BurntError,
    credentials,
    must_be_same,
    upload_all,
)
from scripts.model.files import File, FileKind, fingerprint, read_files, snapshot
from scripts.model.finding import Finding, compare, counted, wrong_facts
from scripts.model.plan import Plan, read_plan
from scripts.tools.console import aligned, say, size, step
from scripts.tools.reasons import quoted

# A stub that appears before its platform wheel would be installed instead of it; `lean-spec`
# cannot be installed before both.
WAVES = (
    (FileKind.PLATFORM,),
    (FileKind.STUB,),
    (FileKind.PAGES,),
    (FileKind.MAIN, FileKind.SDIST),
    # Last: it requires the others.
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
    checks: ReleaseChecks,
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
    with _alone(index), snapshot(dist) as copy:
        files = read_files(copy)[0]
        plan = plan_of(plan, files)
        required = is_attested(plan, index) and not dry_run
        findings = [*checks.before(copy), *attested(files, required=required)]
        _must_pass(findings)
        client = IndexClient(index)
        with step(f"what {index} has"):
            findings += index_state(client, plan.version, files)
            findings += rebuild(client, plan, files)
            # Attestations are public and stay, so a dry run has none.
            if not dry_run:
                names = {file.distribution for file in files}
                predicates = functools.partial(_predicates, files)
                findings += provenance(client, plan.version, names, predicates)
        _must_pass(findings)
        served = _served_names(client, files, plan.version)
        if resume and not served:
            raise CommandError(
                f"`{index}` has no file of {plan.version}: there is nothing to resume",
                hint="leave `--resume` out",
            )
        _show(plan, index, files, served)
        if dry_run:
            say("a dry run: nothing was uploaded")
            return findings
        _upload(client, files, served, wait)
        return checks.after(plan.version, index, copy)


def must_be_ci() -> None:
    """Raise CommandError outside CI, so that nobody publishes from their machine by mistake."""
    if os.environ.get("CI", "").lower() not in ("1", "true"):
        raise CommandError(
            "refusing to publish outside CI",
            hint="to publish from this machine, add `--allow-local`",
        )


def has_passed(checked: str, dist: Path, *, is_draft: bool = False) -> list[Finding]:
    """Check that the files have the fingerprint `checked`, and that this commit still has the release's tag.

    Somebody may have moved the tag or changed a file since the check. A draft comes before its tag.
    """
    files, strange = read_files(dist)
    plan = replace(plan_of(read_plan(), files), is_draft=is_draft)
    hint = "run `python3 -m scripts check` again, and take the fingerprint that it prints"
    return [
        *expected_set(plan, files, strange),
        *tag(plan, ROOT),
        compare("checked", "the files", checked, fingerprint(files), hint=hint),
    ]


def _upload(client: IndexClient, files: list[File], served: set[str], wait: int) -> None:
    """Upload the missing files in waves; a wave begins when the index serves the one before."""
    for kinds in WAVES:
        wave = [file for file in files if file.kind in kinds]
        todo = [file for file in wave if file.path.name not in served]
        if todo:
            with step(f"uploading {len(todo)} files: {' and '.join(kinds)}"):
                # Requested again: a token of trusted publishing is valid for 15 minutes, and the
                # wait for a wave may be longer.
                upload_all(client, todo, credentials(client.index))
        wait_until_served(client, wave, wait)


def _predicates(files: list[File], distribution: str) -> dict[str, frozenset[str]]:
    """Return the types of the statements next to each file of a distribution."""
    ours = [file for file in files if file.distribution == distribution]
    return {file.path.name: predicates_of(file) for file in ours}


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


def _served_names(client: IndexClient, files: list[File], version: Version) -> set[str]:
    """Return the names of the files that the index already has, byte for byte.

    Raises BurntError if it has other bytes under one of the names, or files of this version that
    are none of ours.
    """
    names = set()
    ours = {file.path.name: file for file in files}
    for distribution in sorted({file.distribution for file in files}):
        for served in client.files(distribution).values():
            if served.name in ours:
                must_be_same(client, served, ours[served.name])
                names.add(served.name)
            elif f"-{version}-" in served.name or f"-{version}.tar" in served.name:
                raise BurntError(
                    f"`{client.index}` has `{served.name}`, which is not of this release",
                    hint=BURNT,
                )
    return names


def _show(plan: Plan, index: Index, files: list[File], served: set[str]) -> None:
    say(f"LeanSpec {plan.version} to {index.upload}, read at {index}")
    table = []
    for kinds in WAVES:
        for file in (file for file in files if file.kind in kinds):
            name = file.path.name
            state = "there already" if name in served else "to be uploaded"
            length = f"{size(file.path.stat().st_size):>8}"
            table.append([state, file.sha256()[:16], length, name])
    for line in aligned(table, indent="  "):
        say(line)
    for key, reason in plan.missing.items():
        say(f"  missing         {key}: {reason}")


def wait_until_served(client: IndexClient, files: Sequence[File], longest: int) -> None:
    """Wait until the index serves every file with exactly these bytes, asking less and less often.

    Raises BurntError for other bytes, CommandError after `longest` seconds.
    """
    pending = {file.path.name: file for file in files}
    with step(f"waiting until the index serves {len(pending)} files"):
        for number, pause in enumerate(looks(longest)):
            for distribution in sorted({file.distribution for file in pending.values()}):
                for name in _served(client, distribution, pending):
                    del pending[name]
            if not pending:
                return
            if not pause:
                raise CommandError(
                    f"after {longest} s `{client.index}` still does not serve {quoted(pending)}",
                    hint=AGAIN,
                )
            # After an upload, every index needs a second look.
            if number:
                say(f"  {len(pending)} not served yet, looking again in {pause:g} s")


def _served(client: IndexClient, distribution: str, pending: dict[str, File]) -> list[str]:
    """Return the pending names of a distribution that are served with the right bytes."""
    try:
        listed = client.files(distribution)
    except IndexUnreachableError:
        return []  # out of reach for a while: the caller's time limit ends the wait
    names = [name for name in pending if name in listed]
    for name in names:
        actual, expected = client.digest(listed[name]), pending[name].sha256()
        if actual != expected:
            raise BurntError(
                f"`{client.index}` lists `{name}` with the sha256 `{actual}`, uploaded was `{expected}`",
                hint=BURNT,
            )
    return names

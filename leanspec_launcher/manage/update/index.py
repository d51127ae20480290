"""Query of the index through the installer, which has its URL and credentials."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from leanspec_launcher._release import platform_tags
from leanspec_launcher._tables import PROGRAMS, current
from leanspec_launcher.commands import CommandError
from leanspec_launcher.explain import machine
from leanspec_launcher.installers.detect import MAIN
from leanspec_launcher.installers.records import normalized
from leanspec_launcher.installers.words import shown, usable, words
from leanspec_launcher.manage.repair import with_path
from leanspec_launcher.processes import interpreter, output_of

from .installation import Installation

ANSWER_SECONDS = 120
# A package of a `pylock.toml`, as uv writes it (PEP 751); Python 3.9 has no reader of TOML.
PACKAGE = re.compile(r"^\[\[packages\]\]\n(.*?)(?=^\[\[|\Z)", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r'^(name|version) = "([^"]*)"', re.MULTILINE)
WHEEL = re.compile(r'\{ url = "([^"]*)"(?:, upload-time = ([^,]*))?')
# How pip says that it goes on without its index, and how uv ends without one.
ALONE = ("Could not fetch URL", "WARNING: Retrying")
UNREACHABLE = (*ALONE, "Request failed", "Failed to fetch", "Could not connect")
# An index that refuses has answered.
ANSWERED = "HTTP status"
ABSENT = ("No matching distribution found", "No solution found")
# The innermost reason of a connection that failed, in uv's words and in pip's.
CAUSE = re.compile(r"(?:cause:|Caused by:|[├╰]─▶) (.*)|: (\[Errno -?\d+\] [^'\")]*)")
NETWORK = (
    "see whether this machine has a network, and whether `HTTPS_PROXY` names your proxy"
)
NO_OPTION = "no such option"
# Of an installer's own words, that are shown.
MOST_LINES = 5
STUB = "-none-any.whl"


@dataclass(frozen=True)
class IndexFile:
    """A wheel that the installer would take."""

    distribution: str
    version: str
    name: str
    # When it was uploaded, as the index says it; empty if the installer does not tell.
    uploaded: str = ""


@dataclass(frozen=True)
class IndexRelease:
    """A release on the index, with the wheels for this machine."""

    version: str
    files: list[IndexFile]

    @property
    def uploaded(self) -> str:
        """When the first of its files was uploaded; empty if the installer does not tell."""
        return next((file.uploaded for file in self.files if file.uploaded), "")


class AbsentError(CommandError):
    """An answer of the index that nothing on it satisfies the requirement."""


def newest(installed: Installation, version: str | None) -> IndexRelease:
    """Return the newest release of the index, or one of a version, as far as it is meant for use.

    Raises CommandError if the index does not answer, has no such release, or only yanked ones.
    """
    requirement = installed.requirement(version, exactly=False) if version else MAIN
    try:
        files = _ask(installed, requirement, "--no-deps")
    except AbsentError:
        files = []
    wheels = [file for file in files if file.distribution == MAIN]
    if wheels:
        return IndexRelease(wheels[0].version, wheels)
    if version:
        text = f"your index has no {MAIN} {version}"
        raise CommandError(text, hint="leanspec-launcher update --check")
    raise CommandError(
        f"the index has no `{requirement}` for this Python",
        hint="check which index your installer uses",
    )


def complete(installed: Installation, version: str) -> IndexRelease:
    """Return a release with everything that this installation takes of it.

    Raises CommandError if a part is not on the index, or if it has no build for this machine.
    """
    try:
        files = _ask(installed, installed.requirement(version))
    except CommandError as error:
        raise CommandError(
            f"release {version} is incomplete on the index: {error.message}",
            hint="try again later: a release takes a while to arrive everywhere",
        ) from None
    ours = [
        program.distribution
        for program in PROGRAMS.values()
        if program.extra in ("", *installed.extras)
    ]
    needed = [file for file in files if file.distribution not in ours or _fits(file)]
    for name in ours:
        if all(file.distribution != name for file in needed):
            raise CommandError(
                f"release {version} has no build of `{name}` for this machine",
                hint="stay with this release, or see `leanspec-launcher doctor`",
            )
    return IndexRelease(version, [file for file in needed if file.version == version])


def _fits(file: IndexFile) -> bool:
    """Tell whether a wheel has a program, for this machine."""
    platform = current()
    if file.name.endswith(STUB) or platform is None:
        return False
    tags = platform_tags(file.name)
    if platform.system == "linux":
        matching_tags = [tag for tag in tags if tag.endswith(platform.machines)]
        is_musl = machine.libc_version()[0] == "musl"
        return bool(matching_tags) and (is_musl or machine.fits(matching_tags))
    return any(tag.startswith(("macosx_", "win")) for tag in tags)


def _ask(installed: Installation, requirement: str, *options: str) -> list[IndexFile]:
    """Let the installer resolve a requirement, and change nothing."""
    command = words(usable(installed.installer.resolve), PROGRAMS["cli"])
    if command[0] == "uv":
        return _of_lock(_run([*command, *options], requirement))
    return _of_report(_run([*command, *options, requirement]))


def _run(command: list[str], stdin: str = "") -> str:
    """Return what an installer prints. Raises CommandError with its own words if it fails."""
    # As one types it, with what it reads.
    typed = shown([command])
    if stdin:
        typed = f"{shown([['echo', stdin]])} | {typed}"
    details = [f"asked by: {typed}"]
    try:
        process = output_of(with_path(command), seconds=ANSWER_SECONDS, stdin=stdin)
    except TimeoutError:
        text = f"the index did not answer within {ANSWER_SECONDS} s"
        raise CommandError(text, hint=NETWORK, details=details) from None
    except OSError as error:
        raise CommandError(str(error), hint=typed) from None
    errors = process.stderr
    if NO_OPTION in errors:
        raise _too_old(command)
    if process.returncode == 0 and not _has(ALONE, errors):
        return process.stdout
    if ANSWERED not in errors and _has(UNREACHABLE, errors):
        text = f"the index does not answer: {_cause(errors)}"
        raise CommandError(text, hint=NETWORK, details=details)
    lines = list(filter(None, map(str.strip, errors.splitlines())))
    lines = lines or [f"exit code {process.returncode}"]
    # After an error, uv explains it; pip's comes last.
    starts = ("error", "\N{MULTIPLICATION SIGN}")
    explained = [line for line in lines if line.lower().startswith(starts)]
    reason = explained[0] if explained else lines[-1]
    kind = AbsentError if _has(ABSENT, errors) else CommandError
    raise kind(
        f"the index could not be asked: {reason}",
        hint=typed,
        details=lines[lines.index(reason) + 1 :][:MOST_LINES],
    )


def _has(parts: tuple[str, ...], text: str) -> bool:
    return any(part in text for part in parts)


def _cause(text: str) -> str:
    """Return the innermost reason that an installer gives, or else its first line."""
    causes = [cause for match in CAUSE.findall(text) for cause in match if cause]
    return causes[-1] if causes else text.strip().partition("\n")[0]


def _of_report(text: str) -> list[IndexFile]:
    """Read pip's installation report (pip documentation, Installation Report)."""
    try:
        # What pip says without being asked may stand before it.
        report = json.loads(text[text.index("{") :])
        return [
            IndexFile(
                distribution=normalized(str(item["metadata"]["name"])),
                version=str(item["metadata"]["version"]),
                name=_name_of(str(item["download_info"]["url"])),
            )
            for item in report["install"]
        ]
    except (ValueError, KeyError, TypeError):
        raise _too_old([sys.executable]) from None


def _too_old(command: list[str]) -> CommandError:
    """Return the error of a pip before 22.2, which has no installation report."""
    upgrade = ["pip", "install", "--upgrade", "pip"]
    if command[0] == "pipx":
        upgrade = ["pipx", "upgrade-shared"]
    elif command[0] != "pip":
        upgrade = [*interpreter(), "-m", *upgrade]
    text = "this pip does not say what it would install"
    return CommandError(text, hint=shown([upgrade]))


def _of_lock(text: str) -> list[IndexFile]:
    """Read a `pylock.toml` of uv: each wheel of each package."""
    wheels = []
    for body in PACKAGE.findall(text):
        fields = dict(FIELD.findall(body))
        for url, uploaded in WHEEL.findall(body):
            name, version = normalized(fields["name"]), fields["version"]
            wheels.append(IndexFile(name, version, _name_of(url), uploaded))
    return wheels


def _name_of(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])

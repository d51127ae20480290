"""Query of the index through the installer, which has its URL and credentials."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

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
    if not wheels and version:
        text = f"your index has no {MAIN} {version}"
        raise CommandError(text, hint="leanspec-launcher update --check")
    if not wheels:
        raise CommandError(
            f"the index has no `{requirement}` for this Python",
            hint="check which index your installer uses",
        )
    return IndexRelease(wheels[0].version, wheels)


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
    ours = {
        program.distribution: program
        for program in PROGRAMS.values()
        if not program.extra or program.extra in installed.extras
    }
    for name in ours:
        builds = [file for file in files if file.distribution == name and _fits(file)]
        if not builds:
            raise CommandError(
                f"release {version} has no build of `{name}` for this machine",
                hint="stay with this release, or see `leanspec-launcher doctor`",
            )
    needed = [file for file in files if file.distribution not in ours or _fits(file)]
    return IndexRelease(version, [file for file in needed if file.version == version])


def _fits(file: IndexFile) -> bool:
    """Tell whether a wheel has a program, for this machine."""
    platform = current()
    if file.name.endswith(STUB) or platform is None:
        return False
    tags = file.name[: -len(".whl")].rpartition("-")[2].split(".")
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


def _typed(command: list[str], stdin: str) -> str:
    """Write a command as one types it, with what it reads."""
    before = f"{shown([['echo', stdin]])} | " if stdin else ""
    return before + shown([command])


def _run(command: list[str], stdin: str = "") -> str:
    """Return what an installer prints. Raises CommandError with its own words if it fails."""
    try:
        process = output_of(with_path(command), seconds=ANSWER_SECONDS, stdin=stdin)
    except TimeoutError:
        text = f"the index did not answer within {ANSWER_SECONDS} s"
        detail = f"asked by: {_typed(command, stdin)}"
        raise CommandError(text, hint=NETWORK, details=[detail]) from None
    except OSError as error:
        raise CommandError(str(error), hint=_typed(command, stdin)) from None
    if NO_OPTION in process.stderr:
        raise _too_old(command)
    is_alone = any(words in process.stderr for words in ALONE)
    if process.returncode != 0 or is_alone:
        if _is_unreachable(process.stderr):
            detail = f"asked by: {_typed(command, stdin)}"
            text = f"the index does not answer: {_cause(process.stderr)}"
            raise CommandError(text, hint=NETWORK, details=[detail])
        lines = [line.strip() for line in process.stderr.splitlines() if line.strip()]
        lines = lines or [f"exit code {process.returncode}"]
        # After an error, uv explains it; pip's comes last.
        errors = (
            line
            for line in lines
            if line.lower().startswith(("error", "\N{MULTIPLICATION SIGN}"))
        )
        reason = next(errors, lines[-1])
        is_absent = any(words in process.stderr for words in ABSENT)
        kind = AbsentError if is_absent else CommandError
        raise kind(
            f"the index could not be asked: {reason}",
            hint=_typed(command, stdin),
            details=lines[lines.index(reason) + 1 :][:MOST_LINES],
        )
    return process.stdout


def _is_unreachable(text: str) -> bool:
    """Tell whether an installer says that it got no answer from its index."""
    return ANSWERED not in text and any(words in text for words in UNREACHABLE)


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
                normalized(str(item["metadata"]["name"])),
                str(item["metadata"]["version"]),
                _name_of(str(item["download_info"]["url"])),
            )
            for item in report["install"]
        ]
    except (ValueError, KeyError, TypeError):
        raise _too_old([sys.executable]) from None


def _too_old(command: list[str]) -> CommandError:
    """Return the error of a pip before 22.2, which has no installation report."""
    if command[0] == "pipx":
        upgrade = ["pipx", "upgrade-shared"]
    else:
        pip = ["pip"] if command[0] == "pip" else [*interpreter(), "-m", "pip"]
        upgrade = [*pip, "install", "--upgrade", "pip"]
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

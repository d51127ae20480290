"""Verdicts on every place where a binary may be, for `which`, `doctor` and a failed start."""

import enum
import os
import stat
from dataclasses import dataclass
from typing import Optional

from leanspec_launcher._search import (
    LOCAL,
    OFF,
    SITE,
    STORE,
    VARIABLE,
    WHEEL,
    Place,
    Start,
    exists,
    is_trusted,
    store_directory,
)
from leanspec_launcher._tables import DIRECTORY_VARIABLE, VERIFY_VARIABLE
from leanspec_launcher.verify.loader import is_noexec
from leanspec_launcher.verify.proof import must_be_no_script_of, verified_file
from leanspec_launcher.verify.refusal import Kind, Refusal

ORIGINS = {
    VARIABLE: "environment variable",
    LOCAL: "local binaries",
    WHEEL: "installed wheel",
    STORE: "download store",
}

# What a start with `LEANSPEC_VERIFY=off` does not look at.
UNVERIFIED = (
    Kind.CHANGED,
    Kind.NO_CHECKSUM,
    Kind.NO_RECORD,
    Kind.TOO_LARGE,
    Kind.NO_LIBRARY,
    Kind.OLD_SYSTEM,
)


class Outcome(enum.Enum):
    """Outcome for a place."""

    TAKEN = "taken"
    REFUSED = "refused"
    ABSENT = "absent"
    PASSED = "not needed"


@dataclass
class PlaceVerdict:
    """A place, and the reason why it is taken or not."""

    place: Place
    outcome: Outcome
    reason: str
    sha256: str = ""
    refusal: "Optional[Refusal]" = None

    @property
    def origin(self) -> str:
        """The kind of the place."""
        return self.place.origin

    @property
    def path(self) -> str:
        """The path of the binary there."""
        return self.place.path


def verdicts(start: Start) -> "list[PlaceVerdict]":
    """Look at every place in order: what is there, and why it is taken or refused.

    Hashes in full and asks the loader, as a first start does. Changes nothing.
    """
    results = []
    if not start.chosen:
        reason = f"`{start.program.variable}` is not set"
        results.append(PlaceVerdict(Place(VARIABLE, ""), Outcome.ABSENT, reason))
        if start.platform is not None and not start.local_dir:
            reason = f"`{DIRECTORY_VARIABLE}` is not set, and this is not a checkout"
            results.append(PlaceVerdict(Place(LOCAL, ""), Outcome.ABSENT, reason))
    decided = False
    for place in start.places():
        verdict = _verdict(start, place, decided=decided)
        decided = decided or verdict.outcome is not Outcome.ABSENT
        results.append(verdict)
    return results


def deciding(results: "list[PlaceVerdict]") -> "Optional[PlaceVerdict]":
    """Return the verdict on the place that decides; None if nothing is in any place."""
    decisive = (Outcome.TAKEN, Outcome.REFUSED)
    return next((each for each in results if each.outcome in decisive), None)


def _verdict(start: Start, place: Place, *, decided: bool) -> PlaceVerdict:
    try:
        if not exists(place):
            return PlaceVerdict(place, Outcome.ABSENT, _absence(place))
    except OSError as error:
        # What cannot be looked at may be the binary: a start stops there.
        if not decided:
            return _refused(place, unreachable(error))
    if decided:
        text = "not used: an earlier place decides"
        return PlaceVerdict(place, Outcome.PASSED, text)
    return _decisive(start, place)


def _decisive(start: Start, place: Place) -> PlaceVerdict:
    """Return the verdict on the file at the place that decides."""
    try:
        file = verified_file(start, place)
        if file is None:
            must_be_no_script_of(start.program, place.path)
    except (Refusal, OSError) as error:
        refusal = refusal_of(place.path, error)
        if start.verification != OFF or refusal.kind not in UNVERIFIED:
            return _refused(place, refusal)
        # Started all the same, as the user wants it; `verify` shows it as bad.
        reason = f"not verified (`{VERIFY_VARIABLE}` is `{OFF}`): {refusal.reason}"
        verdict = PlaceVerdict(place, Outcome.TAKEN, reason, refusal.actual)
        verdict.refusal = refusal
    else:
        reason = "its SHA-256 is the expected one"
        if file is None:
            reason = "not verified: you chose it"
        elif place.origin == LOCAL:
            reason = "its SHA-256 is the one in its binary.json"
        sha256 = file.sha256 if file else ""
        verdict = PlaceVerdict(place, Outcome.TAKEN, reason, sha256)
    # Its content is accepted.
    problem = unfit(place.path)
    return _refused(place, problem) if problem else verdict


def _refused(place: Place, refusal: Refusal) -> PlaceVerdict:
    return PlaceVerdict(
        place=place,
        outcome=Outcome.REFUSED,
        reason=refusal.reason,
        sha256=refusal.actual,
        refusal=refusal,
    )


def _absence(place: Place) -> str:
    folder = os.path.dirname(place.path)
    if place.origin == STORE and os.path.lexists(folder) and not is_trusted(folder):
        return "not used: its folder does not belong to this user alone"
    # A zip file in `sys.path`, as shiv and zipapp make it.
    if os.path.isfile(SITE):
        return (
            "not there: lean-spec is inside an archive, and no program can be run from one"
        )
    return "not there"


def refusal_of(path: str, error: Exception) -> Refusal:
    """Return an error as a refusal, with the reason that the file itself shows."""
    if isinstance(error, Refusal):
        return error
    problem = unfit(path)
    if problem and problem.kind is not Kind.NO_RUN_BIT:
        return problem
    strerror = getattr(error, "strerror", None) or error
    return Refusal(Kind.UNREADABLE, f"it cannot be read ({strerror})")


def unreachable(error: OSError) -> Refusal:
    """Return the refusal of a place about which nothing can be known."""
    # Only a permission is the owner's to give; a link to itself, for one, is not.
    kind = Kind.HIDDEN if isinstance(error, PermissionError) else Kind.OTHER
    return Refusal(kind, f"its status cannot be read ({error.strerror})")


def unfit(path: str) -> "Optional[Refusal]":
    """Say what keeps the file at `path` from being run, whatever its content; None if nothing does."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        text = "there is no such file"
        if os.path.islink(path):
            text = "it is a link to a file that does not exist"
        return Refusal(Kind.MISSING, text)
    except OSError as error:
        return unreachable(error)
    if not stat.S_ISREG(mode):
        text = "it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file"
        return Refusal(Kind.NOT_A_FILE, text)
    if is_noexec(path):
        return Refusal(Kind.NOEXEC, "its file system is mounted `noexec`")
    if not os.access(path, os.X_OK):
        text = "it is not executable (it lacks the run permission)"
        return Refusal(Kind.NO_RUN_BIT, text)
    return None


def described(results: "list[PlaceVerdict]") -> "list[tuple[Outcome, str]]":
    """Return lines for people; the folders of `sys.path` that contain nothing share one."""
    lines = []
    wheels = [verdict for verdict in results if verdict.origin == WHEEL]
    empty = [verdict for verdict in wheels[1:] if verdict.outcome is Outcome.ABSENT]
    width = max(map(len, ORIGINS.values()))
    for verdict in results:
        if verdict in empty[:-1]:
            continue
        path = verdict.path
        if verdict.origin == STORE and verdict.outcome is Outcome.ABSENT:
            path = store_directory()
        text = f"`{path}`: {verdict.reason}" if path else verdict.reason
        if verdict in empty:
            text = f"the other {len(empty)} folders of `sys.path` do not have it either"
        lines.append((verdict.outcome, f"{ORIGINS[verdict.origin]:{width}}  {text}"))
    return lines

"""Reasons for not running a file: a kind for the programs that act on it, and words for people."""

import enum

from leanspec_launcher._say import CANNOT_RUN, say
from leanspec_launcher._tables import ANYWHERE_VARIABLE, Program


class Kind(enum.Enum):
    """The kinds of reasons why a file is not run. Hints and exit codes depend on nothing else."""

    # What its place says.
    RELATIVE = "relative path"
    BATCH_FILE = "batch file"
    OWN_COMMAND = "own command"
    HIDDEN = "cannot be looked at"
    MISSING = "missing"
    NOT_A_FILE = "not a regular file"
    UNREADABLE = "unreadable"
    NO_RUN_BIT = "no run bit"
    NOEXEC = "noexec"
    # What its bytes say.
    TOO_LARGE = "too large"
    NO_CHECKSUM = "no checksum"
    NO_RECORD = "no record"
    CHANGED = "changed"
    # What the system's loader says.
    NO_LOADER = "no loader"
    NO_LIBRARY = "no library"
    OLD_SYSTEM = "old system"
    # What the system said when it was started.
    FOREIGN = "not for this system"
    BUSY = "busy"
    TOO_LONG = "too long"
    FORBIDDEN = "forbidden"
    OTHER = "other"


class Refusal(Exception):  # noqa: N818 - a verdict on a file, which `which` shows as such
    """A file that is not to be run: the kind of the reason, the reason, and both digests if they differ."""

    def __init__(
        self, kind: Kind, reason: str, *, expected: "tuple[str, ...]" = (), actual: str = ""
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.expected = expected
        self.actual = actual


def refuse_folder(program: Program, folder: str) -> int:
    """Say that a server does not start in a folder without a project; return the exit code."""
    say(
        f"error: refusing to start `{program.command}` in `{folder}`: it is not a project, and the"
        " server would write specs there",
        "hint: name your project: `leanspec-launcher mcp-config CLIENT --write --project FOLDER`; to"
        f" allow any folder, set `{ANYWHERE_VARIABLE}=1`",
    )
    return CANNOT_RUN

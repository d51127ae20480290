"""Standard error, made printable, and the exit codes of a start."""

import sys

# As a shell gives them (POSIX, Shell Command Language, 2.8.2), and click for a wrong command line.
USAGE = 2
CANNOT_RUN = 126
NOT_FOUND = 127


def say(text: str) -> None:
    """Write to standard error; if nobody can read it, the exit code has to do."""
    if sys.stderr is None:
        return
    # Past the buffers: what is left in one fails again when the interpreter ends, with code 120.
    buffer = sys.stderr.buffer
    raw = getattr(buffer, "raw", buffer)
    try:
        raw.write(text.encode(sys.stderr.encoding, "backslashreplace"))
    except (OSError, ValueError):
        return


def say_cannot_run(program: str, error: Exception) -> None:
    """Say that a command stopped for a reason that nobody foresaw."""
    reason = str(error) or type(error).__name__
    hint = "reinstall lean-spec with its dependencies; if that does not help, report this"
    say(f"error: cannot run `{program}`: {reason}\nhint: {hint}\n")

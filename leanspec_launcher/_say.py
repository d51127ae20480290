"""Standard error, made printable, and the exit codes of a start."""

import sys

# As a shell gives them (POSIX, Shell Command Language, 2.8.2), and click for a wrong command line.
USAGE = 2
CANNOT_RUN = 126
NOT_FOUND = 127


def printable(text: str) -> str:
    """Return a text as one line that a terminal shows as it is.

    Names, versions and messages of strangers may contain line breaks, sequences that move the
    cursor or colour the text, and characters that reverse its direction: they become escapes.
    """
    if text.isprintable():
        return text
    return "".join([char if _is_harmless(char) else _escape(char) for char in text])


def _is_harmless(char: str) -> bool:
    return char.isprintable() or char == "\t"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def say(*lines: str) -> None:
    """Write lines to standard error; if it is closed, only the exit code remains."""
    if sys.stderr is None:
        return
    text = "".join([f"{printable(line)}\n" for line in lines])
    # Past the buffers: what is left in one fails again when the interpreter ends, with code 120.
    buffer = sys.stderr.buffer
    raw = getattr(buffer, "raw", buffer)
    try:
        raw.write(text.encode(sys.stderr.encoding, "backslashreplace"))
    except (OSError, ValueError):
        return


def say_cannot_run(program: str, error: Exception) -> None:
    """Say that a command did not begin, because a part of it is missing or damaged."""
    reason = str(error) or type(error).__name__
    hint = "reinstall lean-spec with its dependencies"
    say(f"error: cannot run `{program}`: {reason}", f"hint: {hint}")

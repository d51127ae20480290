"""Standard error, made printable, and the exit codes of a start."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

# The narrowest column that a text is broken for.
NARROWEST = 30
HINT = "hint: "
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
    return "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    is_harmless = char.isprintable() or char == "\t"
    return char if is_harmless else char.encode("unicode_escape").decode()


def columns(stream: "TextIO | None") -> int:
    """Return the width of a terminal; 0 if a stream is none."""
    try:
        if stream is None or not stream.isatty():
            return 0
        chosen = os.environ.get("COLUMNS", "")
        return int(chosen or os.get_terminal_size(stream.fileno()).columns)
    except (OSError, ValueError):
        return 0


def broken(text: str, stream: "TextIO | None", before: int = 0) -> "list[str]":
    """Break a text for a terminal, behind a column, at spaces outside of literals; else it is one line.

    Without textwrap, which takes longer to import than all of a start. A hint without a literal is
    a command: broken, it would not be copied as one.
    """
    width = columns(stream)
    is_command = text.startswith(HINT) and "`" not in text
    if not width or is_command:
        return [text]
    width = max(NARROWEST, width - before)
    parts = text.split("`")
    # What is between two backticks is one word: no printable text has this character.
    parts[1::2] = [part.replace(" ", "\0") for part in parts[1::2]]
    line, *words = "`".join(parts).split(" ")
    lines = []
    for word in words:
        if line.strip() and len(line) + 1 + len(word) > width:
            lines.append(line.rstrip())
            line = word
        else:
            line = f"{line} {word}"
    lines.append(line)
    return [line.replace("\0", " ") for line in lines]


def hanging(text: str, stream: "TextIO | None") -> "list[str]":
    """Break a text for a terminal: further lines begin two columns below its first."""
    indent = " " * (len(text) - len(text.lstrip(" ")) + 2)
    first, *others = broken(text, stream, len(indent))
    return [first, *[indent + line for line in others]]


def say(*lines: str) -> None:
    """Write lines to standard error; if it is closed, only the exit code remains."""
    if sys.stderr is None:
        return
    texts = [part for line in lines for part in hanging(printable(line), sys.stderr)]
    text = "".join([f"{line}\n" for line in texts])
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

"""Answers in place of a binary that has none: `--version` and `--help` of the MCP server.

The version is the one that the server itself announces to a client, so that the two cannot differ.
"""

import os
import subprocess  # noqa: TID251 - LeanSpec's own programs work in the user's folder
import sys

from leanspec_launcher._say import printable, say
from leanspec_launcher._tables import Program

if sys.platform != "win32":
    import _signal

VERSION_SECONDS = 10
KILLED = -9
WRITE_FAILED = 1
HELP = """\
LeanSpec's MCP server, on standard input and output

Usage: {command}

An editor or agent starts it in the project's folder and speaks the Model Context Protocol with it:
one JSON message per line. It ends when its input ends. Each option must be the only argument:

  --help     Print this help
  --version  Print the version that the server announces
"""


def answer(program: Program, path: str, argument: str) -> int:
    """Print the help, or the version of the server at `path`; return the exit code.

    Raises OSError if the server cannot be started or does not answer as one.
    """
    if argument == "--help":
        return _print(HELP.format(command=program.command))
    return _print(f"{program.command} {printable(announced_version(path))}\n")


def _print(text: str) -> int:
    """Write to standard output as a program does: killed by SIGPIPE if nobody reads, 1 if it fails."""
    if sys.stdout is None:
        say(
            "error: cannot write to standard output: it is closed",
            "hint: open it, for example with `> FILE`",
        )
        return WRITE_FAILED
    if sys.platform != "win32":
        _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    data = text.encode()
    try:
        # Past Python's buffers: what is left in one fails again when the interpreter ends.
        while data:
            data = data[os.write(1, data) :]
    except OSError as error:
        hint = "hint: free some space, or write somewhere else"
        say(f"error: cannot write to standard output: {error.strerror}", hint)
        return WRITE_FAILED
    return 0


def announced_version(path: str, env: "dict[str, str] | None" = None) -> str:
    """Ask a server for its version, as clients do. Raises OSError if it does not answer."""
    from leanspec_launcher.protocol import ask

    return ask([path], env=env).version


def reported_version(
    program: Program, path: str, env: "dict[str, str] | None" = None
) -> str:
    """Ask a binary for its version: an MCP server as a client does, any other with `--version`.

    `env` is its environment; this process's own if it is None. Raises OSError if it does not say
    it.
    """
    if "--version" in program.answers:
        return announced_version(path, env)
    command = [path, "--version"]
    try:
        result = subprocess.run(
            command,
            capture_output=True,
            check=False,
            timeout=VERSION_SECONDS,
            stdin=subprocess.DEVNULL,
            env=env,
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"`--version` did not end within {VERSION_SECONDS} s") from None
    if result.returncode == KILLED and sys.platform == "darwin":
        from leanspec_launcher.installers.words import shown

        repair = shown([["xattr", "-d", "com.apple.quarantine", path]])
        raise OSError(
            f"macOS killed it at once: it is quarantined (type `{repair}`), or its signature is broken"
        )
    output = result.stdout.decode(errors="replace")
    name, _, version = output.strip().partition(" ")
    if result.returncode == 0 and name and version:
        return version
    words = result.stderr.decode(errors="replace") or output
    *_, last = ["it printed nothing", *words.strip().splitlines()]
    raise OSError(f"`--version` ended with exit code {result.returncode}: {last[:100]}")

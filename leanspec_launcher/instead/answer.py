"""Answers in place of a binary that has none: `--version` and `--help` of the MCP server.

The version is the one that the server itself announces to a client, so that the two cannot differ.
"""

import json
import os
import subprocess  # noqa: TID251 - LeanSpec's own programs work in the user's folder
import sys
from typing import Any

from leanspec_launcher._say import printable, say
from leanspec_launcher._tables import Family

if sys.platform != "win32":
    import _signal

SECONDS = 10
KILLED = -9
WRITE_FAILED = 1
IDENTITY = {"name": "leanspec-launcher", "version": "0"}
# What a client asks: since MCP 2026-07-28, which has no handshake; and before (Lifecycle,
# Initialization).
META = "io.modelcontextprotocol/"
DISCOVER = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "server/discover",
    "params": {
        "_meta": {
            f"{META}protocolVersion": "2026-07-28",
            f"{META}clientInfo": IDENTITY,
            f"{META}clientCapabilities": {},
        }
    },
}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": IDENTITY},
}
HELP = """\
LeanSpec's MCP server, on standard input and output

Usage: {program}

An editor or agent starts it in the project's folder and speaks the Model Context Protocol with it:
one JSON message per line. It has no options, and ends when its input ends.

  --help     Print this help, alone
  --version  Print the version that the server announces, alone
"""


def answer(family: Family, path: str, argument: str) -> int:
    """Print the help, or the version of the server at `path`; return the exit code.

    Raises OSError if the server cannot be started or does not answer as one.
    """
    if argument == "--help":
        return _print(HELP.format(program=family.program))
    return _print(f"{family.program} {printable(announced_version(path))}\n")


def _print(text: str) -> int:
    """Write to standard output as a program does: killed by SIGPIPE if nobody reads, 1 if it fails."""
    if sys.stdout is None:
        say("error: cannot write to standard output: it is closed", "hint: give it one")
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
    """Ask a server for its version, in both ways that clients do. Raises OSError if it does not answer."""
    found, words = "", ""
    for request in (DISCOVER, INITIALIZE):
        found, words = _ask(path, request, env)
        if found:
            return found
    raise OSError(f"the server answered neither `server/discover` nor `initialize`{words}")


def _ask(
    path: str, request: "dict[str, object]", env: "dict[str, str] | None"
) -> "tuple[str, str]":
    """Return the version in a server's answer, or nothing and its last words."""
    line = json.dumps(request) + "\n"
    try:
        done = subprocess.run(
            [path],
            input=line.encode(),
            capture_output=True,
            check=False,
            timeout=SECONDS,
            env=env,
        )
    except subprocess.TimeoutExpired:
        return "", f" within {SECONDS} s"
    said = done.stderr.decode(errors="replace").splitlines()[-1:]
    return _version_in(done.stdout), "".join([f": {each}" for each in said])


def _answer_in(output: bytes) -> "dict[str, Any]":
    """Return the answer to our one request; a server may say other things before it (notifications)."""
    for line in output.splitlines():
        message = json.loads(line)
        if message.get("id") == 1:
            return dict(message)
    return {}


def _version_in(output: bytes) -> str:
    try:
        result = _answer_in(output)["result"]
        information = result.get("serverInfo") or result["_meta"][f"{META}serverInfo"]
        return str(information["version"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""


def reported_version(family: Family, path: str, env: "dict[str, str] | None" = None) -> str:
    """Ask a binary for its version: an MCP server as a client does, any other with `--version`.

    `env` is its environment; this process's own if it is None. Raises OSError if it does not say
    it.
    """
    if "--version" in family.answers:
        return announced_version(path, env)
    return _printed_version(path, env)


def _printed_version(path: str, env: "dict[str, str] | None") -> str:
    command = [path, "--version"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            env=env,
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"`--version` did not end within {SECONDS} s") from None
    if done.returncode == KILLED and sys.platform == "darwin":
        from leanspec_launcher.installers.words import shown

        repair = shown([["xattr", "-d", "com.apple.quarantine", path]])
        raise OSError(
            f"macOS killed it at once: quarantined (`{repair}`), or its signature is broken"
        )
    output = done.stdout.decode(errors="replace")
    name, _, version = output.strip().partition(" ")
    if done.returncode == 0 and name and version:
        return version
    said = (done.stderr.decode(errors="replace") or output).strip().splitlines()[-1:]
    last = said[0][:100] if said else "it said nothing"
    raise OSError(f"`--version` ended with {done.returncode}: {last}")

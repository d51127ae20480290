"""What a binary says of itself, and what the launcher answers in the place of one that cannot.

That is `--version` and `--help` of the MCP server; the version is the one that the server itself announces to a client,
so that the two cannot differ.
"""

import json
import subprocess
import sys

from ._families import Family

SECONDS = 10
KILLED = -9
REQUEST = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": {"name": "leanspec-launcher", "version": "0"},
    },
}
HELP = """\
LeanSpec's MCP server, on standard input and output

Usage: {program}

An editor or agent starts it in the project's folder and speaks the Model Context Protocol with it: one JSON message a
line. It has no options, and ends when its input ends.

  --help     Print this help, alone
  --version  Print the version that the server announces, alone
"""


def answer(family: Family, path: str, argument: str) -> int:
    """Print the help, or the version of the server at `path`; return the exit code."""
    if argument == "--help":
        sys.stdout.write(HELP.format(program=family.program))
    else:
        sys.stdout.write(f"{family.program} {announced_version(path)}\n")
    sys.stdout.flush()
    return 0


def announced_version(path: str) -> str:
    """Ask a server for its version. Raises OSError where it does not answer as one."""
    words = ""
    try:
        done = subprocess.run(
            [path],
            input=json.dumps(REQUEST) + "\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        words = "".join(f": {line}" for line in done.stderr.splitlines()[-1:])
        return str(json.loads(done.stdout.splitlines()[0])["result"]["serverInfo"]["version"])
    except subprocess.TimeoutExpired:
        raise OSError(f"the server did not answer within {SECONDS} s") from None
    except (ValueError, KeyError, IndexError, TypeError):
        raise OSError(f"the server did not answer an `initialize` request{words}") from None


def reported_version(family: Family, path: str) -> str:
    """Ask a binary for its version: an MCP server in a handshake, any other with `--version`.

    Raises OSError where it does not say it.
    """
    return announced_version(path) if "--version" in family.answers else _printed_version(path)


def _printed_version(path: str) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise OSError(f"`--version` did not end within {SECONDS} s") from None
    if done.returncode == KILLED and sys.platform == "darwin":
        raise OSError(
            f"macOS killed it at once: quarantined (`xattr -d com.apple.quarantine '{path}'`), or its signature is"
            " broken"
        )
    name, _, version = done.stdout.strip().partition(" ")
    if done.returncode != 0 or not name or not version:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise OSError(f"`--version` ended with {done.returncode}: {said[0][:100] if said else 'it said nothing'}")
    return version

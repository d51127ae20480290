"""One function a command: find the binary, make sure that it is the right one, become it.

The hot path. What is imported here is paid for at every start: `os`, `sys`, `_signal` (all three are loaded before any
script runs) and the siblings, nothing else.
"""

import _signal
import os
import sys

from ._families import FAMILIES, Family
from ._locate import candidates
from ._platforms import Platform, current
from ._verify import check

DEBUG_VARIABLE = "LEANSPEC_DEBUG"
# Exit codes as a shell gives them (POSIX, Shell Command Language, 2.8.2).
CANNOT_RUN = 126
NOT_FOUND = 127


def cli() -> int:
    """Start the command line."""
    return run(FAMILIES["cli"], sys.argv[1:])


def mcp() -> int:
    """Start the MCP server."""
    return run(FAMILIES["mcp"], sys.argv[1:])


def http() -> int:
    """Start the web server."""
    return run(FAMILIES["http"], sys.argv[1:])


def main(arguments: "list[str]") -> int:
    """Start the family that the first argument names."""
    name = arguments[0] if arguments else ""
    if name not in FAMILIES:
        names = "|".join(FAMILIES)
        sys.stderr.write(f"error: `{name}` is not a family\nhint: python -m leanspec_launcher {names} [ARGS]\n")
        sys.exit(2)
    sys.exit(run(FAMILIES[name], arguments[1:]))


def run(family: Family, arguments: "list[str]") -> int:
    """Become the family's binary; return an exit code where that fails, after saying why."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        # Ctrl-C from here on ends this process as it would end the program: by the signal, without a traceback.
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    platform = current()
    path = ""
    try:
        if platform is None:
            raise FileNotFoundError
        path = find(family, platform)
        if len(arguments) == 1 and arguments[0] in family.answers:
            from ._answer import answer

            return answer(family, path, arguments[0])
        return start(path, arguments)
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user, whatever failed
        from ._explain import explain

        return explain(family, platform, path, arguments, error)


def find(family: Family, platform: Platform) -> str:
    """Return the path of the first binary that is there, verified.

    Raises FileNotFoundError where there is none, Refusal where it is not the right one, OSError where it cannot be
    read.
    """
    debug = os.environ.get(DEBUG_VARIABLE, "").lower() in ("1", "true", "yes", "on")
    for origin, path in candidates(family, platform):
        there = os.path.lexists(path)
        if debug:
            sys.stderr.write(f"debug: {origin} `{path}`: {'there' if there else 'not there'}\n")
        if there:
            check(origin, path, family, platform)
            return path
    raise FileNotFoundError


def start(path: str, arguments: "list[str]") -> int:  # noqa: RET503 - execv returns only by an exception
    """Replace this process by the program; where the system has no such call, wait for it."""
    if sys.platform == "win32":
        from ._windows import wait_for

        return wait_for(path, arguments)
    # Python ignores these two at its start, and what is ignored stays so in the program.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    os.execv(path, [path, *arguments])

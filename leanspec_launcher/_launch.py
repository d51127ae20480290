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
TYPESCRIPT_VARIABLE, TYPESCRIPT_OPTION = "LEANSPEC_USE_TS", "--use-typescript"
ON = ("1", "true", "yes", "on")
# Exit codes as a shell gives them (POSIX, Shell Command Language, 2.8.2).
CANNOT_RUN = 126
NOT_FOUND = 127
# What Python gives `LC_CTYPE` where it finds the C locale (PEP 538).
COERCED = ("C.UTF-8", "C.utf8", "UTF-8")


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
        if family.typescript and (arguments[:1] == [TYPESCRIPT_OPTION] or is_on(TYPESCRIPT_VARIABLE)):
            from ._typescript import become

            return become(family, arguments)
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
    debug = is_on(DEBUG_VARIABLE)
    for origin, path in candidates(family, platform):
        there = os.path.lexists(path)
        if debug and sys.stderr is not None:
            sys.stderr.write(f"debug: {origin} `{path}`: {'there' if there else 'not there'}\n")
        if there:
            check(origin, path, family, platform)
            return path
    raise FileNotFoundError


def is_on(variable: str) -> bool:
    """Tell whether an environment variable says yes."""
    return os.environ.get(variable, "").lower() in ON


def start(path: str, arguments: "list[str]") -> int:
    """Replace this process by the program; where the system has no such call, wait for it."""
    if sys.platform == "win32":
        from ._windows import wait_for

        return wait_for(path, arguments)
    # Python ignores these two at its start, and what is ignored stays so in the program.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    if os.environ.get("LC_CTYPE") in COERCED:
        _take_back_locale()
    try:
        os.execv(path, [path, *arguments])
    except UnicodeEncodeError:
        # A locale of another encoding than UTF-8, in which the system decodes more than Python's codec encodes.
        with open("/proc/self/cmdline", "rb", buffering=0) as file:
            os.execv(path, [os.fsencode(path), *file.read().split(b"\0")[-1 - len(arguments) : -1]])


def _take_back_locale() -> None:
    """Give `LC_CTYPE` the value that the user's environment has, where it was Python that set it."""
    try:
        # What the process was started with, whatever happened to it since.
        with open("/proc/self/environ", "rb", buffering=0) as file:
            for entry in file.read().split(b"\0"):
                if entry.startswith(b"LC_CTYPE="):
                    os.putenv("LC_CTYPE", os.fsdecode(entry[9:]))
                    return
    except OSError:
        # No /proc. A variable that was not there before comes last, and it is Python's where nothing else says C.
        names = ("LC_ALL", "LANG")
        if [*os.environ][-1] != "LC_CTYPE" or any(
            os.environ.get(name, "C") not in ("", "C", "POSIX") for name in names
        ):
            return
    os.unsetenv("LC_CTYPE")

"""The launcher of LeanSpec. One function per command: finds the binary, verifies it, and replaces itself with it.

The hot path: this module, `_search`, `_tables` and `_pins`. What they import is paid for at every
start, 0.06 ms per module at the least, so it is nothing but `os`, `sys`, `stat` and `_signal`,
which are loaded before any script runs.
"""

import _signal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._search import Start
    from ._tables import Program

# What Python gives `LC_CTYPE` if it finds the C locale (PEP 538).
COERCED = ("C.UTF-8", "C.utf8", "UTF-8")


def cli() -> int:
    """Start the command line."""
    return run("cli", sys.argv[1:])


def mcp() -> int:
    """Start the MCP server."""
    return run("mcp", sys.argv[1:])


def http() -> int:
    """Start the web server."""
    return run("http", sys.argv[1:])


def run(name: str, arguments: "list[str]") -> int:
    """Become the binary of a program; if that fails, say why and return an exit code."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        # From here on, Ctrl-C ends this process as it would end the program: without a traceback.
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    try:
        # In here, so that a damaged file of ours is reported and not a traceback.
        from ._search import Start
        from ._tables import PROGRAMS

        return _run(Start(PROGRAMS[name]), arguments)
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user, whatever failed
        text = f"error: lean-spec is damaged: {type(error).__name__}: {error}\n"
        try:
            if sys.stderr is not None:
                os.write(
                    2,
                    f"{text}hint: reinstall lean-spec\n".encode(errors="backslashreplace"),
                )
        except OSError:
            pass  # nobody can read it: the exit code has to do
        return 126  # as CANNOT_RUN, whose module may be the damaged one


def _run(start: "Start", arguments: "list[str]") -> int:
    from ._tables import TYPESCRIPT_OPTION, TYPESCRIPT_VARIABLE, is_on

    program = start.program
    if program.ended:
        from .instead.ended import say_ended

        return say_ended(program)
    is_for_old = arguments[:1] == [TYPESCRIPT_OPTION] or is_on(TYPESCRIPT_VARIABLE)
    if is_for_old and program.typescript:
        from .instead.typescript import become_npx

        return become_npx(arguments, become)
    if arguments[:1] == ["ui"] and program.name == "cli":
        from .web.takeover import is_ours, show

        if is_ours(arguments):
            return show(arguments[1:])
    action = _action(program, arguments)
    place = None
    try:
        first = start.first_place()
        if start.must_verify(first):
            from .verify.proof import verify

            verify(start, first)
        place = first  # verified: an error from here on is one of its start
        try:
            return action(place.path)
        except OSError as error:
            from .verify.retry import retry

            return retry(start, place, error, action)
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user, whatever failed
        from .explain.explain import explain

        return explain(start, place, error)


def _action(program: "Program", arguments: "list[str]") -> "Callable[[str], int]":
    """Return what is to be done with the binary: start it, answer in its place, or refuse."""
    if len(arguments) == 1 and arguments[0] in program.answers:
        from .instead.answer import answer

        return lambda path: answer(program, path, arguments[0])
    if program.name == "mcp":
        from ._search import folder_without_project

        if folder := folder_without_project():
            from .verify.refusal import refuse_folder

            return lambda _: refuse_folder(program, folder)
    return lambda path: become(path, arguments)


def become(path: str, arguments: "list[str]") -> int:
    """Replace this process by the program; if the system has no such call, wait for it.

    Raises OSError if the program cannot be started.
    """
    if sys.platform == "win32":
        from .windows.parent import wait_for

        return wait_for(path, arguments)
    # Python ignores these two at its start, and what is ignored stays so in the program.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    if os.environ.get("LC_CTYPE") in COERCED:
        _take_back_locale()
    try:
        os.execv(path, [path, *arguments])
    except UnicodeEncodeError:
        # A locale that is not UTF-8, in which the system decodes more than Python's codec encodes.
        with open("/proc/self/cmdline", "rb", buffering=0) as file:
            words = file.read().split(b"\0")[-1 - len(arguments) : -1]
        os.execv(path, [os.fsencode(path), *words])
    finally:
        # Still here: the program did not start, and whoever should read why may be gone.
        _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
        _signal.signal(_signal.SIGXFSZ, _signal.SIG_IGN)


def _take_back_locale() -> None:
    """Give `LC_CTYPE` the value that the user's environment has, if it was Python that set it."""
    try:
        # What the process was started with, whatever happened to it since.
        with open("/proc/self/environ", "rb", buffering=0) as file:
            for entry in file.read().split(b"\0"):
                if entry.startswith(b"LC_CTYPE="):
                    os.putenv("LC_CTYPE", os.fsdecode(entry[9:]))
                    return
    except OSError:
        # No /proc. A variable that was not there before comes last, and it is Python's if nothing
        # else says C.
        names = ("LC_ALL", "LANG")
        others = [os.environ.get(name, "C") for name in names]
        if [*os.environ][-1] != "LC_CTYPE" or any(
            value not in ("", "C", "POSIX") for value in others
        ):
            return
    os.unsetenv("LC_CTYPE")

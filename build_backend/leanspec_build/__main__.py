"""The commands `all` and `inspect` of `python -m leanspec_build`."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from .errors import BuildError, UsageError, note

FAILURE, USAGE, INTERRUPTED = 1, 2, 130
DESCRIPTION = "Make wheels of programs, and inspect programs and wheels."
ALL = """\
Find every set of the project's programs in a folder or archive, derive the tags
of each from its own bytes, and write a wheel of each."""
ALL_EXAMPLES = """\
examples:
  python -m leanspec_build all
  python -m leanspec_build all --from target/distrib --json
  python -m leanspec_build all --platform linux-x64 --platform darwin-arm64
  python -m leanspec_build all --dry-run
"""
REPEATABLE = {"action": "append", "default": []}
FLAG = {"action": "store_true"}
ALL_OPTIONS: dict[str, dict[str, Any]] = {
    "--project": {"type": Path, "default": Path(), "help": "default: this folder"},
    "--from": {
        **REPEATABLE,
        "dest": "places",
        "metavar": "PLACE",
        "help": "repeatable; default: `from` of the project",
    },
    "--platform": {
        **REPEATABLE,
        "dest": "platforms",
        "metavar": "NAME",
        "help": "repeatable; default: all",
    },
    "--local": FLAG | {"help": "make wheels that no public index takes, too"},
    "--out": {
        "type": Path,
        "default": Path("wheelhouse"),
        "help": "default: wheelhouse",
    },
    "--version": {"default": "", "help": "of a project that calls it dynamic"},
    "--dry-run": FLAG | {"help": "say what would be made, and write nothing"},
}
INSPECT = """\
Show what the headers of executables say, and the tags that follow. For a wheel, show
whether the tags in its name are true, too strict or too loose. Exits with 1 if one is
too loose: the wheel would be installed where the program cannot start."""
INSPECT_EXAMPLES = """\
examples:
  python -m leanspec_build inspect dist/*.whl
  python -m leanspec_build inspect /usr/bin/true --json
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code: 0, 1 (failed), 2 (usage), 130 (Ctrl-C)."""
    options = _parser().parse_args(arguments)
    try:
        code = _run(options)
        sys.stdout.flush()
    except BuildError as error:
        note(f"error: {error}")
        return USAGE if isinstance(error, UsageError) else FAILURE
    except KeyboardInterrupt:
        note("error: interrupted")
        return INTERRUPTED
    except OSError as error:
        # Files have names, and messages of their own.
        if error.filename is not None:
            raise
        # Whoever read this may have ended, as `head` does.
        if not isinstance(error, BrokenPipeError):
            note(f"error: cannot write to standard output: {error.strerror}")
            note("hint: free space there, or write it elsewhere")
        # What is still to be written goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    return code


def _run(options: argparse.Namespace) -> int:
    if options.command == "all":
        from .any_program.all import make_all

        return make_all(options)
    from .inspection import show

    return show(options.files, as_json=options.json)


class _VersionAction(argparse.Action):
    """Prints the version, and imports what knows it only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(version("leanspec-build"))  # noqa: T201
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m leanspec_build", description=DESCRIPTION)
    parser.add_argument(
        "--version",
        action=_VersionAction,
        nargs=0,
        help="print the version of this command",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("all", help="one wheel per kind of machine")
    make.description, make.epilog = ALL, ALL_EXAMPLES
    for name, arguments in ALL_OPTIONS.items():
        make.add_argument(name, **arguments)
    inspect = commands.add_parser("inspect", help="what a program or a wheel is")
    inspect.description, inspect.epilog = INSPECT, INSPECT_EXAMPLES
    inspect.add_argument("files", nargs="+", type=Path, metavar="FILE")
    for command, thing in ((make, "wheel"), (inspect, "file")):
        help_line = f"print a JSON array, one object per {thing}"
        command.add_argument("--json", action="store_true", help=help_line)
        command.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _end(code: int) -> NoReturn:
    """End the process; after Ctrl-C without the threads that still compress."""
    if code == INTERRUPTED:
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    # Temporary files are removed as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _end(main())

"""The commands `all` and `inspect` of `python -m leanspec_build`."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

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
    except BrokenPipeError:
        # Whoever read this has ended, as `head` does; what is still to be written goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except OSError as error:
        # Files have names, and messages of their own.
        if error.filename is not None:
            raise
        note(f"error: cannot write to standard output: {error.strerror}")
        note("hint: free space there, or write it elsewhere")
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
    _add_all(commands.add_parser("all", help="one wheel per kind of machine"))
    _add_inspect(commands.add_parser("inspect", help="what a program or a wheel is"))
    for command in commands.choices.values():
        command.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _add_all(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = ALL, ALL_EXAMPLES
    parser.add_argument("--project", type=Path, default=Path(), help="default: this folder")
    parser.add_argument(
        "--from",
        dest="places",
        action="append",
        default=[],
        metavar="PLACE",
        help="repeatable; default: `from` of the project",
    )
    parser.add_argument(
        "--platform",
        dest="platforms",
        action="append",
        default=[],
        metavar="NAME",
        help="repeatable; default: all",
    )
    parser.add_argument(
        "--local", action="store_true", help="make wheels that no public index takes, too"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("wheelhouse"), help="default: wheelhouse"
    )
    parser.add_argument("--version", default="", help="of a project that calls it dynamic")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be made, and write nothing"
    )
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array, one object per wheel"
    )


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = INSPECT, INSPECT_EXAMPLES
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array, one object per file"
    )


def _end(code: int) -> NoReturn:
    """End the process; after Ctrl-C without the threads that still compress."""
    if code == INTERRUPTED:
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    # Temporary files are removed as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _end(main())

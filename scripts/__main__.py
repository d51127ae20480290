"""Start a maintainers' command in the locked development environment, which is made on the first use.

This file, `environment.py` and `locked.py` run on the bare Python of a fresh machine: the standard
library only.
"""

import signal
import sys

INTERRUPTED = 130

if sys.version_info < (3, 11):
    sys.exit(
        "error: the maintainers' commands need Python 3.11 or newer, this is {}.{}\n"
        "hint: name a newer one, for example `python3.13 -m scripts`".format(
            *sys.version_info[:2]
        )
    )


def main() -> None:
    """Run the command, in the development environment."""
    try:
        _main()
    except KeyboardInterrupt:
        # A second Ctrl-C would be shown as a traceback.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stderr.write("\nerror: interrupted\n")
        sys.exit(INTERRUPTED)


def _main() -> None:
    from . import environment, locked

    locked.give_up_early()
    arguments = sys.argv[1:]
    if environment.is_active(arguments):
        from .cli import run

        run()
    else:
        environment.enter(arguments)


if __name__ == "__main__":
    main()

"""Start a maintainers' command in the locked development environment, which is made on the first use.

This file, `environment.py` and `locked.py` run on the bare Python of a fresh machine: the standard
library only.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "error: the maintainers' commands need Python 3.11 or newer, this is {}.{}\n"
        "hint: name a newer one, for example `python3.13 -m scripts`".format(
            *sys.version_info[:2]
        )
    )

from . import environment


def main() -> None:
    """Run the command, in the development environment."""
    arguments = sys.argv[1:]
    if environment.is_active(arguments):
        from .cli import run

        run()
    else:
        environment.enter(arguments)


if __name__ == "__main__":
    main()

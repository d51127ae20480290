"""The command `leanspec-ui`: the pages of the web UI, a server for them, and a browser."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> "NoReturn":
    """Run `leanspec-ui`; say so if a part of it, or click, is missing or damaged."""
    try:
        from .start import start

        start(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user, whatever failed
        from leanspec_launcher._say import say_cannot_run

        say_cannot_run("leanspec-ui", error)
        sys.exit(1)

"""The command `leanspec-launcher`."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> "NoReturn":
    """Run `leanspec-launcher`; say so if a part of it, or click, is missing or damaged."""
    try:
        if sys.argv[1:] in (["--help"], ["-h"]):
            from leanspec_launcher.commands import echo_text, run

            from .overview import help_text

            run(lambda: echo_text(help_text()))
        from leanspec_launcher.command_line import run_command

        from .cli import root

        run_command(root, "leanspec-launcher")
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user, whatever failed
        from leanspec_launcher._say import say_cannot_run

        say_cannot_run("leanspec-launcher", error)
        sys.exit(1)

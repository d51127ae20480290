"""The command `leanspec-launcher`."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> "NoReturn":
    """Run `leanspec-launcher`, or say which part of it is not installed."""
    try:
        from .cli import root
        from .errors import run_command
    except ImportError as error:
        from leanspec_launcher.diagnosis.message import say

        say(f"error: cannot start `leanspec-launcher`: {error}\nhint: reinstall lean-spec with its dependencies\n")
        sys.exit(1)
    run_command(root, "leanspec-launcher")

"""The command `leanspec-ui`: the pages of the web UI, a server for them, and a browser."""

import sys


def main() -> int:
    """Run `leanspec-ui`; end the process with its exit code."""
    from .cli import start

    return start(sys.argv[1:])

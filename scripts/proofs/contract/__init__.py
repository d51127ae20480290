"""The launch contract, measured: what a program sees and what its caller sees, started directly and in other ways."""

import sys

from leanspec_launcher.commands import CommandError

if sys.platform == "win32":
    raise CommandError("a launch can only be measured on Linux and macOS")

"""The cost of a start, measured in several ways side by side."""

import sys

from leanspec_launcher.commands import CommandError

if sys.platform == "win32":
    raise CommandError("a launch can only be measured on Linux and macOS")

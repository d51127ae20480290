"""Commands of `leanspec-launcher`: their packages, summaries, and the help that lists them.

Imports nothing: click alone takes four times as long as the interpreter's start.
"""

# The package next to this module that has the command, or nothing if `cli` has it; its summary.
COMMANDS = {
    "bundle": ("offline", "Make a folder to install from without a network."),
    "doctor": ("", "Diagnose this installation, for a bug report."),
    "fetch": ("fetch", "Download binaries if no installer can."),
    "link": ("", "Make the commands start without Python."),
    "mcp-config": ("clients", "Connect an MCP CLIENT, or print how."),
    "repair": ("", "Repair damaged or missing binaries, and missing commands."),
    "unlink": ("", "Restore the commands that `link` replaced."),
    "update": ("update", "Update LeanSpec with the installer that installed it."),
    "verify": ("", "Recompute the checksum of each installed binary."),
    "which": ("", "Show which binaries would run, and why."),
}
HEAD = """\
Usage: leanspec-launcher [OPTIONS] COMMAND [ARGS]...

  Inspect, verify and update a LeanSpec installation.

Options:
  -V, --version  Show the version and exit.
  -h, --help     Show this message and exit.

Commands:"""


def help_text() -> str:
    """Return the help of `leanspec-launcher`, as click formats it."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join([HEAD, *lines])

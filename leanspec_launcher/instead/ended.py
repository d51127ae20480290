"""Message of a command whose program LeanSpec no longer has."""

from leanspec_launcher._say import NOT_FOUND, say
from leanspec_launcher._tables import Program

# What still starts a program, and how to change that.
FILES = {
    "mcp": "`leanspec-launcher mcp-config --remove --all` removes it from the files of your MCP clients",
}


def reason(program: Program) -> str:
    """Say what happened to a program."""
    return f"`{program.command}` was removed in LeanSpec {program.ended}"


def hint(program: Program) -> str:
    """Say what to do without a program, and which release still has it."""
    last = f"the last release with it is `lean-spec<{program.ended}`"
    return "; ".join(filter(None, (FILES.get(program.name), last)))


def say_ended(program: Program) -> int:
    """Say what happened to a program; return the exit code of a program that is not there."""
    say(f"error: {reason(program)}", f"hint: {hint(program)}")
    return NOT_FOUND

"""Message of a command whose program LeanSpec no longer has."""

from leanspec_launcher._say import NOT_FOUND, say
from leanspec_launcher._tables import Family

# What still starts a program, and how to change that.
FILES = {
    "mcp": "`leanspec-launcher mcp-config --remove --all` removes it from the files of your MCP clients",
}


def reason(family: Family) -> str:
    """Say what happened to a program."""
    return f"`{family.program}` was removed in LeanSpec {family.ended}"


def hint(family: Family) -> str:
    """Say what to do without a program, and which release still has it."""
    last = f"the last release with it is `lean-spec<{family.ended}`"
    return "; ".join(filter(None, (FILES.get(family.name), last)))


def say_ended(family: Family) -> int:
    """Say what happened to a program; return the exit code of a program that is not there."""
    say(f"error: {reason(family)}", f"hint: {hint(family)}")
    return NOT_FOUND

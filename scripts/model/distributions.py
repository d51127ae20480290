"""Every distribution of a release, by name."""

from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.web.place import UI
from scripts.environment import ROOT

MAIN = "lean-spec"
PAGES = UI.distribution
# The MCP server under the name of its command, so that `uvx leanspec-mcp` starts it. Nothing of it
# is released while LeanSpec has no server: on the index, the last one goes on working.
MCP_COMMAND = PROGRAMS["mcp"].command
HAS_MCP = not PROGRAMS["mcp"].ended
MCP_COMMAND_PROJECT = ROOT / "platform_wheels/mcp-command"
DISTRIBUTIONS = (
    MAIN,
    *(program.distribution for program in PROGRAMS.values()),
    PAGES,
    *([MCP_COMMAND] if HAS_MCP else []),
)

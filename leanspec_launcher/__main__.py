"""`python -m leanspec_launcher FAMILY ARGS`: the commands by family, if no script is on the path."""

import sys

from . import run
from ._tables import ENDED, FAMILIES

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in {**FAMILIES, **ENDED}:
        sys.exit(run(sys.argv[1], sys.argv[2:]))

    from ._say import USAGE, say

    usage = f"python -m leanspec_launcher {'|'.join(FAMILIES)} [ARGS]"
    if sys.argv[1:] in (["-h"], ["--help"]):
        sys.stdout.write(
            f"Usage: {usage}\n\nStart the command line, the MCP server or the web server.\n"
        )
        sys.exit(0)
    problem = f"`{sys.argv[1]}` is not a family" if sys.argv[1:] else "no family is given"
    say(f"error: {problem}", f"hint: {usage}")
    sys.exit(USAGE)

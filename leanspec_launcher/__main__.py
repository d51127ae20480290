"""`python -m leanspec_launcher PROGRAM ARGS`: the commands by program, if no script is on the path."""

import sys

from . import run
from ._tables import ENDED, PROGRAMS

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in {**PROGRAMS, **ENDED}:
        sys.exit(run(sys.argv[1], sys.argv[2:]))

    from ._say import USAGE, say

    usage = f"python -m leanspec_launcher {'|'.join(PROGRAMS)} [ARGS]"
    if sys.argv[1:] in (["-h"], ["--help"]):
        sys.stdout.write(
            f"Usage: {usage}\n\nStart the command line, the MCP server or the web server.\n"
        )
        sys.exit(0)
    problem = f"`{sys.argv[1]}` is not a program" if sys.argv[1:] else "no program is given"
    say(f"error: {problem}", f"hint: {usage}")
    sys.exit(USAGE)

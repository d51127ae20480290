"""`python -m leanspec_launcher FAMILY ARGS`: the commands by their family's name, where no script is on the path."""

import sys

from ._launch import main

if __name__ == "__main__":
    main(sys.argv[1:])

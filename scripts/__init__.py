"""The maintainers' commands: `python3 -m scripts --help`."""

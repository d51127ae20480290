"""The store of downloaded wheels, the last place where a start looks for a binary."""

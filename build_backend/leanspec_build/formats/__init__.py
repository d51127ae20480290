"""Readers of the formats of executables: each reads what a loader reads, and no policy."""

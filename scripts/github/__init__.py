"""The assets of a GitHub release: archives, signatures, notes."""

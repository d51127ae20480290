"""What a GitHub release carries: archives, signatures, notes."""

"""A release: its version, its gates, its way to an index, and the proof that it arrived."""

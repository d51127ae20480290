"""Explanations of a failed start, and verdicts on every place: reads and reports, changes nothing."""

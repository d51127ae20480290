"""Mode of projects whose programs an installation puts on the path."""

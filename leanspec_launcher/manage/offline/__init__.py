"""A release in a folder, for machines without a network."""

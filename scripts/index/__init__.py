"""What speaks to a package index."""

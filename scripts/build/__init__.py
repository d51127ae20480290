"""From collected binaries to wheels, and back: what a file is, and whether it is built again to the same bytes."""

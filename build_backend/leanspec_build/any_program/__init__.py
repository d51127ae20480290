"""The other mode: programs that an installation puts on the path, whoever built them."""

"""The launch contract, measured: what a program sees and what its caller sees, started directly and in other ways."""

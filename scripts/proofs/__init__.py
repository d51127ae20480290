"""Proofs that anyone can run: the launch contract, the cost of a start, a rehearsed release."""

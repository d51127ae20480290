"""The proof that a file is the right one: imported at the first start of each state of a file."""

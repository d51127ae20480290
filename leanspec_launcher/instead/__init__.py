"""Answers in place of a binary, and another program instead of it."""

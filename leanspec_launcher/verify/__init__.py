"""Verification of a binary before its first start."""

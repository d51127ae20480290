"""Rehearsing a release on a real index on loopback: as planned, and with every fault of an index."""

"""A whole release on a real index on loopback: the way it is meant to go, and every way in which an index fails."""

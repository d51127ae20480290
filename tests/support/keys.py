"""Secret keys as `minisign -W` writes them, without a password: opening an encrypted one takes a GiB and seconds."""

from __future__ import annotations

from minisign import SecretKey

# Made once, with the lowest cost that scrypt has: the file states it, and whoever opens it pays it.
OPERATIONS, MEMORY = 1 << 15, 1 << 24
OF_ANOTHER_PASSWORD = """\
untrusted comment: minisign encrypted secret key
RWRTY0Iy2IxHNIWTYvUttFix7J6a+2Bmp7IMAtkWH0cZ9xbOyAEAgAAAAAAAAAAAAAEAAAAAEZwH/ra9\
AAPkOQEuyY0wzXTOOBsa/10ZScGqMIMFnauHEgcGCLo668QBQfqGKz8NIh3psxy+AA6089kv4LXkSVq2\
36pTrjQv8QsWDdqy2sStUVyBW4xEh3/PHLCDU2Nd8BcfNcJCNEQ=
"""  # noqa: S105 - it opens nothing that anybody uses


def without_password(key: SecretKey) -> str:
    """Return the text of an unencrypted secret key."""
    return bytes(key).decode() + "\n"

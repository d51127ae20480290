"""Secret keys as `minisign -W` writes them, without a password: opening an encrypted one takes a GiB and seconds."""

from __future__ import annotations

from minisign import SecretKey

# Made once by `python -m scripts keygen`: to make one takes as long as to open one.
OF_ANOTHER_PASSWORD = """\
untrusted comment: minisign encrypted secret key
RWRTY0Iy7uahptB7avi4ymbKzBJ2JbeW6SiL1U1rt42yVnKQDJ0AAAACAAAAAAAAAEAAAAAASriVKdaO\
kmpW4DC0CRaTT7UT5gYXieFWGIht24feMphJNXZTnSgmHN/H8FhueIsPFUGsBrlvJM+maWC6xaVdiiHn\
JMtGG0E6hJMY4icX1JlB4SZM8+VQ1xzvIrz8nCZ7pGj6pyvsKgs=
"""  # noqa: S105 - it opens nothing that anybody uses


def without_password(key: SecretKey) -> str:
    """Return the text of an unencrypted secret key."""
    return bytes(key).decode() + "\n"

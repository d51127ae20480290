"""Secret keys as `minisign -W` writes them, without a password: opening an encrypted one takes a GiB and seconds."""

from __future__ import annotations

import base64

from scripts.github.signing import SecretKey

# Made once by `python -m scripts keygen`: to make one takes as long as to open one.
OF_ANOTHER_PASSWORD = """\
untrusted comment: minisign encrypted secret key
RWRTY0Iy7uahptB7avi4ymbKzBJ2JbeW6SiL1U1rt42yVnKQDJ0AAAACAAAAAAAAAEAAAAAASriVKdaO\
kmpW4DC0CRaTT7UT5gYXieFWGIht24feMphJNXZTnSgmHN/H8FhueIsPFUGsBrlvJM+maWC6xaVdiiHn\
JMtGG0E6hJMY4icX1JlB4SZM8+VQ1xzvIrz8nCZ7pGj6pyvsKgs=
"""  # noqa: S105 - it opens nothing that anybody uses


def without_password(key: SecretKey) -> str:
    """Return the text of an unencrypted secret key."""
    body = key.number + key.key.private_bytes_raw() + key.key.public_key().public_bytes_raw()
    data = base64.b64encode(b"Ed\0\0B2" + bytes(48) + body + bytes(32)).decode()
    return f"untrusted comment: minisign secret key\n{data}\n"

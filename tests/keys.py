"""Secret keys as `minisign -W` writes them, without a password: opening an encrypted one takes a GiB and seconds."""

from __future__ import annotations

import base64

from scripts.release.signing import SecretKey


def without_password(key: SecretKey) -> str:
    """Return the text of an unencrypted secret key."""
    body = key.number + key.key.private_bytes_raw() + key.key.public_key().public_bytes_raw()
    data = base64.b64encode(b"Ed\0\0B2" + bytes(48) + body + bytes(32)).decode()
    return f"untrusted comment: minisign secret key\n{data}\n"

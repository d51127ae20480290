"""The signature of a release's manifest, in minisign's format (https://jedisct1.github.io/minisign/)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from leanspec_launcher.commands import CommandError

from .transfer import must_have_extra

# The algorithms of a key, and of a signature of the file's BLAKE2b digest.
KEY_ALGORITHM, SIGNATURE_ALGORITHM = b"Ed", b"ED"
ALGORITHM_LENGTH, ID_LENGTH = 2, 8
KEY_LENGTH, SIGNATURE_LENGTH = 32, 64
UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "


@dataclass(frozen=True)
class _Signature:
    key_id: bytes
    of_the_file: bytes
    comment: str
    of_the_comment: bytes


def verify(data: bytes, signature: str, keys: tuple[str, ...]) -> dict[str, str]:
    """Return what the trusted comment of a signature states, of data that one of the keys signed.

    Raises CommandError if it is damaged, or of another key, or of other data.
    """
    must_have_extra("cryptography")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    read = _read(signature)
    trusted = dict(map(_key, keys))
    if read.key_id not in trusted:
        raise _refused("it is signed with a key that this release does not know")
    key = Ed25519PublicKey.from_public_bytes(trusted[read.key_id])
    try:
        key.verify(read.of_the_file, hashlib.blake2b(data).digest())
        # The comment is signed together with the first signature: it belongs to no other file.
        key.verify(read.of_the_comment, read.of_the_file + read.comment.encode())
    except InvalidSignature:
        raise _refused("its signature does not match its content") from None
    pairs = [part.split(":", 1) for part in read.comment.split("\t") if ":" in part]
    return dict(pairs)


def _key(text: str) -> tuple[bytes, bytes]:
    """Return the identity of a public key, and the key."""
    data = _decoded(text, ALGORITHM_LENGTH + ID_LENGTH + KEY_LENGTH)
    if data[:ALGORITHM_LENGTH] != KEY_ALGORITHM:
        raise _refused("a key of this release is not a minisign key")
    split = ALGORITHM_LENGTH + ID_LENGTH
    return data[ALGORITHM_LENGTH:split], data[split:]


def _read(text: str) -> _Signature:
    lines = text.splitlines()
    try:
        untrusted, first, trusted, second = lines
    except ValueError:
        raise _refused("its signature does not have four lines") from None
    if not untrusted.startswith(UNTRUSTED) or not trusted.startswith(TRUSTED):
        raise _refused("its signature has no comments")
    data = _decoded(first, ALGORITHM_LENGTH + ID_LENGTH + SIGNATURE_LENGTH)
    if data[:ALGORITHM_LENGTH] != SIGNATURE_ALGORITHM:
        raise _refused("its signature has an unknown algorithm")
    split = ALGORITHM_LENGTH + ID_LENGTH
    return _Signature(
        data[ALGORITHM_LENGTH:split],
        data[split:],
        trusted[len(TRUSTED) :],
        _decoded(second, SIGNATURE_LENGTH),
    )


def _decoded(text: str, length: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _refused("its signature is damaged") from None
    if len(data) != length:
        raise _refused("its signature is damaged")
    return data


def _refused(reason: str) -> CommandError:
    return CommandError(
        f"the manifest of that release is not trusted: {reason}",
        hint="install that release with your installer, which verifies it in its own way",
    )

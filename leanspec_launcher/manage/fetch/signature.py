"""The signature of a release's manifest, in minisign's format (https://jedisct1.github.io/minisign/)."""

import base64
import contextlib
import hashlib

from leanspec_launcher.commands import CommandError

from .transfer import must_have_extra

# The algorithms of a key, and of a signature of the file's BLAKE2b digest.
KEY_ALGORITHM, SIGNATURE_ALGORITHM = b"Ed", b"ED"
ALGORITHM_LENGTH, HEAD = 2, 10
KEY_LENGTH, SIGNATURE_LENGTH = 32, 64
UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "


def verify(data: bytes, signature: str, keys: tuple[str, ...]) -> dict[str, str]:
    """Return what the trusted comment of a signature states, of data that one of the keys signed.

    Raises CommandError if it is damaged, or of another key, or of other data.
    """
    must_have_extra("cryptography")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key_id, of_the_file, comment, of_the_comment = _read(signature)
    trusted = dict(map(_key, keys))
    if key_id not in trusted:
        raise _refused("it is signed with a key that this release does not know")
    key = Ed25519PublicKey.from_public_bytes(trusted[key_id])
    try:
        key.verify(of_the_file, hashlib.blake2b(data).digest())
        # The comment is signed together with the first signature: it belongs to no other file.
        key.verify(of_the_comment, of_the_file + comment.encode())
    except InvalidSignature:
        raise _refused("its signature does not match its content") from None
    parts = comment.split("\t")
    return dict(part.split(":", 1) for part in parts if ":" in part)


def _key(text: str) -> tuple[bytes, bytes]:
    """Return the identity of a public key, and the key."""
    algorithm, key_id, key = _parts(text, KEY_LENGTH)
    if algorithm != KEY_ALGORITHM:
        raise _refused("a key of this release is not a minisign key")
    return key_id, key


def _read(text: str) -> tuple[bytes, bytes, str, bytes]:
    """Return the identity of the key, the signature of the file, and the comment with its signature."""
    try:
        untrusted, first, trusted, second = text.splitlines()
    except ValueError:
        raise _refused("its signature does not have four lines") from None
    if not untrusted.startswith(UNTRUSTED) or not trusted.startswith(TRUSTED):
        raise _refused("its signature has no comments")
    algorithm, key_id, signature = _parts(first, SIGNATURE_LENGTH)
    if algorithm != SIGNATURE_ALGORITHM:
        raise _refused("its signature has an unknown algorithm")
    comment = trusted.removeprefix(TRUSTED)
    return key_id, signature, comment, _decoded(second, SIGNATURE_LENGTH)


def _parts(text: str, length: int) -> tuple[bytes, bytes, bytes]:
    """Return the algorithm, the identity of the key, and what follows in so many bytes."""
    data = _decoded(text, HEAD + length)
    return data[:ALGORITHM_LENGTH], data[ALGORITHM_LENGTH:HEAD], data[HEAD:]


def _decoded(text: str, length: int) -> bytes:
    with contextlib.suppress(ValueError):
        data = base64.b64decode(text, validate=True)
        if len(data) == length:
            return data
    raise _refused("its signature is damaged")


def _refused(reason: str) -> CommandError:
    return CommandError(
        f"the manifest of that release is not trusted: {reason}",
        hint="install that release with your installer, which verifies it in its own way",
    )

"""Signatures in minisign's format: made and checked here, made and checked by `minisign` alike.

https://jedisct1.github.io/minisign/ describes the format. Files are hashed first (`ED`), as minisign does since 0.10.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from leanspec_launcher.manage.errors import CommandError

ALGORITHM, PREHASHED = b"Ed", b"ED"
SCRYPT, NO_KDF, BLAKE2 = b"Sc", b"\0\0", b"B2"
# libsodium's SENSITIVE limits, which minisign writes, and what they mean to scrypt: 1 GiB, some
# seconds.
OPERATIONS, MEMORY = 33554432, 1073741824
COST, BLOCK, PARALLEL = 1 << 20, 8, 1
KEY_ID, SEED, PUBLIC, SIGNATURE, SALT, CHECKSUM = 8, 32, 32, 64, 32, 32
SECRET = KEY_ID + SEED + PUBLIC + CHECKSUM
SECRET_FILE = 2 + 2 + 2 + SALT + 8 + 8 + SECRET
UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "
SUFFIX = ".minisig"
HINT = "it should come from `python -m scripts {0}`, or from minisign"


@dataclass(frozen=True)
class PublicKey:
    """A key that checks signatures."""

    number: bytes
    key: Ed25519PublicKey

    def text(self) -> str:
        """Write it as minisign does, with its comment."""
        name = self.number[::-1].hex().upper()
        data = base64.b64encode(ALGORITHM + self.number + self.key.public_bytes_raw()).decode()
        return f"{UNTRUSTED}minisign public key {name}\n{data}\n"


@dataclass(frozen=True)
class SecretKey:
    """A key that makes signatures. It is never printed."""

    number: bytes
    key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """Return the key that checks what this one signs."""
        return PublicKey(self.number, self.key.public_key())


@dataclass(frozen=True)
class Claim:
    """What a trusted comment says of the file that was signed."""

    file: str
    version: str
    platform: str

    def text(self, at: int) -> str:
        """Write it as `name:value` parts, as minisign writes its own; `at` in seconds since 1970."""
        return f"timestamp:{at}\tfile:{self.file}\tversion:{self.version}\tplatform:{self.platform}\thashed"


def generate() -> SecretKey:
    """Make a new key."""
    return SecretKey(secrets.token_bytes(KEY_ID), Ed25519PrivateKey.generate())


def write_secret(key: SecretKey, password: str) -> str:
    """Return a secret key's text, encrypted with a password as minisign does it."""
    seed, public = key.key.private_bytes_raw(), key.key.public_key().public_bytes_raw()
    plain = key.number + seed + public + _checksum(key.number + seed + public)
    salt = secrets.token_bytes(SALT)
    stream = _stream(password, salt, OPERATIONS, MEMORY)
    body = bytes(a ^ b for a, b in zip(plain, stream, strict=True))
    limits = OPERATIONS.to_bytes(8, "little") + MEMORY.to_bytes(8, "little")
    data = ALGORITHM + SCRYPT + BLAKE2 + salt + limits + body
    return f"{UNTRUSTED}minisign encrypted secret key\n{base64.b64encode(data).decode()}\n"


def read_secret(text: str, password: str) -> SecretKey:
    """Open a secret key; raises CommandError for a wrong password or another file."""
    data = _second_line(text, "secret key", "keygen")
    if len(data) != SECRET_FILE or data[:2] != ALGORITHM or data[4:6] != BLAKE2:
        raise CommandError("this is not a minisign secret key", hint=HINT.format("keygen"))
    salt, limits, body = data[6 : 6 + SALT], data[6 + SALT : 22 + SALT], data[22 + SALT :]
    if data[2:4] == SCRYPT:
        stream = _stream(
            password,
            salt,
            int.from_bytes(limits[:8], "little"),
            int.from_bytes(limits[8:], "little"),
        )
        body = bytes(a ^ b for a, b in zip(body, stream, strict=True))
    elif data[2:4] != NO_KDF:
        raise CommandError(
            "this secret key is encrypted in a way that minisign does not use",
            hint=HINT.format("keygen"),
        )
    key = SecretKey(
        body[:KEY_ID], Ed25519PrivateKey.from_private_bytes(body[KEY_ID : KEY_ID + SEED])
    )
    # A key without a password has no checksum (minisign leaves it zero): its public half has to
    # agree.
    wanted = _checksum(body[:-CHECKSUM]) if data[2:4] == SCRYPT else bytes(CHECKSUM)
    agrees = key.key.public_key().public_bytes_raw() == body[KEY_ID + SEED : KEY_ID + SEED + PUBLIC]
    if not hmac.compare_digest(body[-CHECKSUM:], wanted) or not agrees:
        raise CommandError(
            "the password is wrong, or the secret key is damaged",
            hint="try again, or take the key from its backup",
        )
    return key


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(ALGORITHM + data, digest_size=CHECKSUM).digest()


def _stream(password: str, salt: bytes, operations: int, memory: int) -> bytes:
    if (operations, memory) != (OPERATIONS, MEMORY):
        raise CommandError(
            "this secret key has other limits than minisign's own",
            hint="make a new one with `keygen`",
        )
    limit = 128 * BLOCK * (COST + PARALLEL + 2)
    return hashlib.scrypt(
        password.encode(), salt=salt, n=COST, r=BLOCK, p=PARALLEL, maxmem=limit, dklen=SECRET
    )


def read_public(text: str) -> PublicKey:
    """Read a public key: a file's text, or its second line alone. Raises CommandError where it is none."""
    text = text if text.startswith(UNTRUSTED) else f"{UNTRUSTED}\n{text}"
    data = _second_line(text, "public key", "keygen")
    if len(data) != 2 + KEY_ID + PUBLIC or data[:2] != ALGORITHM:
        raise CommandError("this is not a minisign public key", hint=HINT.format("keygen"))
    return PublicKey(data[2 : 2 + KEY_ID], Ed25519PublicKey.from_public_bytes(data[2 + KEY_ID :]))


def sign(path: Path, key: SecretKey, claim: Claim, at: int | None = None) -> Path:
    """Write the signature of a file beside it, and return where; with a stated time, always the same."""
    signature = key.key.sign(_hashed(path))
    comment = claim.text(int(time.time()) if at is None else at)
    whole = key.key.sign(signature + comment.encode())
    data = base64.b64encode(PREHASHED + key.number + signature).decode()
    lines = [
        f"{UNTRUSTED}signature from minisign secret key",
        data,
        TRUSTED + comment,
        base64.b64encode(whole).decode(),
    ]
    target = path.with_name(path.name + SUFFIX)
    part = target.with_name(f".{target.name}.{os.getpid()}.new")
    part.write_text("\n".join([*lines, ""]), "utf-8")
    part.replace(target)
    return target


def verify(
    path: Path, signature: str, key: PublicKey, claim: Claim | None = None
) -> dict[str, str]:
    """Check the signature of a file, and that its trusted comment claims what is expected; return what it says.

    Raises CommandError where anything is missing, damaged, of another key, of another file, or
    claims something else.
    """
    lines = signature.splitlines()
    if len(lines) != 4 or not lines[0].startswith(UNTRUSTED) or not lines[2].startswith(TRUSTED):  # noqa: PLR2004
        raise CommandError("not a valid minisign signature", hint=HINT.format("sign"))
    head = _decoded(lines[1], 2 + KEY_ID + SIGNATURE)
    whole = _decoded(lines[3], SIGNATURE)
    algorithm, number, own = head[:2], head[2 : 2 + KEY_ID], head[2 + KEY_ID :]
    if number != key.number:
        raise CommandError(
            f"the signature is of the key {number[::-1].hex().upper()}, not of {key.number[::-1].hex().upper()}",
            hint="use the public key of the release, from a place that you trust",
        )
    if algorithm not in (ALGORITHM, PREHASHED):
        raise CommandError(
            "the signature is of a kind that minisign does not make", hint="do not use the file"
        )
    comment = lines[2].removeprefix(TRUSTED)
    try:
        key.key.verify(own, _hashed(path) if algorithm == PREHASHED else path.read_bytes())
    except InvalidSignature:
        raise CommandError(
            f"`{path.name}` is not the file that was signed", hint="do not use it; fetch it again"
        ) from None
    try:
        key.key.verify(whole, own + comment.encode())
    except InvalidSignature:
        raise CommandError(
            "the trusted comment is not the one that was signed", hint="do not use the file"
        ) from None
    said = dict(part.split(":", 1) for part in comment.split("\t") if ":" in part)
    for name in ("file", "version", "platform") if claim else ():
        wanted, found = getattr(claim, name), said.get(name, "nothing")
        if wanted and wanted != found:
            raise CommandError(
                f"the signature is for {name} `{found}`, expected `{wanted}`",
                hint="do not use the file",
            )
    return said


def _hashed(path: Path) -> bytes:
    digest = hashlib.blake2b()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def _second_line(text: str, what: str, maker: str) -> bytes:
    lines = text.strip().splitlines()
    if len(lines) != 2 or not lines[0].startswith(UNTRUSTED):  # noqa: PLR2004 - a comment and the data
        raise CommandError(f"this is not a minisign {what}", hint=HINT.format(maker))
    try:
        return base64.b64decode(lines[1], validate=True)
    except binascii.Error:
        raise CommandError(f"this minisign {what} is damaged", hint=HINT.format(maker)) from None


def _decoded(line: str, length: int) -> bytes:
    try:
        data = base64.b64decode(line, validate=True)
    except binascii.Error:
        data = b""
    if len(data) != length:
        raise CommandError("not a valid minisign signature", hint=HINT.format("sign"))
    return data

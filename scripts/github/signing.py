"""Signatures of a release's files, in minisign's format, and what each of them states.

py-minisign reads, makes and verifies the format (https://jedisct1.github.io/minisign/). What is
ours is the claim: the file, the version and the platform that a trusted comment has to state.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import minisign

from leanspec_launcher.commands import CommandError
from scripts.tools.work_folder import replacing

SUFFIX = ".minisig"
UNTRUSTED = "untrusted comment: "
KEY_HINT = "`minisign -G` makes a key pair"


@dataclass(frozen=True)
class Claim:
    """What a trusted comment states of the file that was signed."""

    file: str
    version: str
    platform: str = "any"

    def text(self, at: int) -> str:
        """Write it as `name:value` parts, as minisign does; `at` in seconds since 1970."""
        parts = [f"timestamp:{at}"]
        parts += [f"{name}:{value}" for name, value in asdict(self).items()]
        return "\t".join([*parts, "hashed"])


def read_secret(text: str, password: str) -> minisign.SecretKey:
    """Open a secret key; raises CommandError for a wrong password, a damaged or another file."""
    try:
        key = minisign.SecretKey.from_bytes(text.strip().encode())
    except minisign.Error as error:
        raise CommandError(
            f"this is not a minisign secret key: {error}", hint=KEY_HINT
        ) from None
    try:
        key.decrypt(password)
        # A key without a password has no checksum: whether its halves belong together shows here.
        key.get_public_key().verify(b"", key.sign(b""))
    except minisign.Error as error:
        raise CommandError(
            f"the password is wrong, or the secret key is damaged: {error}",
            hint="try again, or take the key from its backup",
        ) from None
    return key


def read_public(text: str) -> minisign.PublicKey:
    """Read a public key: a file's text, or its second line alone.

    Raises CommandError if it is none.
    """
    text = text.strip()
    try:
        if text.startswith(UNTRUSTED):
            return minisign.PublicKey.from_bytes(text.encode())
        return minisign.PublicKey.from_base64(text.encode())
    except minisign.Error as error:
        raise CommandError(
            f"this is not a minisign public key: {error}", hint=KEY_HINT
        ) from None


def sign(path: Path, key: minisign.SecretKey, claim: Claim, at: int) -> Path:
    """Write the signature of a file next to it, and return where.

    With the same time (seconds since 1970), the signature is the same.
    """
    with path.open("rb") as file:
        signature = key.sign(file, trusted_comment=claim.text(at))
    target = path.with_name(path.name + SUFFIX)
    with replacing(target) as new:
        new.write_text(bytes(signature).decode() + "\n", "utf-8")
    return target


def verify(
    path: Path, signature: str, key: minisign.PublicKey, claim: Claim
) -> dict[str, str]:
    """Verify the signature of a file and what its trusted comment states; return what it states.

    Raises CommandError if anything is missing, damaged, of another key or of another file, or
    where something else is stated.
    """
    try:
        parsed = minisign.Signature.from_bytes(signature.encode())
    except minisign.Error as error:
        raise CommandError(
            f"not a valid minisign signature: {error}",
            hint="it should come from `assets`, or from `minisign -S`",
        ) from None
    try:
        key.verify_file(path, parsed)
    except minisign.VerifyError as error:
        raise CommandError(
            f"`{path.name}` is not what this key signed: {error}",
            hint="do not use it; fetch it again, and take the public key from a place you trust",
        ) from None
    parts = [part.partition(":") for part in parsed.trusted_comment.split("\t")]
    facts = {name: value for name, colon, value in parts if colon}
    for name, expected in asdict(claim).items():
        actual = facts.get(name, "nothing")
        if actual != expected:
            raise CommandError(
                f"the signature is for {name} `{actual}`, expected `{expected}`",
                hint="do not use the file",
            )
    return facts
